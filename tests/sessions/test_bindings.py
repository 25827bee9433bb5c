"""Bindings: one device to a session, silence after five minutes, what a restart keeps, and races."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from leadglass.epochs import Epochs
from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import new_key
from leadglass.limits import DEVICE_PROOF_RENEW_SECONDS, DEVICE_PROOF_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Device, Subject
from leadglass.model.login import SignedIn
from leadglass.model.reasons import Code
from leadglass.sessions.bindings import Bindings
from leadglass.sessions.sessions import Sessions
from leadglass.sessions.settings import SessionSettings
from leadglass.store import Store
from leadglass.tasks import Tasks
from support.clock import FakeClock
from support.device import Events

ISSUER = "https://idp.example.org"
PEER = PeerFacts("01J", "192.0.2.1")


def device(name: str) -> Device:
    return Device(name, f"ws {name}", "dr.demo", ISSUER, "proof", "software", float("inf"))


@dataclass
class Place:
    store: Store
    box: Box
    tasks: Tasks
    clock: FakeClock = field(default_factory=FakeClock)
    epochs: Epochs = field(default_factory=Epochs)
    events: Events = field(default_factory=Events)
    devices: dict[str, Device] = field(default_factory=lambda: {name: device(name) for name in ("A", "B")})
    moved: list[str] = field(default_factory=list)  # names of epochs, each time one moved

    def __post_init__(self) -> None:
        self.epochs.watch(self.moved.append)

    def facts(self, name: str) -> Device:
        if name not in self.devices:
            raise refuse(Code.STATEMENT_INVALID, "withdrawn")
        return self.devices[name]

    async def renew(self, said: SignedIn) -> SignedIn:
        return said

    def signed_in(self) -> SignedIn:
        subject = Subject("person", "dr.demo", ISSUER, b"", self.clock.now() + 86_400)
        return SignedIn(subject, self.clock.now() + 86_400, "r1")

    async def open(self) -> "Opened":
        clock, epochs = self.clock, self.epochs
        sessions = await Sessions.open(
            self.store, self.box, self.events, clock=clock, epochs=epochs, tasks=self.tasks, renew=self.renew
        )
        sessions.configure(SessionSettings(), {ISSUER})
        bindings = await Bindings.open(self.store, sessions, self.events, clock=clock, epochs=epochs, facts=self.facts)
        return Opened(self, sessions, bindings)


@dataclass
class Opened:
    place: Place
    sessions: Sessions
    bindings: Bindings

    async def begin(self, shown: str | None = None) -> str:
        _, session = await self.sessions.begin(self.place.signed_in(), "192.0.2.1", shown)
        return session.id

    async def prove(self, session: str, name: str = "A") -> None:
        await self.bindings.prove(session, {"id": name, "name": f"ws {name}"}, PEER)

    def on(self, session: str) -> str | None:
        found = self.bindings.device(session)
        return None if found is None else found.id

    def due(self, session: str) -> float:
        found = self.sessions.one(session)
        assert found is not None
        return self.bindings.due(found)

    def epoch(self, session: str) -> int:
        """Return how often the session's epoch has moved."""
        return self.place.moved.count(f"session:{session}")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    tasks = Tasks()
    async with await Store.open(tmp_path / "leadglass.db", busy_seconds=0.5) as store:
        yield Place(store, Box(new_key()), tasks)
        await tasks.close()


async def test_a_session_is_open_on_the_device_that_proved_it(place: Place) -> None:
    opened = await place.open()
    session, other = await opened.begin(), await opened.begin()
    assert (opened.on(session), opened.due(session), opened.bindings.shown(session)) == (None, 0, None)
    before = opened.epoch(session)
    await opened.prove(session)
    found = opened.bindings.device(session)
    assert found is not None
    assert (found.id, found.binding, found.expires) == ("A", "proof", place.clock.now() + DEVICE_PROOF_SECONDS)
    assert opened.bindings.device(session) is found  # leases are looked up by it
    assert opened.epoch(session) == before + 1
    assert opened.due(session) == DEVICE_PROOF_RENEW_SECONDS
    assert opened.on(other) is None
    kind, fields = place.events.lines[-1]
    assert (kind, fields["device"]["id"], fields["session"]["id"]) == ("session-device-bound", "A", session)
    assert (fields["client_ip"], fields["decision_id"]) == ("192.0.2.1", "01J")


async def test_a_proof_is_renewed_without_a_word(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    epoch, kinds = opened.epoch(session), list(place.events.kinds)
    for _ in range(10):
        place.clock.advance(DEVICE_PROOF_RENEW_SECONDS)
        assert opened.due(session) == 0
        await opened.prove(session)
        await opened.bindings.look()
    found = opened.bindings.device(session)
    assert found is not None
    assert found.expires == place.clock.now() + DEVICE_PROOF_SECONDS
    assert (opened.epoch(session), place.events.kinds) == (epoch, kinds)


async def test_posture_that_changed_is_seen_at_once(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    opened.bindings.device(session)
    place.devices["A"] = Device(**{**vars(device("A")), "checks": {"firewall": {"status": "fail"}}})
    found = opened.bindings.device(session)
    assert found is not None
    assert found.checks["firewall"] == {"status": "fail"}
    del place.devices["A"]
    with pytest.raises(Refusal, match="statement-invalid"):
        opened.bindings.device(session)


@pytest.mark.parametrize("wall", [0.0, -100_000.0], ids=["together", "set-back"])
async def test_a_device_that_falls_silent_is_none(place: Place, wall: float) -> None:
    """Also when somebody sets the clock back meanwhile."""
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    place.clock.step(wall)
    place.clock.advance(DEVICE_PROOF_SECONDS - 0.1)
    assert opened.on(session) == "A"
    await opened.bindings.look()
    assert place.events.kinds[-1] == "session-device-bound"
    place.clock.advance(0.1)
    assert opened.on(session) is None  # before anybody looked
    epoch = opened.epoch(session)
    await opened.bindings.look()
    await opened.bindings.look()
    assert opened.epoch(session) == epoch + 1
    assert place.events.kinds.count("session-device-silent") == 1
    shown = opened.bindings.shown(session)
    assert shown is not None
    assert shown["silent"]
    await opened.prove(session)
    assert opened.on(session) == "A"
    assert opened.epoch(session) == epoch + 2
    assert place.events.kinds[-1] == "session-device-bound"


async def test_a_clock_that_is_set_ahead_makes_a_device_silent(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    place.clock.step(DEVICE_PROOF_SECONDS)
    assert opened.on(session) is None


async def test_silence_is_in_force_when_the_record_cannot_be_written(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    epoch = opened.epoch(session)
    place.clock.advance(DEVICE_PROOF_SECONDS)
    place.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await opened.bindings.look()
    assert opened.epoch(session) == epoch + 1
    place.clock.advance(-1)  # even if the clocks said otherwise
    assert opened.on(session) is None


async def test_without_record_there_is_no_binding(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    place.events.broken = True
    with pytest.raises(Refusal, match="audit-unavailable"):
        await opened.prove(session)
    assert opened.on(session) is None
    assert (await place.open()).on(session) is None


async def test_another_device_does_not_take_a_session_over(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    for silent in (False, True):
        if silent:
            place.clock.advance(DEVICE_PROOF_SECONDS)
        with pytest.raises(Refusal, match="device-changed"):
            await opened.prove(session, "B")
        kind, fields = place.events.lines[-1]
        assert (kind, fields["device"]["id"], fields["bound_to"]) == ("session-device-refused", "B", "A")
        assert opened.on(session) == (None if silent else "A")


async def test_a_fresh_sign_in_goes_on_with_its_device_and_may_bring_another(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    assert await opened.begin(session) == session  # a step-up
    assert opened.on(session) == "A"  # what runs is not cut
    assert opened.due(session) == 0  # and the page proves at once
    await opened.prove(session, "B")
    assert opened.on(session) == "B"
    with pytest.raises(Refusal, match="device-changed"):
        await opened.prove(session)


async def test_a_session_that_is_over_is_bound_to_nothing(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    await opened.sessions.end(session, "signed-out", {})
    with pytest.raises(Refusal, match="user-unauthenticated"):
        await opened.prove(session)
    await opened.bindings.look()
    assert opened.bindings.shown(session) is None
    assert "session-device-silent" not in place.events.kinds
    assert (await place.open()).bindings._bound == {}


async def test_a_restart_keeps_what_was_proven(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    place.clock.advance(100)
    await opened.prove(session)
    await opened.bindings.look()  # a minute has passed: written
    place.clock.advance(200)
    again = await place.open()
    assert again.on(session) == "A"
    assert again.due(session) == 40
    place.clock.advance(DEVICE_PROOF_SECONDS - 200)
    assert again.on(session) is None
    with pytest.raises(Refusal, match="device-changed"):
        await again.prove(session, "B")


async def test_a_proof_of_the_future_is_none(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    place.clock.step(-10)
    assert (await place.open()).on(session) is None


# --- races: what happens while the store writes --------------------------------------------------------------------
async def test_of_two_devices_at_once_one_is_taken(place: Place) -> None:
    opened = await place.open()
    session = await opened.begin()
    answers = await asyncio.gather(*(opened.prove(session, name) for name in "AB"), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["None", "device-changed"]
    assert opened.on(session) == "A"


@pytest.mark.parametrize("act", ["ends", "signs-in-anew"])
async def test_a_session_that_changes_while_it_is_bound(place: Place, act: str) -> None:
    opened = await place.open()
    session = await opened.begin()
    record = place.events.record_event

    async def meanwhile(kind: str, fields: object) -> None:
        await record(kind, fields)  # type: ignore[arg-type]  # handed through
        if kind != "session-device-bound":
            return
        found = opened.sessions.one(session)
        assert found is not None
        if act == "ends":
            opened.sessions._by_id.pop(session)
        else:
            opened.sessions._by_id[session] = replace(found, key=b"another")

    place.events.record_event = meanwhile  # type: ignore[method-assign]  # the moment a test needs
    with pytest.raises(Refusal, match="user-unauthenticated"):
        await opened.prove(session)
    assert opened.on(session) is None


async def test_upkeep_goes_on_when_the_store_does_not_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("leadglass.sessions.sessions.SESSION_TICK_SECONDS", 0.001)
    opened = await place.open()
    session = await opened.begin()
    await opened.prove(session)
    place.clock.advance(DEVICE_PROOF_SECONDS)
    place.events.broken = True
    watching = asyncio.create_task(opened.bindings.watch())
    async with asyncio.timeout(10):
        while "upkeep of the devices of sessions" not in caplog.text:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.001)
    assert not watching.done()
    watching.cancel()
