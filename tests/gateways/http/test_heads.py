"""Heads of replies."""

import pytest

from leadglass.gateways.http.heads import Heads
from support.clock import FakeClock
from support.door import DECISION, parse_head


def test_every_reply_carries_the_same_protection() -> None:
    head = Heads(FakeClock()).sealed(200, ((b"content-type", b"application/dicom"),), DECISION, 5, close=False)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert parse_head(head)[1] == {
        "date": "Fri, 15 Jan 2027 08:00:00 GMT",
        "x-content-type-options": "nosniff",
        "leadglass-decision-id": DECISION,
        "content-type": "application/dicom",
        "content-security-policy": "sandbox",
        "cache-control": "no-store",
        "content-length": "5",
    }


@pytest.mark.parametrize(
    "name",
    [b"Set-Cookie", b"WWW-Authenticate", b"Server", b"Connection", b"Transfer-Encoding", b"Content-Length",
     b"Content-Security-Policy", b"Cache-Control", b"Date", b"X-Powered-By"],
)  # fmt: skip
def test_a_sealed_reply_passes_listed_fields_alone(name: bytes) -> None:
    head = Heads(FakeClock()).sealed(200, ((name, b"planted"),), DECISION, 5, close=False)
    assert b"planted" not in head


def test_an_answer_of_ours_may_set_its_own_policy_but_not_the_framing() -> None:
    fields = ((b"Content-Security-Policy", b"default-src 'self'"), (b"Set-Cookie", b"a=b"), (b"Content-Length", b"9"))
    _, said = parse_head(Heads(FakeClock()).own(200, fields, DECISION, 5, close=True))
    assert said["content-security-policy"] == "default-src 'self'"
    assert said["cache-control"] == "no-store"
    assert said["set-cookie"] == "a=b"
    assert said["content-length"] == "5"
    assert said["connection"] == "close"


def test_framing_follows_length_and_status() -> None:
    heads = Heads(FakeClock())
    assert parse_head(heads.sealed(200, (), DECISION, None, close=False))[1]["transfer-encoding"] == "chunked"
    bare = parse_head(heads.sealed(204, (), DECISION, None, close=False))[1]
    assert not {"content-length", "transfer-encoding"} & bare.keys()
    assert heads.sealed(299, (), DECISION, 0, close=False).startswith(b"HTTP/1.1 299 Unassigned\r\n")


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: x", b"a\nb", b"a\rb", b"a\0b"], ids=["crlf", "lf", "cr", "nul"])
def test_a_value_that_splits_the_reply_is_refused(value: bytes) -> None:
    heads = Heads(FakeClock())
    with pytest.raises(ValueError, match="control"):
        heads.sealed(200, ((b"content-type", value),), DECISION, 0, close=False)
    with pytest.raises(ValueError, match="control"):
        heads.own(200, ((b"Retry-After", value),), DECISION, 0, close=False)


def test_the_date_moves() -> None:
    clock = FakeClock()
    heads = Heads(clock)
    heads.sealed(200, (), DECISION, 0, close=False)
    clock.advance(61)
    assert b"08:01:01" in heads.sealed(200, (), DECISION, 0, close=False)
