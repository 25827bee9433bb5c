"""Whether a person looks at a reply: a browser navigation, or text/html liked better than a document."""

import re
from typing import Final

_QUALITY: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_DOCUMENTS: Final = frozenset({"application/problem+json", "application/json", "application/dicom+json"})
_RANGES: Final = 32


def wants_page(method: str, mode: str | None, accept: str) -> bool:
    """Return it for a method, the value of Sec-Fetch-Mode (None when absent) and that of Accept."""
    if method != "GET":
        return False
    if mode is not None:
        return mode == "navigate"
    html = other = 0.0
    for item in accept.lower().split(",")[:_RANGES]:
        media, *params = (part.strip() for part in item.split(";"))
        quality = next((_quality(param[2:]) for param in params if param.startswith("q=")), 1.0)
        if media == "text/html":
            html = max(html, quality)
        elif media in _DOCUMENTS:
            other = max(other, quality)
    return html > other


def _quality(text: str) -> float:
    return float(text) if _QUALITY.fullmatch(text) else 0.0
