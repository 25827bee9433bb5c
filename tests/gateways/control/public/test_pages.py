"""What pages share; the forms themselves are tests/gateways/control/public/test_people.py."""

from leadglass.access.signin import Turn
from leadglass.gateways.control.public.pages import go_to, page


def test_a_page_lets_nothing_else_in() -> None:
    made = page("A & B", "<p>x</p>", 403)
    assert (made.status, made.content_type) == (403, "text/html")
    assert made.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "form-action 'self';" in made.headers["Content-Security-Policy"]
    assert b"A &amp; B" in bytes(made.body or b"")  # type: ignore[arg-type]  # bytes, as it was given


def test_a_turn_takes_its_cookies_along() -> None:
    made = go_to(Turn("/viewer/", ("a=1", "b=2")))
    assert (made.status, made.headers["Location"], made.headers.getall("Set-Cookie")) == (
        303,
        "/viewer/",
        ["a=1", "b=2"],
    )
    assert made.headers["Referrer-Policy"] == "no-referrer"
