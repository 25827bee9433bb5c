"""What a refusal page leads to, by what the person is told."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from leadglass.access.services import Services
from leadglass.access.ways import offer, with_query
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.model.request import RawHead


def services(*, known: bool = False, glass: bool = True) -> Services:
    fake: Any = SimpleNamespace(why=SimpleNamespace(knows=lambda _: known), glass=SimpleNamespace(enabled=glass))
    return cast("Services", fake)


def ways(code: Code, *fields: tuple[bytes, bytes], target: bytes = b"/viewer/", **more: bool) -> list[str]:
    refusal: Refusal = refuse(code)
    offer(services(**more), RawHead("GET", target, fields), refusal, "01J")
    return [path for path, _ in refusal.ways]


COOKIE = (b"cookie", b"__Host-leadglass=x")
GLASS = "/.leadglass/v1/break-glass?return=%2Fviewer%2F"


@pytest.mark.parametrize("code", [Code.STUDY_NOT_VISIBLE, Code.STUDY_AMBIGUOUS])
def test_a_study_that_is_not_shown_offers_to_break_the_glass_whatever_lies_behind(code: Code) -> None:
    assert ways(code, COOKIE) == [GLASS]
    assert ways(code) == []
    assert ways(code, COOKIE, glass=False) == []


def test_what_is_down_offers_a_code() -> None:
    assert ways(Code.DECISION_UNAVAILABLE) == ["/.leadglass/v1/emergency?return=%2Fviewer%2F"]
    assert ways(Code.SIGN_IN_UNAVAILABLE, target=b"//evil.example") == ["/.leadglass/v1/emergency"]


def test_what_is_known_offers_to_say_why() -> None:
    assert ways(Code.NOT_GRANTED, COOKIE, known=True) == ["/.leadglass/v1/why?decision=01J"]


def test_a_token_is_offered_nothing() -> None:
    assert ways(Code.DECISION_UNAVAILABLE, (b"authorization", b"Bearer x"), known=True) == []


def test_a_query() -> None:
    assert with_query("/p", a="x y&z", b=None) == "/p?a=x%20y%26z"
    assert with_query("/p", b=None) == "/p"
