"""What a file name says: the media type, and whether the name changes with the content."""

import re
from typing import Final

# The types that viewers are made of (IANA; WHATWG for JavaScript). Anything else is bytes, which a browser keeps.
_TYPES: Final = {
    "avif": "image/avif",
    "css": "text/css; charset=utf-8",
    "gif": "image/gif",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "mp4": "video/mp4",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webapp": "application/manifest+json",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "text/xml; charset=utf-8",
}
BYTES: Final = "application/octet-stream"
# A part of 16 hexadecimal digits or more is a digest of the content (webpack writes 20): no version counts that far.
_HASHED: Final = re.compile(r"(?:^|[._-])[0-9a-f]{16,64}(?:[._-])")


def media_type(name: str) -> str:
    """Return the media type of a file by its name."""
    _, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), BYTES) if dot else BYTES


def is_hashed(name: str) -> bool:
    """Return whether the name holds a digest of the content, so that it never stands for another."""
    return _HASHED.search(name) is not None
