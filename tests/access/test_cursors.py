"""Walks: each goes on where its own last page ended, and belongs to one person, session and search."""

import pytest

from leadglass.access.cursors import START, Cursors, Owner, Place
from leadglass.limits import (
    CURSOR_ROWS,
    CURSOR_ROWS_ALL,
    CURSOR_SECONDS,
    CURSORS_EACH,
    SEARCH_AGAIN,
    SEARCH_BLUR,
    SEARCH_SCANNED,
)
from support.clock import FakeClock

ME: Owner = ("https://idp", "dr.smith", "session")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cursors(clock: FakeClock) -> Cursors:
    return Cursors(clock)


def walked(cursors: Cursors, pages: int, owner: Owner = ME, search: str = "q", size: int = 100) -> None:
    """Walk pages of which every third row of the archive is seen."""
    for page in range(pages):
        begun = cursors.find(owner, search, page * size)
        cursors.keep(owner, search, begun, range(page * size, (page + 1) * size), (page + 1) * 3 * size)


def test_the_next_page_goes_on_a_little_before_the_last_ended(cursors: Cursors) -> None:
    walked(cursors, 2)
    place = cursors.find(ME, "q", 200)
    assert place == Place(600 - SEARCH_AGAIN, 200, frozenset(range(200)), SEARCH_AGAIN)


def test_a_page_before_is_found_with_what_was_seen_before_it(cursors: Cursors) -> None:
    walked(cursors, 3)
    assert cursors.find(ME, "q", 100) == Place(300 - SEARCH_AGAIN, 100, frozenset(range(100)), SEARCH_AGAIN)
    assert cursors.find(ME, "q", 150).shown == 100  # the nearest before
    assert cursors.find(ME, "q", 99) == START
    cursors.keep(ME, "q", cursors.find(ME, "q", 100), [7, 8], 400)  # shown anew, otherwise
    assert cursors.find(ME, "q", 300).shown == 102
    assert cursors.find(ME, "q", 300).seen == {*range(100), 7, 8}


def test_the_first_page_begins_anew(cursors: Cursors) -> None:
    walked(cursors, 2)
    assert cursors.find(ME, "q", 0) == START
    cursors.keep(ME, "q", START, [1], 5)
    assert cursors.find(ME, "q", 200) == Place(0, 1, frozenset({1}), 5)


def test_a_page_that_another_began_anew_meanwhile_is_not_kept(cursors: Cursors) -> None:
    walked(cursors, 2)
    begun = cursors.find(ME, "q", 200)
    cursors.keep(ME, "q", START, [1], 5)
    cursors.keep(ME, "q", begun, [2], 9)
    assert cursors.find(ME, "q", 300).seen == {1}


@pytest.mark.parametrize(
    ("owner", "search"),
    [
        (("https://other", "dr.smith", "session"), "q"),
        (("https://idp", "dr.jones", "session"), "q"),
        (("https://idp", "dr.smith", "another"), "q"),
        (ME, "q2"),
    ],
)
def test_a_walk_is_never_shared(cursors: Cursors, owner: Owner, search: str) -> None:
    walked(cursors, 2)
    assert cursors.find(owner, search, 200) == START


def test_a_walk_is_forgotten_after_a_minute(cursors: Cursors, clock: FakeClock) -> None:
    walked(cursors, 1)
    clock.advance(CURSOR_SECONDS - 1)
    walked(cursors, 1, search="other")
    assert cursors.find(ME, "q", 100) != START
    clock.advance(1)
    assert cursors.find(ME, "q", 100) == START
    clock.advance(CURSOR_SECONDS)
    walked(cursors, 1, search="a third")
    assert len(cursors) == 1  # those that nobody asks for again are gone, too


def test_a_person_has_so_many_walks(cursors: Cursors) -> None:
    for n in range(CURSORS_EACH + 1):
        walked(cursors, 1, (*ME[:2], f"session {n % 2}"), search=f"q{n}")
    walked(cursors, 1, ("https://idp", "dr.jones", "session"))
    assert len(cursors) == CURSORS_EACH + 1
    assert cursors.find((*ME[:2], "session 0"), "q0", 100) == START
    assert cursors.find((*ME[:2], "session 1"), "q1", 100) != START


def test_rows_are_bounded(cursors: Cursors) -> None:
    walked(cursors, CURSOR_ROWS // 100)
    assert cursors.find(ME, "q", CURSOR_ROWS) != START
    cursors.keep(ME, "q", cursors.find(ME, "q", CURSOR_ROWS), [1], 1)
    assert cursors.find(ME, "q", CURSOR_ROWS) == START  # too long a walk is not remembered
    for n in range(CURSOR_ROWS_ALL // CURSOR_ROWS + 1):
        owner = ("https://idp", f"person {n}", "session")
        cursors.keep(owner, "q", START, range(CURSOR_ROWS), 5)
    assert len(cursors) == CURSOR_ROWS_ALL // CURSOR_ROWS
    assert cursors.find(("https://idp", "person 0", "session"), "q", CURSOR_ROWS) == START


def test_how_far_a_search_looks_is_its_own_and_no_round_number(cursors: Cursors, clock: FakeClock) -> None:
    reaches = {cursors.reach(ME, f"q{n}") for n in range(200)}
    assert all(SEARCH_SCANNED - SEARCH_BLUR <= reach <= SEARCH_SCANNED for reach in reaches)
    assert len(reaches) > 100
    assert cursors.reach(ME, "q0") == cursors.reach((*ME[:2], b"another token"), "q0")
    assert [Cursors(clock).reach(ME, f"q{n}") for n in range(9)] != [cursors.reach(ME, f"q{n}") for n in range(9)]
