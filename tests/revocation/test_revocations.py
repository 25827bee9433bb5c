from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.epochs import Epochs
from leadglass.model.errors import Refusal
from leadglass.model.facts import Device, Subject
from leadglass.revocation.revocations import Kind, Revocations, token_value
from leadglass.store import Store
from support.clock import FakeClock
from support.device import Events

BY = {"uid": 0, "user": "root"}
TOKEN = "a.b.c"
SUBJECT = Subject(
    "person", "dr.demo", "https://idp.example.org", bytes.fromhex(token_value(TOKEN)), 2e9, session="5e55"
)
DEVICE = Device("D1", "pc", "dr.demo", "https://idp.example.org", "mtls", "software", 2e9)


class Desk:
    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.events, self.epochs = store, FakeClock(), Events(), Epochs()

    async def open(self) -> Revocations:
        return await Revocations.open(self.store, self.events, self.clock, self.epochs)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with await Store.open(tmp_path / "leadglass.db", busy_seconds=0.05) as store:
        yield Desk(store)


def passes(revocations: Revocations, device: Device | None = DEVICE) -> bool:
    try:
        revocations.check(SUBJECT, device)
    except Refusal as refusal:
        return refusal.causes[0].reason.code != "access-revoked"
    return True


ROWS: list[tuple[Kind, str, bool]] = [
    ("user", "dr.demo", False),
    ("user", "dr.other", True),
    ("user", "D1", True),
    ("session", "5e55", False),
    ("session", "5e56", True),
    ("session", "dr.demo", True),
    ("token", token_value(TOKEN), False),
    ("token", token_value("x"), True),
    ("device", "D1", False),
    ("device", "dr.demo", True),
]


@pytest.mark.parametrize(("kind", "value", "let_through"), ROWS)
async def test_who_is_turned_away(desk: Desk, kind: Kind, value: str, *, let_through: bool) -> None:
    revocations = await desk.open()
    assert passes(revocations)
    await revocations.revoke(kind, value, "because", None, BY)
    assert passes(revocations) == let_through


async def test_a_revocation_for_a_time_ends_by_itself(desk: Desk) -> None:
    revocations = await desk.open()
    await revocations.revoke("user", "dr.demo", "on leave", 7200, BY)
    desk.clock.advance(7199)
    assert not passes(revocations)
    desk.clock.advance(1)
    assert passes(revocations)
    assert revocations.all() == []


async def test_the_longer_of_two_counts(desk: Desk) -> None:
    revocations = await desk.open()
    await revocations.revoke("user", "dr.demo", "one", None, BY)
    await revocations.revoke("user", "dr.demo", "two", 1, BY)
    desk.clock.advance(2)
    assert not passes(revocations)


async def test_a_restart_forgets_nothing(desk: Desk) -> None:
    await (await desk.open()).revoke("user", "dr.demo", "left", None, BY)
    assert not passes(await desk.open())


async def test_lifting_lets_in_again_and_survives_a_restart(desk: Desk) -> None:
    revocations = await desk.open()
    made = await revocations.revoke("device", "D1", "lost", None, BY)
    assert passes(revocations, device=None)
    assert await revocations.lift(made.id, BY) == made
    assert await revocations.lift(made.id, BY) is None
    assert passes(revocations)
    assert passes(await desk.open())


@pytest.mark.parametrize(
    ("kind", "epoch"), [("user", "risk"), ("session", "risk"), ("token", "risk"), ("device", "device:D1")]
)
async def test_the_epoch_that_leases_stand_on_moves(desk: Desk, kind: Kind, epoch: str) -> None:
    revocations = await desk.open()
    before = desk.epochs.snapshot([epoch])
    await revocations.revoke(kind, "D1", "because", None, BY)
    assert not desk.epochs.current(before)


async def test_what_cannot_be_recorded_does_not_happen(desk: Desk) -> None:
    revocations = await desk.open()

    desk.events.broken = True
    with pytest.raises(Refusal):
        await revocations.revoke("user", "dr.demo", "left", None, BY)
    assert passes(revocations)
    assert passes(await desk.open())


async def test_the_record_says_who_and_why(desk: Desk) -> None:
    revocations = await desk.open()
    made = await revocations.revoke("token", token_value(TOKEN), "found in a ticket", 60, BY)
    await revocations.lift(made.id, BY)
    assert desk.events.kinds == ["revoked", "revocation-lifted"]
    fields = desk.events.lines[0][1]
    assert (fields["reason"], fields["by"]) == ("found in a ticket", BY)
    assert TOKEN not in str(fields)


async def test_the_number_held_is_bounded_and_past_ones_make_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.revocation.revocations.REVOCATIONS_HELD", 2)
    revocations = await desk.open()
    await revocations.revoke("user", "a", "x", 10, BY)
    await revocations.revoke("user", "b", "x", None, BY)
    with pytest.raises(Refusal):
        await revocations.revoke("user", "c", "x", None, BY)
    desk.clock.advance(11)
    await revocations.revoke("user", "c", "x", None, BY)
    assert {held.value for held in revocations.all()} == {"b", "c"}
