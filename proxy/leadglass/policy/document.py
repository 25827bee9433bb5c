"""The decision document: exactly one value of the schema that says one thing, or no answer at all.

A document that contradicts itself (an allow with a reason against it, a reason nobody declared, a row that is not
there) is `decision-undefined`: a denial, and a fault of the rules to be mended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from leadglass.model.decision import Obligation, RowDenial
from leadglass.model.errors import Cause, StepUp
from leadglass.model.reasons import Reason
from leadglass.policy.engine import Undefined
from leadglass.policy.schemas import Schema, SchemaFault


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules said, checked. `until_at` is epoch seconds, `until_in` seconds from the evaluation."""

    allow: bool
    grants: tuple[str, ...]
    causes: tuple[Cause, ...]
    rows: tuple[RowDenial, ...]
    visibility: Mapping[int, Literal["hidden", "listed"]]
    obligations: tuple[Obligation, ...]
    lease_seconds: float
    lease_scope: Literal["study", "instance"] | None
    until_at: float | None
    until_in: float | None
    step_up: StepUp | None


def read(document: object, schema: Schema, reasons: Mapping[str, Reason], *, studies: int, search: bool) -> Answer:
    """Return the answer in `document`. Raises Undefined.

    `studies` is how many studies the question was about; only a `search` goes on without its denied rows.
    """
    try:
        schema.check(document)
    except SchemaFault as fault:
        raise Undefined(f"the decision is ill-typed: {fault}") from None
    said = cast("dict[str, Any]", document)
    causes = tuple(_cause(one, reasons) for one in said["reasons"])
    rows = tuple(RowDenial(_row(one["row"], studies), _cause(one, reasons)) for one in said["rows"])
    allow: bool = said["allow"]
    _consistent(said, causes, rows)
    denied = {row.row for row in rows}
    visibility = {_row(int(row), studies): shown for row, shown in said["visibility"].items()}
    if not visibility.keys() <= denied:
        raise Undefined("visibility is given for a row that is not denied")
    lease, step_up = said["lease"], said["step_up"]
    return Answer(
        allow=allow and (search or not rows),
        grants=tuple(said["grants"]),
        causes=causes,
        rows=rows,
        visibility=visibility,
        obligations=tuple(
            Obligation(one["type"], {k: v for k, v in one.items() if k != "type"}) for one in said["obligations"]
        ),
        lease_seconds=lease["seconds"] if lease else 0.0,
        lease_scope=lease["scope"] if lease else None,
        until_at=said["until_at"],
        until_in=said["until_in"],
        step_up=step_up and StepUp(tuple(step_up["acr_values"]), step_up["max_age"] and int(step_up["max_age"])),
    )


def _consistent(said: Mapping[str, Any], causes: tuple[Cause, ...], rows: tuple[RowDenial, ...]) -> None:
    if said["allow"]:
        if causes or said["step_up"]:
            raise Undefined("the decision allows and denies at once")
        if not said["grants"]:
            raise Undefined("the decision allows what nothing grants")
    elif not causes and not rows:
        raise Undefined("the decision denies and does not say why")
    elif said["lease"]:
        raise Undefined("the decision leases a denial")


def _cause(one: Mapping[str, Any], reasons: Mapping[str, Reason]) -> Cause:
    reason = reasons.get(one["code"])
    if reason is None:
        raise Undefined(f"the rules gave the reason {one['code']!r}, which data/reasons.yaml does not declare")
    return Cause(reason, one["params"])


def _row(row: int, studies: int) -> int:
    if row >= studies:
        raise Undefined("the rules denied a row that was not asked about")
    return row
