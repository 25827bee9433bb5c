"""Spans as OTLP/HTTP carries them, in its JSON encoding (OpenTelemetry Protocol 1.x).

Each exchange is encoded once, when it ends, and a batch is a join of such pieces: nothing large is ever encoded at once.
Ids are hex and 64-bit numbers are decimal strings, as the protocol has it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from leadglass.telemetry.traces import Finished, Trace

SCOPE: Final = "leadglass"
_FLAGS: Final = 0x101  # sampled; a parent is of this process
_FROM_AFAR: Final = 0x301  # sampled; the parent is another's
_ERROR: Final = 2
# There is no status text: it would be the text of an error.


def attributes(named: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes as a list of OTLP's KeyValue."""
    return [{"key": name, "value": _value(value)} for name, value in named.items()]


def _value(value: object) -> dict[str, Any]:
    kind = type(value)
    if kind is str:
        return {"stringValue": value}
    if kind is int:
        return {"intValue": str(value)}
    if kind is bool:
        return {"boolValue": value}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    raise TypeError(kind.__name__)


def encode(trace: Trace, spans: Iterable[Finished]) -> bytes:
    """Return the spans of one exchange, joined by commas."""
    return orjson.dumps([_span(trace, one) for one in spans])[1:-1]


def _span(trace: Trace, one: Finished) -> dict[str, Any]:
    span = one.span
    document: dict[str, Any] = {
        "traceId": trace.id,
        "spanId": span.id,
        "flags": _FROM_AFAR if span is trace.root and trace.parent is not None else _FLAGS,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(one.begun),
        "endTimeUnixNano": str(one.ended),
        "attributes": attributes(span.attributes),
    }
    if one.parent is not None:
        document["parentSpanId"] = one.parent
    if span.failed:
        document["status"] = {"code": _ERROR}
    return document


def envelope(resource: Mapping[str, str], version: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the spans of a batch."""
    about = orjson.dumps({"attributes": attributes(resource)})
    scope = orjson.dumps({"name": SCOPE, "version": version})
    return b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (about, scope), b"]}]}]}"
