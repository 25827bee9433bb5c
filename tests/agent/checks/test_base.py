import pytest

from leadglass_agent.checks import platform_checks
from leadglass_agent.checks.base import Check, Result, Surroundings
from leadglass_agent.commands import Unavailable

AROUND = Surroundings(now=lambda: 0.0)


def check(error: BaseException) -> Check:
    def collect(_: Surroundings) -> Result:
        raise error

    return Check("x", "X", "never", "nothing", "none", 1, collect)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unavailable("lsblk is not installed"), "lsblk is not installed"),
        (PermissionError(13, "x"), "run it as root"),
        (OSError(5, "x"), "OSError"),
        (ValueError("secret"), "ValueError"),
        (KeyError("secret"), "KeyError"),
    ],
)
def test_what_goes_wrong_is_unknown_and_says_why(error: Exception, words: str) -> None:
    result = check(error).run(AROUND)
    assert result.status == "unknown"
    assert words in result.reason
    assert "secret" not in result.reason


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        check(ZeroDivisionError()).run(AROUND)


def test_every_check_answers_on_this_machine() -> None:
    for each in platform_checks():
        result = each.run(Surroundings(now=lambda: 1_800_000_000.0))
        assert result.status in {"pass", "fail", "unknown"}
        assert result.status == "pass" or result.reason


def test_ids_are_unique_and_fit_the_wire() -> None:
    ids = [each.id for each in platform_checks()]
    assert len(ids) == len(set(ids)) == 7
    assert all(name.replace("_", "a").isalnum() and name.islower() for name in ids)


def test_an_unknown_platform_has_no_checks() -> None:
    assert platform_checks("plan9") == ()


def test_a_document_leaves_out_what_is_not_there_and_bounds_the_reason() -> None:
    assert Result("pass").document() == {"status": "pass"}
    assert len(Result("fail", 1, "x" * 999).document()["reason"]) == 256
