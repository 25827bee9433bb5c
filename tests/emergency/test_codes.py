"""Emergency codes: made once, kept as hashes, taken once by the right person, within few tries."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from leadglass.emergency.codes import CodeRefused, EmergencyCodes, plain, same_name
from leadglass.limits import EMERGENCY_CODE_TRIES, EMERGENCY_CODES_HELD
from leadglass.model.errors import Refusal
from leadglass.store import Store
from support.clock import FakeClock
from support.device import ADMIN, Events

YEAR = 365 * 86_400.0


@dataclass
class Place:
    codes: EmergencyCodes
    store: Store
    events: Events
    clock: FakeClock
    file: Path

    async def one(self, name: str | None = None) -> str:
        (made,) = await self.codes.make(1, name, YEAR, ADMIN)
        return str(made["code"])

    async def refused(self, code: str, name: str = "Dr Demo") -> str:
        with pytest.raises(CodeRefused) as caught:
            await self.codes.check(code, name)
        return caught.value.cause

    async def spend(self, code: str, name: str = "Dr Demo") -> None:
        code_id = await self.codes.check(code, name)
        async with self.store.transaction() as connection:
            await self.codes.spend(connection, code_id, name)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    file, events, clock = tmp_path / "store.db", Events(), FakeClock()
    async with await Store.open(file) as store:
        yield Place(EmergencyCodes(store, events, clock), store, events, clock, file)


async def test_a_code_is_shown_once_and_kept_as_a_hash(place: Place) -> None:
    made = await place.codes.make(3, "Dr Demo", YEAR, ADMIN)
    assert len({one["code"] for one in made}) == 3
    for one in made:
        code = str(one["code"])
        assert code.startswith(f"LGE-{one['id']}-")
        assert len(plain(code) or "") == 25
    await place.store.close()
    stored = b"".join(path.read_bytes() for path in place.file.parent.iterdir())
    assert not any(secret.encode() in stored for one in made for secret in str(one["code"]).split("-")[2:])
    ((kind, fields),) = place.events.lines
    assert (kind, fields["codes"], fields["name"]) == ("emergency-codes-made", [one["id"] for one in made], "Dr Demo")
    assert str(made[0]["code"]) not in str(fields)


async def test_a_code_is_good_once(place: Place) -> None:
    code = await place.one()
    await place.spend(code)
    assert await place.refused(code) == "used"
    (held,) = await place.codes.all()
    assert (held["state"], held["used_by"]) == ("used", "Dr Demo")


async def test_of_two_at_once_one_is_first(place: Place) -> None:
    code = await place.one()
    code_id = await place.codes.check(code, "a")

    async def spend() -> None:
        async with place.store.transaction() as connection:
            await place.codes.spend(connection, code_id, "a")

    results = await asyncio.gather(spend(), spend(), return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["CodeRefused", "NoneType"]


@pytest.mark.parametrize("spelling", ["{}", " {} ", "{l}", "{n}", "{s}", "{b}"])
async def test_however_it_is_typed(place: Place, spelling: str) -> None:
    code = await place.one()
    typed = spelling.format(
        code, l=code.lower(), n=code.replace("-", ""), s=code.replace("-", " "), b=code.removeprefix("LGE-")
    )
    assert await place.codes.check(typed, "x") == code.split("-")[1]


@pytest.mark.parametrize(
    ("typed", "read"),
    [("O" * 25, "0" * 25), ("I" * 25, "1" * 25), ("l" * 25, "1" * 25), ("1GE" + "A" * 22, "1GE" + "A" * 22)],
)
def test_letters_that_look_alike_are_one(typed: str, read: str) -> None:
    assert plain(typed) == read


@pytest.mark.parametrize("typed", ["", "LGE", "A" * 24, "A" * 26, "U" * 25, "\u00c4" * 25, "A" * 100_000, "\0" * 25])
async def test_what_is_no_code(place: Place, typed: str) -> None:
    assert plain(typed) is None
    assert await place.refused(typed) == "not a code"


async def test_wrong_ones_lock_a_code(place: Place) -> None:
    code = await place.one()
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(EMERGENCY_CODE_TRIES):
        assert await place.refused(wrong) == "a wrong code"
    assert await place.refused(code) == "too many wrong tries"
    assert (await place.codes.all())[0]["state"] == "locked"


async def test_for_one_person_alone(place: Place) -> None:
    code = await place.one("Dr. Anna  Demo")
    assert await place.refused(code, "Dr. Other") == "for somebody else"
    assert await place.codes.check(code, " dr. anna demo") == code.split("-")[1]


@pytest.mark.parametrize(("one", "other", "same"), [("A b", "a  B ", True), ("a", "b", False), ("\u00df", "SS", True)])
def test_names(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a row of the table
    assert same_name(one, other) is same


async def test_a_code_ends(place: Place) -> None:
    code = await place.one()
    place.clock.advance(YEAR)
    assert await place.refused(code) == "over"
    assert await place.codes.all() == []


async def test_a_withdrawn_code_is_not_taken(place: Place) -> None:
    code = await place.one()
    code_id = code.split("-")[1]
    withdrawn = await place.codes.withdraw(code_id, "envelope lost", ADMIN)
    assert withdrawn is not None
    assert withdrawn["state"] == "withdrawn"
    assert await place.refused(code) == "withdrawn"
    assert await place.codes.withdraw(code_id, "again", ADMIN) is None
    assert place.events.lines[-1][1]["reason"] == "envelope lost"


async def test_what_cannot_be_recorded_does_not_happen(place: Place) -> None:
    code = await place.one()
    place.events.broken = True
    with pytest.raises(Refusal):
        await place.codes.make(1, None, YEAR, ADMIN)
    with pytest.raises(Refusal):
        await place.codes.withdraw(code.split("-")[1], "x", ADMIN)
    assert [held["state"] for held in await place.codes.all()] == ["open"]


async def test_no_more_than_are_held(place: Place) -> None:
    await place.codes.make(EMERGENCY_CODES_HELD - 1, None, YEAR, ADMIN)
    with pytest.raises(Refusal, match="rate-limited"):
        await place.codes.make(2, None, YEAR, ADMIN)
    await place.codes.make(1, None, YEAR, ADMIN)
