"""Our cookies: one random id each, taken from exactly one pair, or not at all (E3)."""

import pytest

from leadglass.codec.cookies import LOGIN, SESSION, clearing, setting, value
from leadglass.model.errors import Refusal

ID = "A" * 43
COOKIES = [
    ("absent", None, None),
    ("others", "a=b; c=d", None),
    ("ours", f"{SESSION}={ID}", ID),
    ("among-others", f"a=b; {SESSION}={ID};c=d", ID),
    ("the-other-of-ours", f"{LOGIN}={ID}", None),
    ("both", f"{LOGIN}={'B' * 43}; {SESSION}={ID}", ID),
    ("chunked", f"{SESSION}_0={ID}; {SESSION}_chunks=99999999", None),
    ("without-prefix", f"leadglass={ID}", None),
    ("lower-case-prefix", f"__host-leadglass={ID}", None),
    ("name-in-a-value", f"x={SESSION}={ID}", None),
    ("empty", f"{SESSION}=", ""),
    ("short", f"{SESSION}={ID[1:]}", ""),
    ("long", f"{SESSION}={ID}A", ""),
    ("quoted", f'{SESSION}="{ID}"', ""),
    ("padded", f"{SESSION}={ID[2:]}==", ""),
    ("another-spelling", f"{SESSION}={ID[1:]}B", ""),
    ("huge", f"{SESSION}=" + "A" * 20_000, ""),
    ("many", "; ".join(f"c{n}=x" for n in range(3000)), None),
]


@pytest.mark.parametrize(("header", "expected"), [row[1:] for row in COOKIES], ids=[row[0] for row in COOKIES])
def test_one_value_or_none(header: str | None, expected: str | None) -> None:
    assert value(header, SESSION) == expected


@pytest.mark.parametrize("second", [ID, "B" * 43, "", "x"])
def test_a_cookie_that_comes_twice_was_tossed(second: str) -> None:
    with pytest.raises(Refusal, match="two-credentials"):
        value(f"{SESSION}={ID}; {SESSION}={second}", SESSION)


def test_lines_hold_what_the_prefix_asks_for() -> None:
    for line in (setting(SESSION, ID), clearing(SESSION)):
        assert line.startswith("__Host-leadglass=")
        assert "; Path=/; Secure; HttpOnly; SameSite=Lax" in line
        assert "Domain" not in line
