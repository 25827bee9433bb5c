import pytest

from leadglass.codec.cors import Cors, is_preflight
from leadglass.model.request import CleanRequest, Headers

PAGE, OTHER = "https://viewer.example.org", "http://localhost:3000"
CORS = Cors([PAGE, OTHER])


def request(method: str = "GET", **fields: str) -> CleanRequest:
    said = {name.replace("_", "-"): value for name, value in fields.items()}
    return CleanRequest(method, "/x", ("x",), (), "pacs.example.org", Headers(said))


def test_a_listed_page_may_read_and_no_other() -> None:
    for page in (PAGE, OTHER):
        shared = dict(CORS.shared(request(origin=page)))
        assert (shared[b"Vary"], shared[b"Access-Control-Allow-Origin"]) == (b"Origin", page.encode())
        assert {b"Leadglass-Decision-Id", b"WWW-Authenticate"} <= set(
            shared[b"Access-Control-Expose-Headers"].split(b", ")
        )
        assert b"Access-Control-Allow-Credentials" not in shared
    for asked in (request(), request(origin="null"), request(origin="*"), request(origin="")):
        assert CORS.shared(asked) == ((b"Vary", b"Origin"),)  # for a cache: with an Origin it would be another
        assert not CORS.lists(asked)


def test_credentials_are_allowed_where_it_is_said() -> None:
    cors = Cors([PAGE], credentials=True)
    assert dict(cors.shared(request(origin=PAGE)))[b"Access-Control-Allow-Credentials"] == b"true"
    assert cors.shared(request(origin=OTHER)) == ((b"Vary", b"Origin"),)


def test_what_a_preflight_grants_is_ours_and_not_what_it_asks_for() -> None:
    asked = request("OPTIONS", origin=PAGE, access_control_request_method="PATCH", access_control_request_headers="x-y")
    granted = dict(Cors([PAGE], seconds=7).granted(asked))
    assert granted == {
        b"Access-Control-Allow-Methods": b"GET, POST, PUT, DELETE, OPTIONS",
        b"Access-Control-Allow-Headers": b"Accept, Authorization, Content-Type, DPoP, Leadglass-Purpose, Leadglass-Break-Glass",
        b"Access-Control-Max-Age": b"7",
    }


@pytest.mark.parametrize(("said", "granted"), [("true", b"true"), ("false", None), ("True", None)])
def test_the_private_network_is_granted_where_it_is_asked_for(said: str, granted: bytes | None) -> None:
    fields = dict(CORS.granted(request("OPTIONS", access_control_request_private_network=said)))
    assert fields.get(b"Access-Control-Allow-Private-Network") == granted


def test_only_what_a_browser_asks_first_is_a_preflight() -> None:
    both = {"origin": "https://evil.example", "access_control_request_method": "GET"}
    assert is_preflight(request("OPTIONS", **both))
    assert not is_preflight(request("GET", **both))
    for name, value in both.items():
        assert not is_preflight(request("OPTIONS", **{name: value}))
