"""Heads of replies: the status line, the fields every reply carries, and those that the reply brings.

`Cache-Control: no-store` and `Content-Security-Policy: sandbox` stand on every reply because each may hold a
patient's images; an answer of the control side may replace either (`_REPLACEABLE`).
"""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from leadglass.clock import Clock
from leadglass.gateways.http.replies import Fields

# What a sealed reply may carry to the client. Cookies and challenges of the archive are not among them.
ALLOWED: Final = frozenset(
    {
        b"accept-ranges",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-range",
        b"content-type",
        b"etag",
        b"last-modified",
        b"link",
        b"location",
        b"retry-after",
        b"vary",
        b"warning",
    }
)
# What the door alone says.
_OWN: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"leadglass-decision-id",
        b"proxy-connection",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-content-type-options",
    }
)
_REPLACEABLE: Final = {
    b"content-security-policy": b"Content-Security-Policy: sandbox\r\n",
    b"cache-control": b"Cache-Control: no-store\r\n",
}
_BODILESS: Final = frozenset({204, 304})


class Heads:
    """Builds reply heads; the part that is equal for all replies of a second is kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._openings: dict[int, bytes] = {}

    def _opening(self, status: int) -> bytes:
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            self._openings.clear()
        opening = self._openings.get(status)
        if opening is None:
            try:
                phrase = HTTPStatus(status).phrase
            except ValueError:
                phrase = "Unassigned"
            opening = self._openings[status] = (
                f"HTTP/1.1 {status} {phrase}\r\nDate: {formatdate(second, usegmt=True)}\r\n"
                "X-Content-Type-Options: nosniff\r\n"
            ).encode("ascii")
        return opening

    def sealed(
        self, status: int, fields: Fields, decision_id: str, length: int | None, *, close: bool, shared: Fields = ()
    ) -> bytes:
        """Return the head of a sealed reply: only allowed fields pass, and `shared`. Raises ValueError for a broken value."""
        passed = [name + b": " + value + b"\r\n" for name, value in fields if name.lower() in ALLOWED]
        passed.extend(name + b": " + value + b"\r\n" for name, value in shared)
        passed.append(b"Content-Security-Policy: sandbox\r\nCache-Control: no-store\r\n")
        return self._join(status, passed, len(passed) + 1, decision_id, length, close=close)

    def own(
        self, status: int, fields: Fields, decision_id: str, length: int | None, *, close: bool, shared: Fields = ()
    ) -> bytes:
        """Return the head of a reply of the gateway itself: all but the door's own fields pass. Raises ValueError."""
        fields += shared
        passed = [name + b": " + value + b"\r\n" for name, value in fields if name.lower() not in _OWN]
        said = {name.lower() for name, _ in fields}
        passed.extend(line for name, line in _REPLACEABLE.items() if name not in said)
        return self._join(status, passed, len(passed), decision_id, length, close=close)

    def switching(self, accept: str, decision_id: str, shared: Fields) -> bytes:
        """Return the head that accepts a WebSocket (RFC 6455 section 4.2.2)."""
        more = b"".join(name + b": " + value + b"\r\n" for name, value in shared)
        return b"%bUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\nLeadglass-Decision-Id: %b\r\n%b\r\n" % (
            self._opening(101), accept.encode("ascii"), decision_id.encode("ascii", "replace"), more,
        )  # fmt: skip

    def _join(
        self, status: int, passed: list[bytes], lines: int, decision_id: str, length: int | None, *, close: bool
    ) -> bytes:
        block = b"".join(passed)
        # One check for all values: no line end but ours (response splitting), no NUL.
        if block.count(b"\n") != lines or block.count(b"\r") != lines or b"\0" in block:
            raise ValueError("a header field of the reply holds a control character")
        if status in _BODILESS:
            framing = b""
        elif length is None:
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = b"Content-Length: %d\r\n" % length
        return b"%bLeadglass-Decision-Id: %b\r\n%b%b%b\r\n" % (
            self._opening(status),
            decision_id.encode("ascii", "replace"),
            block,
            framing,
            b"Connection: close\r\n" if close else b"",
        )
