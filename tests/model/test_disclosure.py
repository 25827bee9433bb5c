"""What a refused person may know."""

import pytest

from leadglass.model.disclosure import say, sentence
from leadglass.model.errors import Cause, Refusal, StepUp, refuse
from leadglass.model.reasons import REASONS, Code, Disclose, Reason

SECRET = Reason("oncologist-only", 403, "Oncologists only", "For {who}.", "Ask {who}.", Disclose.LOG)
OPEN = Reason("device-stale", 403, "Device stale", "The device {name} is stale.", "Start the agent.")
LATER = Reason("purpose-required", 400, "Purpose required", "No purpose.", "Name one.")


@pytest.mark.parametrize(
    ("template", "params", "said"),
    [
        ("No {x} here.", {"x": "door"}, "No door here."),
        ("No {x} here.", {}, "No (unknown) here."),
        ("No {x} here.", {"x": ""}, "No (unknown) here."),
        ("{x.__class__} {0} {} {x!r} {x:>9999999999}", {"x": "1"}, "{x.__class__} {0} {} {x!r} {x:>9999999999}"),
        ("{x}", {"x": "{y}", "y": "secret"}, "{y}"),
        ("{x}", {"x": "a\r\nb\0c\x1b[31m\u202ed\u2028"}, "abc[31md"),
        ("{x}", {"x": "é" * 500}, "é" * 200),
        ("{x}", {"x": "\ud800a"}, "a"),
    ],
    ids=["plain", "missing", "empty", "no-format", "once", "controls", "long", "surrogate"],
)
def test_sentences_are_filled_safely(template: str, params: dict[str, str], said: str) -> None:
    assert sentence(template, params) == said


def test_a_secret_reason_is_said_as_a_study_that_does_not_exist() -> None:
    refusal = Refusal(Cause(SECRET, {"who": "x"}), detail="d", step_up=StepUp(("mfa",)), headers={"Retry-After": "1"})
    assert say(refusal) == say(refuse(Code.STUDY_NOT_VISIBLE))
    assert say(refusal).status == 404


def test_a_secret_reason_beside_an_open_one_is_left_out() -> None:
    said = say(Refusal(Cause(SECRET), Cause(OPEN, {"name": "ws-1"}), Cause(LATER)))
    assert (said.status, said.title, said.detail) == (403, "Device stale", "The device ws-1 is stale.")
    assert said.codes == ("device-stale", "purpose-required")
    assert said.remediation == ("Start the agent.", "Name one.")


def test_equal_causes_are_said_once() -> None:
    said = say(Refusal(Cause(LATER), Cause(LATER)))
    assert said.codes == ("purpose-required",)
    assert said.remediation == ("Name one.",)


def test_an_open_refusal_keeps_headers_and_step_up() -> None:
    refusal = Refusal(Cause(REASONS[Code.USER_UNAUTHENTICATED]), step_up=StepUp(("mfa",)), headers={"Retry-After": "1"})
    assert say(refusal).step_up == StepUp(("mfa",))
    assert dict(say(refusal).headers) == {"Retry-After": "1"}
