"""What holds of events: bounds, order, time, and failures. What each event does: tests/access/test_signals.py."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from leadglass.limits import SIGNAL_KEEP_SECONDS, SIGNAL_SECONDS
from leadglass.model.errors import Refusal
from leadglass.model.facts import Device, Subject
from leadglass.model.signals import Event, Signal, Whom
from leadglass.signals import standing as module
from leadglass.signals.standing import Standings
from leadglass.signals.tables import SEEN, STANDING
from leadglass.store import Store
from support.clock import FakeClock
from support.device import Events

ISSUER, TRANSMITTER = "https://idp.example.org", "https://t.example"
WHOM = Whom(ISSUER, (frozenset({("sub", "s")}),))
DEVICE = Device("D1", "pc", "dr.demo", ISSUER, "mtls", "software", 2e9)


class Desk:
    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.events, self.sent = store, FakeClock(), Events(), 0

    async def open(self) -> Standings:
        standings = await Standings.open(self.store, self.events, self.clock)
        standings.believe([TRANSMITTER])
        return standings

    def signal(self, event: Event | None = Event.SESSION_REVOKED, whom: Whom = WHOM, **says: Any) -> Signal:  # noqa: ANN401 - JSON
        self.sent += 1
        now = self.clock.now()
        return Signal(TRANSMITTER, f"j{self.sent}", f"urn:{event}", event, now, now, whom, says)

    def subject(self, **more: Any) -> Subject:  # noqa: ANN401 - fields
        fields: dict[str, Any] = {"sub": "s", "issued": self.clock.now() - 1, "mfa": True, **more}
        return Subject("person", "dr.demo", ISSUER, b"", 2e9, **fields)

    async def rows(self) -> tuple[int, ...]:
        async with self.store.transaction() as connection:
            return tuple(
                [
                    (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                    for table in (STANDING, SEEN)
                ]
            )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with await Store.open(tmp_path / "leadglass.db", busy_seconds=0.05) as store:
        yield Desk(store)


def stands(standings: Standings, subject: Subject, device: Device | None = None) -> bool:
    try:
        standings.of(subject, device)
    except Refusal:
        return False
    return True


async def test_nobody_is_touched_while_nothing_holds(desk: Desk) -> None:
    standings, subject = await desk.open(), desk.subject()
    found = standings.of(subject, DEVICE)
    assert (found.subject is subject, found.device is DEVICE, dict(found.claims), dict(found.risk)) == (
        True,
        True,
        {},
        {},
    )


async def test_an_end_is_kept_longer_than_any_token_and_then_let_go(desk: Desk) -> None:
    standings, subject = await desk.open(), desk.subject()
    assert await standings.take(desk.signal(), {})
    assert not stands(standings, subject)
    desk.clock.advance(SIGNAL_KEEP_SECONDS - 1)
    assert not stands(standings, subject)
    desk.clock.advance(1)
    assert stands(standings, subject)
    await standings.take(desk.signal(None), {})
    assert len(standings) == 0
    await desk.open()
    assert await desk.rows() == (0, 1)


async def test_a_person_is_asked_for_a_sign_in_after_the_event(desk: Desk) -> None:
    standings, subject = await desk.open(), desk.subject()
    await standings.take(desk.signal(), {})
    desk.clock.advance(90)
    with pytest.raises(Refusal) as caught:
        standings.of(subject, None)
    assert caught.value.step_up is not None
    assert caught.value.step_up.max_age == 90


async def test_what_cannot_be_recorded_or_kept_does_not_count(desk: Desk) -> None:
    standings, signal = await desk.open(), desk.signal()
    desk.events.broken = True
    with pytest.raises(Refusal):
        await standings.take(signal, {})
    assert stands(standings, desk.subject())
    assert await desk.rows() == (0, 0)
    desk.events.broken = False
    assert await standings.take(signal, {})  # the transmitter sends it again
    assert not await standings.take(signal, {})


@pytest.mark.parametrize("bound", ["SIGNALS_SEEN", "SIGNALS_HELD"])
async def test_a_full_memory_makes_transmitters_wait_and_forgets_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 2)
    standings = await desk.open()
    whoever = [Whom(ISSUER, (frozenset({("sub", name)}),)) for name in ("a", "b", "c")]
    for whom in whoever[:2]:
        await standings.take(desk.signal(Event.RISK_LEVEL_CHANGE, whom, principal="user", level="HIGH"), {})
    with pytest.raises(Refusal, match="rate-limited") as caught:
        await standings.take(desk.signal(Event.RISK_LEVEL_CHANGE, whoever[2], principal="user", level="HIGH"), {})
    assert "Retry-After" in caught.value.headers
    assert dict(standings.of(desk.subject(sub="a"), None).risk) == {"user": "HIGH"}
    desk.clock.advance(SIGNAL_SECONDS + 1)
    clear = desk.signal(Event.RISK_LEVEL_CHANGE, whoever[0], principal="user", level="LOW")
    assert await standings.take(clear, {})  # what takes no more room is taken


@pytest.mark.parametrize("bound", ["SIGNALS_SEEN", "SIGNALS_HELD"])
async def test_a_transmitter_that_floods_keeps_no_other_from_being_heard(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 1)
    standings = await desk.open()
    for _ in range(2):  # a restart counts the same
        with contextlib.suppress(Refusal):
            await standings.take(replace(desk.signal(), transmitter="https://other.example"), {})
        standings = await desk.open()
    more = desk.signal(Event.RISK_LEVEL_CHANGE, principal="user", level="HIGH")
    with pytest.raises(Refusal, match="rate-limited"):
        await standings.take(replace(more, transmitter="https://other.example"), {})
    assert await standings.take(desk.signal(), {})


async def test_the_same_id_of_another_transmitter_is_another_event(desk: Desk) -> None:
    standings, signal = await desk.open(), desk.signal()
    assert await standings.take(signal, {})
    assert await standings.take(replace(signal, transmitter="https://other.example"), {})


async def test_of_two_transmitters_neither_takes_back_what_the_other_said(desk: Desk) -> None:
    standings, other = await desk.open(), "https://other.example"
    standings.believe([TRANSMITTER, other])
    high = desk.signal(Event.RISK_LEVEL_CHANGE, principal="user", level="HIGH")
    await standings.take(high, {})
    await standings.take(replace(high, transmitter=other, says={"principal": "user", "level": "LOW"}), {})
    assert dict(standings.of(desk.subject(), None).risk) == {"user": "HIGH"}
    standings.believe([other])
    assert dict(standings.of(desk.subject(), None).risk) == {"user": "LOW"}


async def test_what_is_harmless_is_forgotten_once_nothing_older_can_come(desk: Desk) -> None:
    standings = await desk.open()
    await standings.take(desk.signal(Event.RISK_LEVEL_CHANGE, principal="user", level="LOW"), {})
    await standings.take(
        desk.signal(Event.DEVICE_COMPLIANCE_CHANGE, Whom(ISSUER, (frozenset({("device", "D1")}),)), status="compliant"),
        {},
    )
    desk.clock.advance(SIGNAL_SECONDS + 61)
    await standings.take(desk.signal(None), {})
    assert len(standings) == 0


async def test_each_changed_claim_has_its_own_time(desk: Desk) -> None:
    standings = await desk.open()
    first = desk.signal(Event.TOKEN_CLAIMS_CHANGE, claims={"a": 1, "b": 1})
    await standings.take(first, {})
    desk.clock.advance(10)
    between = desk.clock.now() - 5
    await standings.take(desk.signal(Event.TOKEN_CLAIMS_CHANGE, claims={"b": 2}), {})
    late = replace(desk.signal(Event.TOKEN_CLAIMS_CHANGE, claims={"b": 0}), at=first.at)
    await standings.take(late, {})
    assert dict(standings.of(desk.subject(issued=first.at - 1), None).claims) == {"a": 1, "b": 2}
    assert dict(standings.of(desk.subject(issued=between), None).claims) == {"b": 2}
    assert dict(standings.of(desk.subject(issued=desk.clock.now() + 1), None).claims) == {}


async def test_another_issuer_s_same_name_is_another_person(desk: Desk) -> None:
    standings = await desk.open()
    await standings.take(desk.signal(), {})
    assert stands(standings, replace(desk.subject(), issuer="https://other.example"))
    assert stands(standings, desk.subject(sub="t"))
    assert stands(standings, desk.subject(sub=None))
