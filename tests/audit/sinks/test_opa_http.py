import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from leadglass.audit.service import Audit
from leadglass.audit.settings import OpaHttpSettings
from leadglass.audit.sinks import opa_http
from leadglass.audit.sinks.opa_http import OpaHttpSink, event_of
from leadglass.audit.sinks.pump import Pump
from leadglass.model.errors import ConfigurationError
from leadglass.poster import Undelivered
from support import record


class Receiver:
    """A real HTTP server that takes batches, or answers as it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, str]] = []
        self.status, self.headers = 204, dict[str, str]()
        self.hold: asyncio.Event | None = None
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def _take(self, request: web.Request) -> web.Response:
        data = await request.read()  # aiohttp opens the gzip
        self.requests.append(dict(request.headers))
        if self.hold is not None:
            await self.hold.wait()
        if 200 <= self.status < 300:
            self.events.extend(orjson.loads(data))
        return web.Response(status=self.status, headers=self.headers)

    async def start(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/logs", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def seqs(self) -> list[int]:
        return [event["req_id"] for event in self.events]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


def sink_for(receiver: Receiver) -> OpaHttpSink:
    given = {"type": "opa-http", "url": f"http://127.0.0.1:{receiver.port}/logs", "token": "env:TOKEN"}
    return OpaHttpSink(OpaHttpSettings.model_validate(given, context={"base": Path(), "environ": {"TOKEN": "t"}}))


async def fill(audit: Audit, count: int) -> None:
    for _ in range(count):
        await audit.record_event("x", {"text": "ü" * 20})
    await audit.sync()


async def drain(pump: Pump) -> None:
    while await pump.step() == 0.0:
        pass


def open_pump(audit: Audit, sink: OpaHttpSink) -> Pump:
    return Pump(audit.settings.file, sink, audit._writer.on_disk)


async def test_batches_arrive_as_opa_sends_them(tmp_path: Path, receiver: Receiver) -> None:
    audit = record.audit(tmp_path)
    scope = audit.scope(record.incoming())
    async with scope:
        asked = record.question()
        await scope.decided(asked, record.allow(scope.decision_id, asked=asked))
        await scope.decided(asked, record.allow("x", leased_from=scope.decision_id))
    await audit.sync()
    sink = sink_for(receiver)
    await drain(open_pump(audit, sink))
    await sink.close()
    _, decision, use, *_ = receiver.events
    assert decision["path"] == "leadglass/decision"
    assert decision["decision_id"] == scope.decision_id
    assert decision["input"] == orjson.loads(asked.input())
    assert decision["result"]["allow"] is True
    assert decision["requested_by"] == "192.0.2.7"
    assert decision["bundles"] == {"leadglass": {"revision": "r1"}}
    assert decision["labels"] == {"app": "leadglass", "id": audit._writer.chain.id}
    assert decision["custom"]["record"]["hash"]
    assert use["path"] == "leadglass/use"
    assert use["timestamp"] == "2027-01-15T08:00:00.000000Z"
    head = receiver.requests[0]
    assert (head["Content-Encoding"], head["Content-Type"]) == ("gzip", "application/json")
    assert head["Authorization"] == "Bearer t"
    await audit.close()


async def test_a_dead_receiver_costs_nothing_and_gets_everything_later(tmp_path: Path, receiver: Receiver) -> None:
    await receiver.stop()
    audit = record.audit(tmp_path, rotate="64 KiB")
    sink = sink_for(receiver)
    pump = open_pump(audit, sink)
    await fill(audit, 600)
    assert await pump.step() > 0
    await receiver.start()
    receiver.status = 500
    assert await pump.step() > 0
    receiver.status = 200
    await drain(pump)
    assert receiver.seqs == list(range(1, audit._writer.chain.seq + 1))
    await receiver.stop()  # and again, in the middle
    await fill(audit, 600)
    assert await pump.step() > 0
    await receiver.start()
    await drain(pump)
    assert receiver.seqs == list(range(1, audit._writer.chain.seq + 1))
    await sink.close()
    await audit.close()


async def test_a_slow_receiver_slows_no_request(tmp_path: Path, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    url = f"http://127.0.0.1:{receiver.port}/logs"
    audit = record.audit(tmp_path, sinks=[{"type": "opa-http", "url": url}])
    audit.start()
    async with asyncio.timeout(5):
        for _ in range(200):
            scope = audit.scope(record.incoming())
            async with scope:
                await scope.decided(record.question(), record.allow(scope.decision_id))
        receiver.hold.set()
        while audit._writer.chain.seq > len(receiver.seqs):  # noqa: ASYNC110 - the other side is a server
            await asyncio.sleep(0.02)
    assert receiver.seqs == list(range(1, len(receiver.seqs) + 1))
    await audit.close()


async def test_a_new_gateway_goes_on_and_loses_nothing(tmp_path: Path, receiver: Receiver) -> None:
    for _ in range(3):
        audit = record.audit(tmp_path, rotate="64 KiB")
        await fill(audit, 250)
        sink = sink_for(receiver)
        await open_pump(audit, sink).step()
        await sink.close()
        await audit.close()
    audit = record.audit(tmp_path, rotate="64 KiB")
    await audit.sync()
    sink = sink_for(receiver)
    await drain(open_pump(audit, sink))
    assert sorted(set(receiver.seqs)) == list(range(1, audit._writer.chain.seq + 1))
    await sink.close()
    await audit.close()


@pytest.mark.parametrize(
    ("status", "headers", "smaller", "after"),
    [
        (500, {}, False, 0.0),
        (302, {"Location": "/elsewhere"}, False, 0.0),
        (413, {}, True, 0.0),
        (429, {"Retry-After": "7"}, False, 7.0),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, False, 0.0),
        (401, {}, False, 0.0),
    ],
)
async def test_what_counts_as_not_taken(
    receiver: Receiver, status: int, headers: dict[str, str], *, smaller: bool, after: float
) -> None:
    receiver.status, receiver.headers = status, headers
    sink = sink_for(receiver)
    with pytest.raises(Undelivered, match=str(status)) as caught:
        await sink.send(sink.encode([b"{}\n"]))
    assert (caught.value.smaller, caught.value.after) == (smaller, after)
    await sink.close()


async def test_a_receiver_that_never_answers_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opa_http, "SINK_SECONDS", 0.05)
    receiver.hold = asyncio.Event()
    sink = sink_for(receiver)
    with pytest.raises(Undelivered, match="no answer"):
        await sink.send(sink.encode([b"{}\n"]))
    receiver.hold.set()
    await sink.close()


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"type":1}', b'{"type":"x","chain":"c","seq":"q"}',
        b'{"type":"x","chain":"c","seq":123456789012345678901}',
        *(
            b'{"type":"decision","chain":"c","seq":1,%b}' % spoilt
            for spoilt in (b'"client":"x"', b'"client":[1]', b'"policy":"x"', b'"timing_us":[1]', b'"timing_us":{"a":{}}')
        ),
    ],
)  # fmt: skip
def test_any_line_becomes_an_event(line: bytes) -> None:
    assert event_of(line)["path"] == "leadglass/unreadable"
    assert orjson.dumps(event_of(line))


def test_a_batch_is_gzip_of_an_array() -> None:
    sink = OpaHttpSink(OpaHttpSettings(type="opa-http", url="https://collector.example.org/logs"))
    assert len(orjson.loads(gzip.decompress(sink.encode([b"x\n", b"y\n"])))) == 2


@pytest.mark.parametrize("url", ["ftp://x/", "http://collector.example.org/", "https://u:p@x/", "x", "https://x/#f"])
def test_addresses_that_would_leak_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        OpaHttpSettings(type="opa-http", url=url)


def test_a_bundle_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = OpaHttpSettings.model_construct(
        type="opa-http", url="https://x.example.org/", token=SecretStr("t"), ca=tmp_path / "none.pem"
    )
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        OpaHttpSink(settings)
