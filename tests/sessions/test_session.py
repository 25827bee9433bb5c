"""A session and its subject: equal while the issuer says the same, another token_hash when it does not."""

from dataclasses import replace

import pytest

from leadglass.model.facts import Subject
from leadglass.model.login import SignedIn
from leadglass.sessions.session import Session, restored

SUBJECT = Subject(
    "person", "dr.demo", "https://idp.example.org", b"", 1000.0, ("a", "b"), claims={"x": [1]}, sub="sub", sid="sid"
)
SIGNED_IN = SignedIn(SUBJECT, 1000.0, "refresh")


def session() -> Session:
    made = Session("id", b"k" * 32, SIGNED_IN, "192.0.2.1", 1.0, 2.0, 13.0, used_monotonic=102.0, ends_monotonic=113.0)
    assert made.become(SIGNED_IN)
    return made


def test_the_same_said_again_changes_nothing_that_leases_stand_on() -> None:
    one = session()
    before = one.subject
    assert not one.become(replace(SIGNED_IN, token_ends=2000.0, refresh_token="new"))
    assert one.subject is before
    assert (one.signed_in.token_ends, one.signed_in.refresh_token) == (2000.0, "new")
    later = replace(SIGNED_IN, subject=replace(SIGNED_IN.subject, issued=900.0))
    assert not one.become(later)
    assert one.subject == replace(before, issued=900.0)


def test_another_thing_said_is_another_subject() -> None:
    one = session()
    before = one.subject.token_hash
    assert one.become(replace(SIGNED_IN, subject=replace(SUBJECT, roles=("a",))))
    assert one.subject.token_hash != before


def test_the_store_gives_back_what_it_got() -> None:
    one = session()
    row = {"id": one.id, "key": one.key, "used": one.used, "ends": 1e12}
    back = restored(row, one.sealed(), 4.0, 1000.0)
    assert (back.used_monotonic, back.ends, back.ends_monotonic) == (998.0, one.ends, 1009.0)
    assert back.document() == one.document()
    assert (back.subject.sub, back.subject.sid, back.signed_in.refresh_token) == ("sub", "sid", "refresh")
    assert back.subject.roles == ("a", "b")
    assert back.subject.token_hash != one.subject.token_hash
    assert not {"refresh", "sub", "sid"} & set(map(str, one.document().values()))


@pytest.mark.parametrize(
    ("now", "monotonic", "why"),
    [
        (7.0, 107.0, None),
        (8.0, 108.0, "idle"),
        (8.0, 103.0, "idle"),  # the clock was set ahead
        (-90.0, 108.0, "idle"),  # and back
        (13.0, 103.0, "absolute"),
        (-90.0, 113.0, "absolute"),
    ],
)
def test_it_is_over_by_either_clock(now: float, monotonic: float, why: str | None) -> None:
    assert session().over(now, monotonic, 6.0) == why


def test_use_in_a_time_to_come_is_use_of_now() -> None:
    one = session()
    back = restored({"id": one.id, "key": one.key, "used": 1e12, "ends": one.ends}, one.sealed(), 4.0, 1000.0)
    assert (back.used, back.used_monotonic) == (4.0, 1000.0)
