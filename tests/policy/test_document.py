from typing import Any

import pytest

from leadglass.model.errors import StepUp
from leadglass.policy import document
from leadglass.policy.engine import Undefined
from support.policy import ALLOWED, DENIED, files

ROW = {"row": 0, "code": "oncologist-only", "params": {}}
REASON = {"code": "not-granted", "params": {}}


def read(said: object, *, studies: int = 2, search: bool = False) -> document.Answer:
    return document.read(
        said, files().schemas["schemas/decision.json"], files().reasons, studies=studies, search=search
    )


def test_a_yes_is_read_whole() -> None:
    said = {
        **ALLOWED,
        "obligations": [{"type": "deidentify", "profile": "basic"}],
        "lease": {"seconds": 5, "scope": "instance"},
        "until_at": 10,
        "until_in": 2.5,
    }
    answer = read(said)
    assert answer.allow
    assert answer.grants == ("role:reader",)
    assert [(one.type, dict(one.params)) for one in answer.obligations] == [("deidentify", {"profile": "basic"})]
    assert (answer.lease_seconds, answer.lease_scope) == (5, "instance")
    assert (answer.until_at, answer.until_in) == (10, 2.5)


def test_a_no_says_why_and_what_would_do() -> None:
    answer = read({**DENIED, "step_up": {"acr_values": ["mfa"], "max_age": 0}})
    assert not answer.allow
    assert [cause.reason.code for cause in answer.causes] == ["not-granted"]
    assert answer.step_up == StepUp(("mfa",), 0)


def test_a_search_goes_on_without_its_denied_rows() -> None:
    answer = read({**ALLOWED, "rows": [ROW], "visibility": {"0": "listed"}}, search=True)
    assert answer.allow
    assert [(row.row, row.cause.reason.code) for row in answer.rows] == [(0, "oncologist-only")]
    assert answer.visibility == {0: "listed"}


def test_anything_but_a_search_is_denied_by_a_denied_row() -> None:
    answer = read({**ALLOWED, "rows": [ROW]})
    assert not answer.allow


UNSOUND: list[tuple[str, object]] = [
    ("null", None),
    ("true", True),
    ("a list", [ALLOWED]),
    ("nothing", {}),
    ("allow is text", {**ALLOWED, "allow": "true"}),
    ("allow is a number", {**ALLOWED, "allow": 1}),
    ("a key too many", {**ALLOWED, "dry_run": True}),
    ("a key too few", {key: value for key, value in ALLOWED.items() if key != "rows"}),
    ("allowed with a reason", {**ALLOWED, "reasons": [REASON]}),
    ("allowed with a step-up", {**ALLOWED, "step_up": {"acr_values": [], "max_age": None}}),
    ("allowed by nobody", {**ALLOWED, "grants": []}),
    ("denied without a reason", {**DENIED, "reasons": []}),
    ("a denial leased", {**DENIED, "lease": {"seconds": 5, "scope": "study"}}),
    ("a reason nobody declared", {**DENIED, "reasons": [{"code": "made-up", "params": {}}]}),
    ("a row reason nobody declared", {**ALLOWED, "rows": [{**ROW, "code": "made-up"}]}),
    ("a row that was not asked about", {**ALLOWED, "rows": [{**ROW, "row": 2}]}),
    ("a negative row", {**ALLOWED, "rows": [{**ROW, "row": -1}]}),
    ("visibility of a row that is not denied", {**ALLOWED, "rows": [ROW], "visibility": {"1": "listed"}}),
    ("visibility of another kind", {**ALLOWED, "rows": [ROW], "visibility": {"0": "shown"}}),
    ("params that are no text", {**DENIED, "reasons": [{"code": "not-granted", "params": {"a": 1}}]}),
    ("an obligation without a type", {**ALLOWED, "obligations": [{"profile": "basic"}]}),
    ("a lease of no time", {**ALLOWED, "lease": {"seconds": 0, "scope": "study"}}),
    ("a lease of another scope", {**ALLOWED, "lease": {"seconds": 5, "scope": "patient"}}),
]


@pytest.mark.parametrize("said", [row[1] for row in UNSOUND], ids=[row[0] for row in UNSOUND])
def test_anything_else_is_no_decision(said: Any) -> None:  # noqa: ANN401 - any JSON value
    with pytest.raises(Undefined):
        read(said, search=True)
