"""`traceparent` of W3C Trace Context: which span of whose trace a request belongs to.

Anything that is not exactly one well-formed field counts as none, as the standard has it: a trace is not worth a refusal.
`tracestate` and `baggage` are not read, and not sent.
"""

import re
from collections.abc import Sequence
from typing import Final

from leadglass.telemetry.traces import Parent

# Later versions may say more behind a dash; 00 may not. Upper case is none of any.
_FIELD: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]{0,200})?")
_FIRST: Final = b"00"
_NEVER: Final = b"ff"
_SAMPLED: Final = 1


def traceparent(lines: Sequence[bytes]) -> Parent | None:
    """Return what the field lines say, None when they say nothing."""
    match = _FIELD.fullmatch(lines[0]) if len(lines) == 1 else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == _NEVER or (version == _FIRST and more is not None):
        return None
    if not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    return Parent(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & _SAMPLED))
