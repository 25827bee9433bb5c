"""gzip (RFC 1952) within bounds: a reply that is opened to be judged must not be a bomb. Sans-io."""

import zlib

_GZIP = 16 + zlib.MAX_WBITS


class InflateError(ValueError):
    """Not one whole gzip member, or more than the limit."""


def inflate(data: bytes, limit: int) -> bytes:
    """Return the content of exactly one gzip member, at most `limit` bytes. Raises InflateError."""
    inflator = zlib.decompressobj(_GZIP)
    try:
        content = inflator.decompress(data, limit + 1)
    except zlib.error as error:
        raise InflateError("not gzip") from error
    if len(content) > limit:
        raise InflateError("inflates beyond the limit")
    if not inflator.eof or inflator.unused_data:
        raise InflateError("truncated, or bytes after the end")
    return content
