"""A worklist server for tests (UPS-RS, PS3.18 chapter 11): small, in memory, and it believes whoever asks.

Workitems by UID, subscriptions by AE title, and an event channel for each (PS3.18 section 8.10.4).
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from support.gateway import FakeArchive, Running, fake_archive, running

WORKLIST = "1.2.840.10008.5.1.4.34.5"
FILTERED = "1.2.840.10008.5.1.4.34.5.1"
JSON = "application/dicom+json"
ENABLED = (
    "create, search, retrieve, update, state, cancel, subscribe, unsubscribe, suspend, subscribe-worklist, "
    "unsubscribe-worklist, events"
)
Row = dict[str, Any]


def text(vr: str, *values: object) -> Row:
    return {"vr": vr, "Value": list(values)}


def workitem(uid: str, *studies: str, patient: str | None = None, issuer: str | None = "DEMO", **more: Row) -> Row:
    """Return a scheduled workitem that works on these studies."""
    row = {"00080018": text("UI", uid), "00741000": text("CS", "SCHEDULED"), **more}
    if studies:
        row["00404021"] = text("SQ", *({"0020000D": text("UI", study)} for study in studies))
    if patient is not None:
        row["00100020"] = text("LO", patient)
        row |= {"00100021": text("LO", issuer)} if issuer is not None else {}
    return row


def report(uid: str, state: str = "IN PROGRESS") -> str:
    """Return the event report of a workitem's new state."""
    told = {
        "00000002": text("UI", "1.2.840.10008.5.1.4.34.6.4"),
        "00000110": text("US", 1),
        "00001000": text("UI", uid),
        "00001002": text("US", 1),
        "00741000": text("CS", state),
    }
    return json.dumps(told)


@dataclass
class Ups:
    """The server's memory, and what tests move in it. `heads` are those of channels that were opened."""

    held: dict[str, Row] = field(default_factory=dict)
    subscribed: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    channels: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    closed: list[int | None] = field(default_factory=list)

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("POST", "/dicom-web/workitems", self._create)
        add("GET", "/dicom-web/workitems", self._search)
        add("GET", "/dicom-web/workitems/{uid}", self._retrieve)
        add("POST", "/dicom-web/workitems/{uid}", self._update)
        add("PUT", "/dicom-web/workitems/{uid}/state", self._update)
        add("POST", "/dicom-web/workitems/{uid}/cancelrequest", self._cancel)
        add("POST", "/dicom-web/workitems/{uid}/subscribers/{aet}", self._subscribe)
        add("DELETE", "/dicom-web/workitems/{uid}/subscribers/{aet}", self._unsubscribe)
        add("POST", "/dicom-web/workitems/{uid}/subscribers/{aet}/suspend", self._suspend)
        add("GET", "/dicom-web/subscribers/{aet}", self._channel)

    def put(self, *rows: Row) -> None:
        for row in rows:
            self.held[row["00080018"]["Value"][0]] = row

    async def tell(self, aet: str, *told: str) -> None:
        for one in told:
            await self.channels[aet].send_str(one)

    async def _sent(self, request: web.Request) -> Row:
        assert request.headers["Content-Type"] == JSON
        (row,) = json.loads(await request.read())
        known: Row = row
        return known

    async def _create(self, request: web.Request) -> web.Response:
        uid = request.query["workitem"]
        if uid in self.held:
            return web.Response(status=409)
        self.held[uid] = {"00080018": text("UI", uid), **await self._sent(request)}
        return web.Response(status=201, headers={"Content-Location": f"/dicom-web/workitems/{uid}"})

    async def _search(self, _: web.Request) -> web.Response:
        return web.Response(body=json.dumps(list(self.held.values())), content_type=JSON)

    async def _retrieve(self, request: web.Request) -> web.Response:
        row = self.held.get(request.match_info["uid"])
        return web.Response(status=404) if row is None else web.Response(body=json.dumps([row]), content_type=JSON)

    async def _update(self, request: web.Request) -> web.Response:
        self.held[request.match_info["uid"]] |= await self._sent(request)
        return web.Response(status=200)

    async def _cancel(self, request: web.Request) -> web.Response:
        await self._sent(request)
        self.held[request.match_info["uid"]]["00741000"] = text("CS", "CANCELED")
        return web.Response(status=202)

    async def _subscribe(self, request: web.Request) -> web.Response:
        self.subscribed[request.match_info["uid"], request.match_info["aet"]] = dict(request.query)
        return web.Response(status=201, headers={"Content-Location": "ws://archive/subscribers/X"})

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        self.subscribed.pop((request.match_info["uid"], request.match_info["aet"]), None)
        return web.Response(status=200)

    async def _suspend(self, request: web.Request) -> web.Response:
        self.suspended.append(request.match_info["aet"])
        return web.Response(status=200)

    async def _channel(self, request: web.Request) -> web.WebSocketResponse:
        channel = web.WebSocketResponse(autoping=True)
        await channel.prepare(request)
        aet = request.match_info["aet"]
        self.channels[aet] = channel
        self.heads.append(dict(request.headers))
        async for message in channel:
            assert message.type in {WSMsgType.TEXT, WSMsgType.BINARY}
        self.closed.append(channel.close_code)
        return channel


_ROLES = """
  worker:
    description: Works on workitems
    allow:
      - actions: [search, retrieve, render]
      - actions: [search, retrieve, update, subscribe]
        transactions: ["ups-rs.*"]
"""


def allowing(folder: Path) -> None:
    """Grant the worklist to radiologists, technologists and the role `worker`, over the shipped table."""
    shipped = Path(__file__).parents[2] / "policies/data/roles.yaml"
    grant = '\n    allow:\n      - {actions: [search, retrieve, update, subscribe], transactions: ["ups-rs.*"]}\n'
    held = shipped.read_text()
    for role in ("radiologist", "technologist"):
        head, _, tail = held.partition(f"\n  {role}:\n")
        held = f"{head}\n  {role}:\n{tail.replace(chr(10) + '    allow:' + chr(10), grant, 1)}"
    (folder / "policies/data/roles.yaml").write_text(held + _ROLES)


@asynccontextmanager
async def worklist(folder: Path, **site: Any) -> AsyncIterator[tuple[Running, Ups, FakeArchive]]:  # noqa: ANN401 - of `running`
    """Open a gateway before an archive that keeps a worklist, every transaction of which is switched on."""
    ups = Ups()
    names = ", ".join(f"ups-rs.{name.strip()}" for name in ENABLED.split(","))
    async with fake_archive(more=ups.add_to) as archive:
        site = {"upstream_more": f"enable: [{names}]", "change": allowing, **site}
        async with running(folder, archive=archive, **site) as run:
            yield run, ups, archive
