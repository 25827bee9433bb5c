"""The event channel at a whole gateway: whom it opens for, what passes, and what ends it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leadglass.codec.websocket import Message, Op, Reader, write_close, write_frame
from leadglass.limits import CHANNEL_MESSAGE_BYTES
from support.door import parse_head
from support.gateway import CT, HOST, MR, OWNER, Client, FakeArchive, Running, fake_archive
from support.oidc import ORIGIN, site
from support.ups import Ups, allowing, report, workitem, worklist

Place = tuple[Running, Ups, FakeArchive]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATH = "/dicom-web/subscribers/VIEWER"
SHAKE = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
MASK = b"\x01\x02\x03\x04"
READ, HIDDEN, NONE = "1.9.1", "1.9.2", "1.9.4"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with worklist(tmp_path) as (run, ups, archive):
        ups.put(workitem(READ, CT.uid), workitem(HIDDEN, MR.uid), workitem(NONE, patient="P001"))
        yield run, ups, archive


class Socket:
    """A client's end: frames as they come."""

    def __init__(self, client: Client, status: int, fields: dict[str, str]) -> None:
        self.client, self.status, self.fields = client, status, fields
        self._frames = Reader(masked=False, limit=CHANNEL_MESSAGE_BYTES)
        self._held: list[Message] = []

    async def next(self) -> Message | None:
        """Return the next message that is no ping; None when the connection ends, cleanly or not."""
        while not self._held:
            try:
                async with asyncio.timeout(10):
                    data = await self.client.reader.read(65_536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._held += [told for told in self._frames.feed(data) if told.op is not Op.PING]
        return self._held.pop(0)

    async def send(self, op: Op, data: bytes = b"") -> None:
        await self.client.send(write_frame(op, data, MASK))


@asynccontextmanager
async def opened(
    run: Running,
    *fields: str,
    path: str = PATH,
    token: str | None = None,
    shake: tuple[str, ...] = SHAKE,
    after: bytes = b"",
) -> AsyncIterator[Socket]:
    said = [f"Authorization: Bearer {token or run.token()}"] if token != "" else []
    head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {HOST}", *said, *shake, *fields, "", ""])
    async with run.client() as client:
        await client.send(head.encode("ascii") + after)
        async with asyncio.timeout(20):
            status, told = parse_head(await client.reader.readuntil(b"\r\n\r\n"))
        yield Socket(client, status, dict(told))


def completions(run: Running) -> list[dict[str, object]]:
    return [line for line in run.record("completion") if line["status"] == 101]


async def completed(run: Running) -> dict[str, object]:
    await until(lambda: bool(completions(run)))
    return completions(run)[0]


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - a line of a file, or the other end, is waited for
            await asyncio.sleep(0.02)


async def test_reports_pass_if_all_of_their_studies_may_be_seen(place: Place) -> None:
    run, ups, _ = place
    async with opened(run) as socket:
        assert (socket.status, socket.fields["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        assert "sec-websocket-protocol" not in socket.fields
        more = json.dumps(
            {**json.loads(report(READ)), **workitem("1.9.1.1", MR.uid)}
        )  # a report that says more than its workitem
        await ups.tell("VIEWER", report(HIDDEN), report(NONE), "{}", "no JSON", report("1.9.9"), more, report(READ))
        told = await socket.next()
        assert told == Message(Op.TEXT, report(READ).encode())
        await socket.send(Op.PING, b"here?")
        assert await socket.next() == Message(Op.PONG, b"here?")
        await socket.client.send(write_close(1000, "bye", MASK))
        assert await socket.next() == Message(Op.CLOSE, b"", 1000)
        assert await socket.next() is None
    done = await completed(run)
    assert done["messages"] == {"passed": 1, "withheld": 6}
    assert (done["bytes"], done["cut_by"]) == (len(report(READ)), None)
    assert done["disclosed"] == {"count": 1, "studies": [{"study_uid": CT.uid, "patient_id": CT.patient_id}]}
    assert ups.heads[0]["Upgrade"] == "websocket"
    assert not {"Origin", "Cookie", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} & ups.heads[0].keys()


OFFERS = ("Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Extensions: permessage-deflate")


async def test_nothing_that_is_offered_is_taken(place: Place) -> None:
    run, ups, _ = place
    async with opened(run, *OFFERS) as socket:
        assert socket.status == 101
        assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & socket.fields.keys()
        await ups.tell("VIEWER", report(READ))
        assert await socket.next() == Message(Op.TEXT, report(READ).encode())


REFUSED = {
    "no role": ({"token": "nobody"}, 403, "not-granted"),
    "no token": ({"token": ""}, 401, "user-unauthenticated"),
    "no such path": ({"path": "/dicom-web/studies"}, 400, "http-malformed"),
    "not a file": ({"path": "/viewer/x"}, 403, "route-unknown"),
    "no handshake": ({"shake": ()}, 400, "http-malformed"),
    "another protocol": ({"shake": ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA")}, 400, "http-malformed"),
    "two protocols": ({"shake": ("Upgrade: websocket, h2c", *SHAKE[1:])}, 400, "http-malformed"),
    "no connection option": ({"shake": (SHAKE[0], *SHAKE[2:])}, 400, "http-malformed"),
    "no key": ({"shake": (*SHAKE[:2], SHAKE[3])}, 400, "http-malformed"),
    "a short key": ({"shake": (*SHAKE[:2], "Sec-WebSocket-Key: x", SHAKE[3])}, 400, "http-malformed"),
    "two keys": ({"shake": (*SHAKE, SHAKE[2])}, 400, "http-malformed"),
    "an old version": ({"shake": (*SHAKE[:3], "Sec-WebSocket-Version: 8")}, 400, "http-malformed"),
    "a length": ({"shake": (*SHAKE, "Content-Length: 0")}, 400, "http-malformed"),
    "a coding": ({"shake": (*SHAKE, "Transfer-Encoding: chunked")}, 400, "http-malformed"),
    "a foreign origin": ({"shake": (*SHAKE, "Origin: https://evil.example")}, 403, "origin-refused"),
    "no origin at all": ({"shake": (*SHAKE, "Origin: null")}, 403, "origin-refused"),
    "early frames": ({"after": write_frame(Op.TEXT, b"x", MASK)}, 400, "http-malformed"),
    "an early request": ({"after": b"GET /dicom-web/studies HTTP/1.1\r\nHost: x\r\n\r\n"}, 400, "http-malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "status", "reason"), REFUSED.values(), ids=REFUSED)
async def test_who_gets_no_channel(place: Place, change: dict[str, Any], status: int, reason: str) -> None:
    run, _, _ = place
    if change.get("token") == "nobody":
        change = {"token": run.token("physician")}
    async with opened(run, **change) as socket:
        length = int(socket.fields["content-length"])
        body = await socket.client.reader.readexactly(length)
        assert (socket.status, reason in body.decode()) == (status, True), body
        assert change.get("shake") == () or socket.fields["connection"] == "close"  # what follows is no request
    assert await run.alive()


async def test_our_own_origin_and_listed_ones_may(tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        allowing(folder)
        file = folder / "leadglass.yaml"
        file.write_text(file.read_text() + "cors: {origins: [https://viewer.example.org]}\n")

    async with worklist(tmp_path, change=change) as (run, _, _):
        for origin, status in (
            (ORIGIN, 101),
            ("https://viewer.example.org", 101),
            ("https://viewer.example.org.evil", 403),
        ):
            async with opened(run, f"Origin: {origin}") as socket:
                assert socket.status == status


async def test_a_persons_cookie_opens_one_for_our_own_pages_alone(tmp_path: Path) -> None:
    ups = Ups()
    async with (
        fake_archive(more=ups.add_to) as archive,
        site(tmp_path, gateway={"archive": archive, "upstream_more": "enable: [ups-rs.events]"}) as place,
    ):
        allowing(place.run.folder)
        file = place.run.folder / "leadglass.yaml"
        file.write_text(file.read_text() + "cors: {origins: [https://viewer.example.org], credentials: true}\n")
        await place.run.gateway.reload()
        browser = await place.signed_in()
        for fields in ((), ("Origin: https://viewer.example.org",), ("Origin: null",), ("Sec-Fetch-Site: same-site",)):
            answer = await browser.ask(PATH, *SHAKE, *fields)
            assert (answer.status, answer.reasons) == (403, ["origin-refused"]), fields
        assert ups.heads == []
        assert (await browser.ask(PATH, *SHAKE, f"Origin: {ORIGIN}")).status == 101


async def test_where_no_channel_is_switched_on_an_upgrade_stays_malformed(tmp_path: Path) -> None:
    async with worklist(tmp_path, upstream_more="enable: [ups-rs.search]") as (run, _, _), opened(run) as socket:
        assert socket.status == 400


@pytest.mark.parametrize("how", ["posture", "revoked", "policy", "token"])
async def test_it_ends_with_what_it_stands_on(place: Place, how: str) -> None:
    run, ups, _ = place
    async with opened(run) as socket:
        await ups.tell("VIEWER", report(READ))
        assert (await socket.next()) == Message(Op.TEXT, report(READ).encode())
        if how == "posture":
            await run.tell("fail")
        elif how == "revoked":
            await run.gateway.revocations.revoke("user", OWNER, "left", None, {"uid": 0})
        elif how == "policy":
            table = run.folder / "policies/data/roles.yaml"
            table.write_text(table.read_text().replace('"ups-rs.*"', '"ups-rs.search"'))
            await run.gateway.reload()
        else:
            run.clock.advance(4000)
        assert await socket.next() == Message(Op.CLOSE, b"", 1008)
        assert await socket.next() is None
    done = await completed(run)
    assert done["cut_by"] not in {None, "client-gone"}
    await until(lambda: bool(ups.closed))


async def test_stopping_says_so(place: Place) -> None:
    run, _, _ = place
    async with opened(run) as socket:
        stopping = asyncio.gather(run.gateway.listener.drain())
        assert await socket.next() == Message(Op.CLOSE, b"", 1001)
        await socket.client.send(write_close(1001, mask=MASK))
        await stopping
    assert (await completed(run))["cut_by"] is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (write_frame(Op.TEXT, b"hello", MASK), 1003),
        (write_frame(Op.BINARY, b"hello", MASK), 1003),
        (write_frame(Op.TEXT, b"hello"), 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x82\xff" + b"\x00\x00\x00\x01\x00\x00\x00\x00", 1009),
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
    ],
    ids=["text", "binary", "not masked", "reserved", "huge", "a request"],
)
async def test_a_client_has_nothing_to_say(place: Place, data: bytes, code: int) -> None:
    run, _, _ = place
    async with opened(run) as socket:
        await socket.client.send(data)
        assert await socket.next() == Message(Op.CLOSE, b"", code)
        assert await socket.next() is None
    assert (await completed(run))["messages"] == {"passed": 0, "withheld": 0}


async def test_an_archive_that_closes_or_breaks_is_told(place: Place) -> None:
    run, ups, archive = place
    async with opened(run) as socket:
        await ups.channels["VIEWER"].close(code=1012)
        assert await socket.next() == Message(Op.CLOSE, b"", 1012)
    async with opened(run) as socket:
        await ups.channels["VIEWER"].send_bytes(b"binary")
        assert await socket.next() == Message(Op.CLOSE, b"", 1011)
    async with opened(run) as socket:
        await ups.channels["VIEWER"].send_str("x" * (CHANNEL_MESSAGE_BYTES + 1))
        assert await socket.next() == Message(Op.CLOSE, b"", 1011)
    archive.answer(PATH, b"", 200)
    async with opened(run) as socket:
        assert socket.status == 502
    archive.answer(PATH, b"", 404)
    async with opened(run) as socket:
        assert socket.status == 404


async def test_a_client_that_leaves_takes_the_archives_end_with_it(place: Place) -> None:
    run, ups, _ = place
    async with opened(run):
        pass
    await until(lambda: bool(ups.closed))
    assert (await completed(run))["cut_by"] == "client-gone"
