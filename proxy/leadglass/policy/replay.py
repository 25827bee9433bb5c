"""Yesterday's questions put to today's policy: what each recorded decision would be now, and what that changes.

A decision is compared by what people notice of it: allowed or refused, the reasons against it, the rows a search leaves
out, the obligations. Nothing here reads the record: documents are handed in, lines of the record as they were written.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from leadglass.limits import LEASES_HELD, REPLAY_EXAMPLES, REPLAY_GROUPS, REPLAY_PEOPLE
from leadglass.policy import document
from leadglass.policy.engine import NoAnswer
from leadglass.policy.schemas import SchemaFault
from leadglass.policy.sources import PolicySet
from leadglass.policy.wasm import WasmEngine

Effect: TypeAlias = Literal["allowed", "refused", "shows more", "shows less", "obligations", "reasons"]
"""What changes: newly allowed or refused; a search that shows more or fewer rows; other obligations; other reasons."""
Skipped: TypeAlias = Literal["before policy", "too large", "another version"]
"""Why a decision was not asked again: refused before policy was asked; kept as a digest; an input of another version."""

_UNDEFINED: Final = "decision-undefined"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What people notice of a decision. `rows` are pairs of study index and reason code; `duties` obligations as JSON."""

    allow: bool
    codes: frozenset[str]
    rows: frozenset[tuple[int, str]]
    duties: frozenset[bytes]


@dataclass(slots=True)
class Group:
    """Decisions that change alike. `came` and `went` are reason codes, or types of obligations where these change.

    `requests` counts the decisions and the uses leased from them. `people` are as many as are kept, `more` says that
    there were others. `examples` are decision ids.
    """

    effect: Effect
    transaction: str
    came: tuple[str, ...]
    went: tuple[str, ...]
    requests: int = 0
    people: set[str] = field(default_factory=set)
    more: bool = False
    examples: list[str] = field(default_factory=list)


class Replay:
    """Takes the lines of a record in their order. `asked` counts decisions put again, `skipped` those that were not.

    `groups` is bounded: what does not fit is counted in `elsewhere`.
    """

    def __init__(self, files: PolicySet, engine: WasmEngine) -> None:
        self._files, self._engine = files, engine
        self.asked = self.same = self.elsewhere = 0
        self.skipped: dict[Skipped, int] = {}
        self._groups: dict[tuple[object, ...], Group] = {}
        self._changed: OrderedDict[str, Group] = OrderedDict()  # by decision id, for the uses to come

    @property
    def groups(self) -> list[Group]:
        """What changes, most requests first; what is newly allowed comes before all else."""
        order = ("allowed", "shows more", "obligations", "refused", "shows less", "reasons")
        return sorted(self._groups.values(), key=lambda one: (order.index(one.effect), -one.requests))

    def take(self, line: Mapping[str, Any]) -> None:
        """Ask again what a line of type `decision` records; count what a `use` was leased from."""
        if line.get("type") == "use":
            group = self._changed.get(str(line.get("leased_from")))
            if group is not None:
                group.requests += 1
        elif line.get("type") == "decision":
            self._decision(line)

    def _decision(self, line: Mapping[str, Any]) -> None:
        judged = line.get("input")
        if not isinstance(judged, dict):
            return self._skip("before policy")
        if "sha256" in judged:
            return self._skip("too large")
        try:
            self._files.schemas["schemas/input.json"].check(judged)
            before = _recorded(line["decision"])
        except (SchemaFault, KeyError, TypeError):
            return self._skip("another version")
        self.asked += 1
        now = self._ask(judged)
        if now == before:
            self.same += 1
            return None
        self._count(line, judged, before, now)
        return None

    def _skip(self, why: Skipped) -> None:
        self.skipped[why] = self.skipped.get(why, 0) + 1

    def _ask(self, judged: dict[str, Any]) -> Outcome:
        search = judged["action"]["name"] == "search"
        try:
            answer = document.read(
                self._engine.evaluate_now(orjson.dumps(judged)), self._files.schemas["schemas/decision.json"],
                self._files.reasons, studies=len(judged["studies"]), search=search,
            )  # fmt: skip
        except NoAnswer:
            return Outcome(allow=False, codes=frozenset({_UNDEFINED}), rows=frozenset(), duties=frozenset())
        return Outcome(
            answer.allow,
            frozenset(str(cause.reason.code) for cause in answer.causes),
            frozenset((row.row, str(row.cause.reason.code)) for row in answer.rows),
            _duties({"type": one.type, **one.params} for one in answer.obligations),
        )

    def _count(self, line: Mapping[str, Any], judged: dict[str, Any], before: Outcome, now: Outcome) -> None:
        effect, came, went = difference(before, now)
        transaction = str(judged["action"]["transaction"])
        key = (effect, transaction, came, went)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= REPLAY_GROUPS:
                self.elsewhere += 1
                return
            group = self._groups[key] = Group(effect, transaction, came, went)
        group.requests += 1
        person = str(judged["subject"]["id"])
        if len(group.people) < REPLAY_PEOPLE:
            group.people.add(person)
        elif person not in group.people:
            group.more = True
        name = str(line.get("decision_id"))
        if len(group.examples) < REPLAY_EXAMPLES:
            group.examples.append(name)
        self._changed[name] = group
        if len(self._changed) > LEASES_HELD:
            self._changed.popitem(last=False)


def difference(before: Outcome, now: Outcome) -> tuple[Effect, tuple[str, ...], tuple[str, ...]]:
    """Return what people notice first between two outcomes, and the codes (or obligations) that came and went."""
    came, went = _codes(now) - _codes(before), _codes(before) - _codes(now)
    effect: Effect = "reasons"
    if before.allow != now.allow:
        effect = "allowed" if now.allow else "refused"
    elif now.allow and (hidden := _hidden(now)) != (were := _hidden(before)):
        effect = "shows less" if hidden > were else "shows more"  # more at one place is what has to be looked at
    elif now.allow and before.duties != now.duties:
        effect, came, went = "obligations", _types(now.duties - before.duties), _types(before.duties - now.duties)
    return effect, tuple(sorted(came)), tuple(sorted(went))


def _hidden(outcome: Outcome) -> frozenset[int]:
    return frozenset(row for row, _ in outcome.rows)


def _codes(outcome: Outcome) -> frozenset[str]:
    return outcome.codes | {code for _, code in outcome.rows}


def _types(duties: Iterable[bytes]) -> frozenset[str]:
    return frozenset(str(orjson.loads(duty)["type"]) for duty in duties)


def _duties(found: Iterable[Mapping[str, Any]]) -> frozenset[bytes]:
    return frozenset(orjson.dumps(dict(one), option=orjson.OPT_SORT_KEYS) for one in found)


def _recorded(verdict: Mapping[str, Any]) -> Outcome:
    """Return the outcome that a line records. Raises KeyError and TypeError when it records none."""
    return Outcome(
        verdict["allow"] is True,
        frozenset(str(one["code"]) for one in verdict["reasons"]),
        frozenset((int(one["row"]), str(one["code"])) for one in verdict["rows"]),
        _duties(verdict["obligations"]),
    )
