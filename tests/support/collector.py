"""A collector of traces for tests: takes OTLP/HTTP, holds every post to the protocol's own definition, and keeps it.

opentelemetry-proto is the second opinion: a name, type or nesting that the protocol does not know is an error here.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from google.protobuf import json_format  # type: ignore[import-untyped]  # it carries no types
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from leadglass.telemetry.metrics import TRACE_SPANS

_IDS = ("traceId", "spanId", "parentSpanId")


@dataclass(frozen=True)
class Span:
    """One span as it came."""

    name: str
    kind: int
    trace_id: str
    id: str
    parent: str | None
    begun: int
    ended: int
    failed: bool
    flags: int
    attributes: dict[str, Any]


def spans_of(body: bytes) -> list[Span]:
    """Read a post, in the protocol's own terms. Raises what json_format does."""
    document = json.loads(body)
    found = []
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                found.append(_read(span))
                # The protocol's JSON has ids in hex, where Protobuf's own has bytes in Base64.
                span.update(
                    {name: base64.b64encode(bytes.fromhex(span[name])).decode() for name in _IDS if name in span}
                )
    json_format.ParseDict(document, ExportTraceServiceRequest())
    return found


def _value(value: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever an attribute holds
    ((kind, held),) = value.items()
    if kind == "arrayValue":
        return [_value(one) for one in held["values"]]
    return int(held) if kind == "intValue" else held


def _read(span: dict[str, Any]) -> Span:
    assert (len(span["traceId"]), len(span["spanId"])) == (32, 16)
    return Span(
        span["name"], span["kind"], span["traceId"], span["spanId"], span.get("parentSpanId"),
        int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]), "status" in span, span["flags"],
        {one["key"]: _value(one["value"]) for one in span["attributes"]},
    )  # fmt: skip


def foreign(body: bytes) -> list[Span]:
    """Read what other programs post: names and places are enough."""
    posted = ExportTraceServiceRequest.FromString(body)
    spans = [span for resource in posted.resource_spans for scope in resource.scope_spans for span in scope.spans]
    return [
        Span(
            one.name,
            one.kind,
            one.trace_id.hex(),
            one.span_id.hex(),
            one.parent_span_id.hex(),
            0,
            0,
            failed=False,
            flags=0,
            attributes={},
        )
        for one in spans
    ]


@dataclass
class Collector:
    """What was posted. `status` and `answer` are what is said to the next posts."""

    url: str = ""
    posts: list[bytes] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    others: list[Span] = field(default_factory=list)  # of programs that post Protobuf
    status: int = 200
    answer: bytes = b"{}"
    again: str = "0"  # Retry-After
    hung: asyncio.Event = field(default_factory=asyncio.Event)  # set: posts are answered
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.hung.set()

    @property
    def spans(self) -> list[Span]:
        return [span for post in self.posts for span in spans_of(post)]

    async def exchange(self, decision_id: str) -> list[Span]:
        """Wait for the spans of one exchange, its own first."""
        async with asyncio.timeout(20), self.came:
            while True:
                spans = self.spans
                for root in spans:
                    if root.attributes.get("leadglass.decision_id") == decision_id:
                        return [root, *(one for one in spans if one.trace_id == root.trace_id and one is not root)]
                await self.came.wait()

    async def _take(self, request: web.Request) -> web.Response:
        await self.hung.wait()
        body = await request.read()  # aiohttp opens the gzip
        async with self.came:
            if request.content_type == "application/x-protobuf":
                self.others += foreign(body)
                self.came.notify_all()
                return web.Response(content_type="application/x-protobuf")
            assert request.content_type == "application/json"
            self.heads.append({name.lower(): value for name, value in request.headers.items()})
            if self.status == 200:
                self.posts.append(body)
            self.came.notify_all()
        return web.Response(status=self.status, body=self.answer, headers={"Retry-After": self.again})


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Listen on a free port of loopback for the time of the block."""
    kept = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", kept._take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield kept
    finally:
        kept.hung.set()
        await runner.cleanup()


@contextmanager
def counted(outcome: str) -> Iterator[Callable[[], int]]:
    """Give a function that tells how many more spans have been counted so than at the beginning of the block."""
    before = TRACE_SPANS.values.get((outcome,), 0)
    yield lambda: int(TRACE_SPANS.values.get((outcome,), 0) - before)
