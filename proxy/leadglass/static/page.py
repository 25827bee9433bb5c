"""The first page of a viewer as it leaves: our script before all others, and the policy that goes with the page.

The script must be first, because it stands between the viewer and the network (docs/viewers.md). The policy lets a
viewer run as OHIF does (WebAssembly, workers, `new Function` in its decoders) and reach its own origin alone. Inline
scripts of the page run by their hash; none that something else has written there does.
"""

import base64
import re
from collections.abc import Iterable
from html import escape
from typing import Final

from leadglass.hazmat.mac import sha256
from leadglass.model.errors import ConfigurationError

_HEAD: Final = re.compile(rb"<head(?:\s[^>]*)?>", re.IGNORECASE)
_SCRIPT: Final = re.compile(
    rb"<script(?P<attributes>(?:\s[^>]*)?)>(?P<text>.*?)</script\s*>", re.IGNORECASE | re.DOTALL
)
_SRC: Final = re.compile(rb"\ssrc\s*=", re.IGNORECASE)
# A manifest is fetched without credentials unless the page says otherwise (HTML, section 4.6.8.10).
_MANIFEST: Final = re.compile(rb'<link rel="?manifest"?(?![^>]*crossorigin)', re.IGNORECASE)
_LINKED: Final = re.compile(rb"<(?:script|link)\s[^>]*?(?:src|href)=\"?(/[^\s\">]*)", re.IGNORECASE)


def with_scripts(page: bytes, scripts: Iterable[tuple[str, dict[str, str]]]) -> bytes:
    """Return the page with these scripts (source and data attributes) first in its head. Raises ConfigurationError."""
    head = _HEAD.search(page)
    if head is None:
        raise ConfigurationError("index.html has no <head>", hint="it is not a viewer's first page")
    tags = ""
    for source, data in scripts:
        attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
        tags += f'<script src="{escape(source)}"{attributes}></script>'
    page = page[: head.end()] + tags.encode("ascii") + page[head.end() :]
    return _MANIFEST.sub(rb'<link rel="manifest" crossorigin="use-credentials"', page)


def strays(page: bytes, mount: str) -> list[str]:
    """Return what the page loads by absolute paths outside its mount: it was built for another path."""
    return [path.decode("latin-1") for path in _LINKED.findall(page) if not path.startswith(mount.encode("ascii"))]


def policy(page: bytes, connect: Iterable[str] = ()) -> str:
    """Return the Content-Security-Policy for the page and for all files beside it. `connect`: other origins it may ask."""
    hashes = [
        f"'sha256-{base64.b64encode(sha256(script['text'])).decode('ascii')}'"
        for script in _SCRIPT.finditer(page)
        if _SRC.search(script["attributes"]) is None
    ]
    inline = " ".join(dict.fromkeys(hashes))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' blob: 'wasm-unsafe-eval' 'unsafe-eval' {inline}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            " ".join(("connect-src 'self' data: blob:", *connect)),
            "worker-src 'self' blob:",
            "object-src 'self' blob:",  # encapsulated documents
            "frame-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
