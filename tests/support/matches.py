"""Placed requests and decisions for tests."""

from collections.abc import AsyncIterator, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from leadglass.codec.routes import RouteMatch, Table
from leadglass.limits import MIB
from leadglass.model.decision import Decision, Obligation, RowDenial
from leadglass.model.errors import Cause, Refusal, UpstreamBroken, refuse
from leadglass.model.ports import Links, Sink
from leadglass.model.reasons import REASONS, Code
from leadglass.model.request import CleanRequest, Headers

JSON = {"content-type": "application/dicom+json"}


def asked_as(target: str, method: str = "GET", accept: str | None = None) -> CleanRequest:
    """Return the clean request for `target`, such as /dicom-web/studies?limit=1."""
    parts = urlsplit(target)
    fields = {"host": "pacs.example.org"} | ({} if accept is None else {"accept": accept})
    segments = tuple(parts.path.strip("/").split("/"))
    query = tuple(parse_qsl(parts.query))
    return CleanRequest(method, parts.path, segments, query, "pacs.example.org", Headers(fields))


def placed(target: str, accept: str | None = None, method: str = "GET") -> RouteMatch:
    """Return the match of a request for `target`."""
    return Table().match(asked_as(target, method, accept))


def decided(
    *obligations: Obligation,
    hidden: Iterable[int] = (),
    listed: Iterable[int] = (),
    allow: bool = True,
) -> Decision:
    """Return a decision with these obligations and row denials."""
    visibility: dict[int, Literal["hidden", "listed"]] = dict.fromkeys(listed, "listed")
    cause = Cause(REASONS[Code.NOT_GRANTED])
    return Decision(
        id="01TEST",
        allow=allow,
        valid_until=2e9,
        revision="r",
        engine="wasm",
        rows=tuple(RowDenial(row, cause) for row in sorted({*hidden, *visibility})),
        visibility=visibility,
        obligations=obligations,
        causes=() if allow else (cause,),
    )


class FakeReply:
    """A reply of an archive that is whole in memory: `model.ports.UpstreamReply`."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] = MappingProxyType({}),
        length: bool = True,
        step: int = MIB,
        broken: bool = False,
        links: Links | None = None,
    ) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.length = len(body) if length else None
        self.aborted = False
        self.links = links
        self._step, self._broken = step, broken

    def _pieces(self) -> list[bytes]:
        return [self.body[start : start + self._step] for start in range(0, len(self.body), self._step)]

    async def relay(self, sink: Sink) -> int:
        for piece in self._pieces():
            sink.write(piece)
        if self._broken:
            raise UpstreamBroken("cut")
        return len(self.body)

    async def read(self, limit: int) -> bytes:
        if len(self.body) > limit:
            raise refuse(Code.UPSTREAM_INVALID)
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces():
            yield piece

    def abort(self) -> None:
        self.aborted = True


def code(caught: pytest.ExceptionInfo[Refusal]) -> str:
    """Return the code of the first cause."""
    return caught.value.causes[0].reason.code


def study(uid: str, **more: object) -> dict[str, Any]:
    """Return a row of a study search."""
    return {
        "0020000D": {"vr": "UI", "Value": [uid]},
        "00100020": {"vr": "LO", "Value": ["P"]},
        "00081030": {"vr": "LO", "Value": ["CT <b>\u0000\u2028\u00fc"]},
        **{name: {"vr": "UN", "Value": [value]} for name, value in more.items()},
    }


def rows_reply(*rows: object, **values: Any) -> FakeReply:  # noqa: ANN401 - passed on
    """Return a search reply of these rows."""
    return FakeReply(orjson.dumps(rows), headers=JSON, **values)
