"""Who looks: tests/gateways/http/test_replies.py has the table; here is what only the control side asks."""

import pytest

from leadglass.codec.navigation import wants_page


@pytest.mark.parametrize(
    ("method", "mode", "accept", "page"),
    [
        ("GET", "navigate", "", True),
        ("GET", "cors", "text/html", False),
        ("GET", None, "text/html,*/*;q=0.8", True),
        ("GET", None, "application/json", False),
        ("POST", "navigate", "text/html", False),
        ("GET", None, "," * 5000 + "text/html", False),
    ],
)
def test_a_page_is_for_those_who_look(method: str, mode: str | None, accept: str, page: bool) -> None:  # noqa: FBT001 - rows
    assert wants_page(method, mode, accept) is page
