"""Links in header fields of a reply: Location and Content-Location hold one, Link several (RFC 8288)."""

import re
from collections.abc import Mapping
from typing import Final

from leadglass.model.ports import Links

_SINGLE: Final = ("location", "content-location")
# Parameters are kept but for `anchor`, which would make the link be about something else: such a field does not pass.
_PARAMETER = r"[ \t]*;[ \t]*[A-Za-z0-9*_-]+(?:[ \t]*=[ \t]*(?:\"[^\"\\\\\x00-\x1f\x7f]*\"|[^\s\"\\\\,;<>]+))?"
_ENTRY = re.compile(rf"[ \t]*<([^<>\"]*)>((?:{_PARAMETER})*+)[ \t]*(?:,|\Z)")


def led_fields(headers: Mapping[str, str], links: Links) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields of a reply that hold links, led; what leads elsewhere or cannot be read is left out."""
    led = [
        (name.title().encode(), link.encode("ascii"))
        for name in _SINGLE
        if name in headers and (link := links.lead(headers[name]))
    ]
    if "link" in headers and (entries := _entries(headers["link"], links)):
        led.append((b"Link", ", ".join(entries).encode("ascii")))
    return tuple(led)


def _entries(value: str, links: Links) -> list[str]:
    entries, at = [], 0
    while at < len(value):
        found = _ENTRY.match(value, at)
        if found is None or not value.isascii() or "anchor" in found[2].lower():
            return []
        if (link := links.lead(found[1])) is not None:
            entries.append(f"<{link}>{found[2]}")
        at = found.end()
    return entries
