"""Requests as values: header look-up, and whether a body follows."""

import pytest

from leadglass.model.request import CleanRequest, Headers


@pytest.mark.parametrize(
    ("length", "chunked", "has"), [(0, False, False), (5, False, True), (None, True, True), (None, False, False)]
)
def test_whether_a_body_follows(length: int | None, chunked: bool, has: bool) -> None:  # noqa: FBT001 - columns of the table
    request = CleanRequest("POST", "/", (), (), "a", Headers({}), length, chunked)
    assert request.has_body is has


def test_headers_are_looked_up_by_lower_case_name() -> None:
    headers = Headers({"accept": "x"})
    assert headers.get("accept") == "x"
    assert headers.get("nix") is None


def test_a_request_cannot_be_changed_after_it_was_judged() -> None:
    request = CleanRequest("GET", "/", (), (), "a", Headers({}))
    with pytest.raises(AttributeError):
        request.path = "/other"  # type: ignore[misc]  # that is the point
