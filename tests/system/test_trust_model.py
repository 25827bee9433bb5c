"""Random interleavings of requests, chunks, revocations, sessions' ends and posture: no byte leaves without trust.

A model of a few lines says who is trusted. The gateway's pipeline runs for real (identity, devices, posture, policy,
record, registry of what runs), with replies on a line that counts and an archive that sends when the test says so,
because no real archive sends between two given turns of a loop. The invariants after every act:

- once a revocation, the end of a session or a withdrawal is acknowledged, not one byte more leaves on what stood on it;
- once the loop has come to rest, what is no longer allowed is cut, and what is still allowed runs on, bytes and all;
- what was refused got no byte of a body.

A failure prints the acts that led to it; `-p randomly -p "randomly_seed=N"` brings the same run again.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from leadglass.codec import cookies
from leadglass.gateways.http.heads import Heads
from leadglass.gateways.http.reply import HttpReply
from leadglass.gateways.http.tunnel import Tunnel
from leadglass.model.facts import Subject
from leadglass.model.login import SignedIn
from leadglass.model.ports import Pausable, Sink
from leadglass.model.request import Incoming, Peer, RawHead
from leadglass.revocation.revocations import Kind, token_value
from support.gateway import CT, HOST, ISSUER, OWNER, Running, running

INTERLEAVINGS, BATCHES = 10_000, 20
ACTS = 10
BY: dict[str, str | int] = {"uid": 0, "user": "root"}
FRAMES = f"/dicom-web/studies/{CT.uid}/series/{CT.instances[0].series}/instances/{CT.instances[0].sop}/frames/1"
CHUNK = bytes(1000)
TURNS = 60  # of the loop, after which everything that was set off has been done
MULTIPART = 'multipart/related; type="application/octet-stream"; boundary=b'

pytestmark = pytest.mark.timeout(600)


class Nothing:
    """The body of a GET (model.ports.BodySource)."""

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in tuple[bytes, ...]():
            yield piece


NOTHING = Nothing()


class Line:
    """A connection that counts (gateways.http.reply.Line). It ends as the real one does, with the exchange on it."""

    def __init__(self) -> None:
        self.source: Pausable | None = None
        self.lost = self.congested = self.must_close = False
        self.out = bytearray()
        self.task: asyncio.Task[None] | None = None

    def send(self, data: bytes | memoryview) -> bool:
        return self.send_parts([data])

    def send_parts(self, parts: list[bytes | memoryview]) -> bool:
        if not self.lost:
            for part in parts:
                self.out += part
        return True

    def begin_stream(self) -> None:
        """Nothing is held here."""

    def reset(self, why: str, *, cancel: bool = False, flush: bool = False) -> None:  # noqa: ARG002 - a Line's
        self.lost = True
        if cancel and self.task is not None:
            self.task.cancel()

    async def drained(self) -> None:
        """Never congested."""

    def tunnel(self, ended: Callable[[], None]) -> Tunnel | None:
        raise NotImplementedError(ended)  # no channels here


class Tap:
    """A reply of the archive (model.ports.UpstreamReply) whose chunks come when the test says so."""

    status, length = 200, None
    headers: Mapping[str, str] = {"content-type": MULTIPART}
    links = None

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._pieces.put_nowait(b"--b\r\nContent-Type: application/octet-stream\r\n\r\n")

    def push(self, piece: bytes) -> None:
        """Send a piece; an empty one is the end."""
        self._pieces.put_nowait(piece)

    async def relay(self, sink: Sink) -> int:
        sent = 0
        async for piece in self.chunks():
            sink.write(piece)
            sent += len(piece)
        return sent

    async def chunks(self) -> AsyncIterator[bytes]:
        while piece := await self._pieces.get():
            yield piece

    async def read(self, limit: int) -> bytes:  # noqa: ARG002 - an UpstreamReply's
        return b"".join([piece async for piece in self.chunks()])

    def abort(self) -> None:
        """There is no connection to close."""


@dataclass
class Stream:
    """One exchange, and what it stands on. `quiet` is what it had sent when its trust was acknowledged to be over."""

    credential: str
    line: Line
    task: "asyncio.Task[None]"
    tap: Tap | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    quiet: int | None = None
    doubted: bool = False  # there was a time when it was not trusted
    finished: bool = False

    @property
    def status(self) -> int:
        return int(self.line.out[9:12]) if self.line.out else 0

    @property
    def shown(self) -> int:
        """Bytes of an image, and of the head before it, that left."""
        return len(self.line.out) if self.status == 200 else 0


@dataclass
class Model:
    """Who is trusted, and the gateway that has to agree."""

    run: Running
    random: random.Random
    tokens: tuple[str, ...]
    revoked: dict[tuple[Kind, str], str] = field(default_factory=dict)  # what -> the revocation's id
    healthy: bool = True
    sessions: dict[str, str] = field(default_factory=dict)  # those alive: cookie -> id
    streams: list[Stream] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def trusted(self, stream: Stream) -> bool:
        by, _, secret = stream.credential.partition(" ")
        stands = secret in self.sessions if by == "session" else ("token", token_value(secret)) not in self.revoked
        others = {("user", OWNER), ("device", self.run.agent.id)}
        return stands and self.healthy and not others & self.revoked.keys()

    # --- acts ------------------------------------------------------------------------------------------------------
    async def ask(self) -> None:
        credential = self.random.choice(
            [f"token {token}" for token in self.tokens] + [f"session {one}" for one in self.sessions]
        )
        by, _, secret = credential.partition(" ")
        shown = (b"authorization", f"Bearer {secret}") if by == "token" else (b"cookie", f"{cookies.SESSION}={secret}")
        head = RawHead("GET", FRAMES.encode(), ((b"host", HOST.encode()), (shown[0], shown[1].encode())))
        peer = Peer("192.0.2.7", 40_000, tls=True, certificate=self.run.agent.certificate)
        line = Line()
        reply = HttpReply(line, Heads(self.run.clock), head)
        handled = self.run.gateway.pipeline.handle(Incoming("http", head, peer), NOTHING, reply)
        line.task = asyncio.ensure_future(handled)
        self.streams.append(Stream(credential, line, line.task))

    async def chunk(self) -> None:
        for stream in self.streams:
            if stream.tap is not None and self.random.random() < 0.7:
                stream.tap.push(CHUNK)

    async def answer(self) -> None:
        for stream in self.streams:
            if self.random.random() < 0.5:
                stream.answered.set()

    async def finish(self) -> None:
        ongoing = [(stream, stream.tap) for stream in self.streams if stream.tap is not None]
        if ongoing:
            stream, tap = self.random.choice(ongoing)
            stream.finished = True
            tap.push(b"")

    async def revoke(self) -> None:
        known: list[tuple[Kind, str]] = [("user", OWNER), ("user", "dr.other"), ("device", self.run.agent.id)]
        what = self.random.choice(known + [("token", token_value(token)) for token in self.tokens])
        if what not in self.revoked:
            self.revoked[what] = (await self.run.gateway.revocations.revoke(*what, "lost", None, BY)).id
            await self.silence()

    async def lift(self) -> None:
        if self.revoked:
            await self.run.gateway.revocations.lift(self.revoked.pop(self.random.choice(sorted(self.revoked))), BY)

    async def sign_in(self) -> None:
        now = int(self.run.clock.now())
        who = Subject("person", OWNER, ISSUER, b"", now + 3600, ("radiologist",), mfa=True, acr="mfa", auth_time=now)
        signed_in = SignedIn(who, now + 3600, "refresh")
        cookie, session = await self.run.gateway.browsers.sessions.begin(signed_in, "192.0.2.7", None)
        self.sessions[cookie] = session.id

    async def sign_out(self) -> None:
        if self.sessions:
            cookie = self.random.choice(sorted(self.sessions))
            await self.run.gateway.browsers.sessions.end(self.sessions[cookie], "ended", BY)
            del self.sessions[cookie]
            await self.silence()

    async def posture(self) -> None:
        await self.run.tell("fail" if self.healthy else "pass")
        self.healthy = not self.healthy

    async def time(self) -> None:
        self.run.clock.advance(self.random.choice([0.5, 6.0]))  # a lease lives for some seconds
        await self.run.tell("pass" if self.healthy else "fail")

    # --- invariants ------------------------------------------------------------------------------------------------
    async def silence(self) -> None:
        """An act that took trust away has been acknowledged: with the next turn of the loop it is so."""
        await asyncio.sleep(0)
        for stream in self.streams:
            if not self.trusted(stream):
                stream.quiet = stream.shown

    def hold(self) -> None:
        """Whose trust is over has sent nothing since."""
        for stream in self.streams:
            if self.trusted(stream):
                stream.quiet = None
            else:
                stream.doubted = True
                assert stream.quiet in {None, stream.shown}, f"bytes left without trust: {self}"

    async def rest(self) -> None:
        """Let all that was set off come to its end: what is trusted runs and flows, everything else is over."""
        for stream in self.streams:
            stream.answered.set()
        async with asyncio.timeout(20):
            await turns(TURNS)
            while any(  # noqa: ASYNC110 - other tasks of this loop
                not stream.line.out and not stream.task.done() for stream in self.streams
            ) or any(running.due for running in self.run.gateway.live._running):
                await asyncio.sleep(0)
        self.hold()
        before = [stream.shown for stream in self.streams]
        for stream in self.streams:
            if stream.tap is not None:
                stream.tap.push(CHUNK)
        await turns(TURNS)
        for stream, shown in zip(self.streams, before, strict=True):
            if not self.trusted(stream):
                assert stream.task.done(), f"a stream runs on without trust: {self}"
                assert stream.shown == shown, f"bytes left without trust: {self}"
            elif not (stream.doubted or stream.finished):
                assert stream.shown > shown, f"a stream that was always trusted does not flow ({stream.status}): {self}"

    async def reset(self) -> None:
        """End what runs, and trust everybody again."""
        for stream in self.streams:
            stream.task.cancel()
        await asyncio.gather(*(stream.task for stream in self.streams), return_exceptions=True)
        for revocation in self.revoked.values():
            await self.run.gateway.revocations.lift(revocation, BY)
        for session in self.sessions.values():
            await self.run.gateway.browsers.sessions.end(session, "ended", BY)
        if not self.healthy:
            await self.run.tell("pass")

    def __str__(self) -> str:
        return " > ".join(self.story)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - chance, no secret


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def interleave(model: Model) -> None:
    """Do some acts one after the other, with as many turns of the loop between them as it pleases chance."""
    acts = [
        model.ask, model.ask, model.ask, model.answer, model.chunk, model.chunk, model.finish, model.revoke, model.revoke,
        model.lift,
        model.sign_in, model.sign_out, model.posture, model.time,
    ]  # fmt: skip
    for _ in range(ACTS):
        act = model.random.choice(acts)
        model.story.append(act.__name__)
        await act()
        model.hold()
        await turns(model.random.choice([0, 0, 1, 3, 10, 40]))
        model.hold()
    await model.rest()


def open_taps(run: Running, chance: random.Random, streams: Callable[[], list[Stream]]) -> None:
    """Put taps in the place of the archive."""

    async def opened(*_: object) -> Tap:
        (stream,) = (stream for stream in streams() if stream.task is asyncio.current_task())
        if chance.random() < 0.5:  # an archive takes its time
            await stream.answered.wait()
        stream.tap = Tap()
        if chance.random() < 0.3:  # and its answer may be here whole, so that it leaves in one turn
            stream.finished = True
            stream.tap.push(CHUNK)
            stream.tap.push(b"")
        return stream.tap

    run.gateway.parts.archives["main"].upstream.open = opened  # type: ignore[method-assign,assignment] # what a real archive cannot do


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_no_byte_leaves_without_trust(tmp_path: Path, batch: int) -> None:
    numbers = chance(random.getrandbits(64))
    async with running(tmp_path) as run:
        model: Model
        open_taps(run, numbers, lambda: model.streams)
        for _ in range(INTERLEAVINGS // BATCHES):
            model = Model(run, numbers, (run.token(), run.token(jti="another")))
            await interleave(model)
            await model.reset()


async def test_the_model_sees_a_cut_that_does_not_come(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        model = Model(run, chance(1), (run.token(),))
        open_taps(run, model.random, lambda: model.streams)
        await model.ask()
        await model.rest()
        run.gateway.live._look = lambda: None  # type: ignore[method-assign] # a gateway that looks at nothing
        await run.gateway.revocations.revoke("user", OWNER, "lost", None, BY)
        model.revoked["user", OWNER] = "-"
        await model.silence()
        with pytest.raises(AssertionError, match="without trust"):
            await model.rest()
