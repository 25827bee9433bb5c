"""The static mounts of a configuration: what each answers to a permitted request for one of its files.

Four things a mount answers are made when it is listed and kept: `index.html` with our script in it, `app-config.js`,
the script, and nothing else; all other files are read when they are asked for. The page answers navigations to any path
without a file, because a viewer's pages are paths that only the viewer knows.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, TypeAlias

from leadglass.codec import control
from leadglass.hazmat.mac import sha256
from leadglass.limits import STATIC_CHUNK_BYTES, STATIC_INDEX_BYTES, STATIC_WHOLE_BYTES
from leadglass.model.errors import ConfigurationError, Cut, refuse
from leadglass.model.permit import FileReply, Permit
from leadglass.model.reasons import Code
from leadglass.static.appconfig import Root, app_config
from leadglass.static.folder import INDEX, Changed, Listed, check, listing, open_listed, read_whole
from leadglass.static.media import is_hashed, media_type
from leadglass.static.page import policy, with_scripts

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]

VIEWER: Final = "leadglass-viewer.js"
CONFIG: Final = "app-config.js"
LOCAL: Final = "app-config.local.js"
_DEVICE: Final = control.PREFIX + "v1/device.js"
_NOT_MODIFIED: Final = 304
# Every file is judged anew, but a name that holds a digest need not be fetched again within a year (RFC 8246).
_FOREVER: Final = (b"Cache-Control", b"private, max-age=31536000, immutable")
_ASK: Final = (b"Cache-Control", b"private, no-cache")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says about the file it wants: path in the mount, and its header fields.

    `page` says that a person looks; `etags` is the value of If-None-Match.
    """

    path: str
    page: bool = False
    gzip: bool = False
    etags: str | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file that is made here and stays in memory."""

    content: bytes
    etag: str


class Mount:
    """One mount. `roots` are those of all archives, the first of which the viewer opens by itself."""

    def __init__(self, mount: str, folder: Path, *, roots: Sequence[Root], connect: Iterable[str] = ()) -> None:
        base = mount.rstrip("/")
        self._files = dict(listing(folder))
        page = _read(self._files.pop(INDEX), folder)
        scripts = [
            (f"{base}/{VIEWER}", {"roots": " ".join(path for root in roots for path in (root.dicomweb, root.wado))})
        ]
        if control.match(_DEVICE, "GET") is not None:
            scripts.append((_DEVICE, {}))
        page = with_scripts(page, scripts)
        config = app_config(mount, roots)
        if LOCAL in self._files:
            config += b"\n" + _read(self._files[LOCAL], folder)
        script = resources.files("leadglass.static").joinpath("assets/viewer.js").read_bytes()
        self._kept = {INDEX: _kept(page), CONFIG: _kept(config), VIEWER: _kept(script)}
        self._fields: Fields = (
            (b"Content-Security-Policy", policy(page, connect).encode("ascii")),
            (b"Cross-Origin-Opener-Policy", b"same-origin"),
            (b"Cross-Origin-Embedder-Policy", b"require-corp"),
            (b"Cross-Origin-Resource-Policy", b"same-origin"),
            (b"Referrer-Policy", b"same-origin"),
        )

    async def open(self, wanted: Wanted) -> FileReply:
        """Answer. Raises Refusal `file-unknown`."""
        name = wanted.path or INDEX
        kept, listed = self._kept.get(name), self._files.get(name)
        if kept is None and listed is None and wanted.page and "." not in name.rpartition("/")[2]:
            name, kept = INDEX, self._kept[INDEX]
        if kept is not None:
            return self._reply(name, wanted, kept.etag, kept.content, len(kept.content))
        if listed is None:
            raise refuse(Code.FILE_UNKNOWN)
        packed = self._files.get(f"{name}.gz")
        if packed is None:
            return await self._stream(name, wanted, listed)
        vary: Fields = ((b"Vary", b"Accept-Encoding"),)
        if not wanted.gzip:
            return await self._stream(name, wanted, listed, vary)
        return await self._stream(name, wanted, packed, (*vary, (b"Content-Encoding", b"gzip")))

    async def _stream(self, name: str, wanted: Wanted, listed: Listed, more: Fields = ()) -> FileReply:
        body: bytes | AsyncIterator[bytes]
        try:
            if listed.size <= STATIC_WHOLE_BYTES:
                body = await asyncio.to_thread(read_whole, listed)
            else:
                await asyncio.to_thread(check, listed)
                body = _chunks(listed)
        except Changed:
            raise refuse(Code.FILE_UNKNOWN, "changed since it was listed") from None
        return self._reply(name, wanted, listed.etag, body, listed.size, more)

    def _reply(
        self, name: str, wanted: Wanted, etag: str, body: bytes | AsyncIterator[bytes], size: int, more: Fields = ()
    ) -> FileReply:
        quoted = f'"{etag}"'
        fields = (
            *self._fields, *more,
            _FOREVER if is_hashed(name.rpartition("/")[2]) else _ASK,
            (b"ETag", quoted.encode("ascii")),
        )  # fmt: skip
        if wanted.etags is not None and _matches(wanted.etags, quoted):
            return FileReply(_NOT_MODIFIED, fields, b"", 0)
        return FileReply(200, (*fields, (b"Content-Type", media_type(name).encode("ascii"))), body, size)


class Mounts:
    """All mounts of a configuration."""

    def __init__(self, mounts: Mapping[str, Mount]) -> None:
        self._mounts = mounts

    async def open(self, permit: Permit, wanted: Wanted) -> FileReply:
        """Answer a request that policy has let through to one of the mounts. Raises Refusal `file-unknown`."""
        mount = permit.resource.mount
        if mount is None:
            raise refuse(Code.FILE_UNKNOWN, "the permit is for no mount")
        return await self._mounts[mount].open(wanted)


def _read(listed: Listed, folder: Path) -> bytes:
    """Return a file that is kept. Raises ConfigurationError."""
    if listed.size > STATIC_INDEX_BYTES:
        raise ConfigurationError(f"{listed.real} has more than {STATIC_INDEX_BYTES} bytes")
    try:
        return read_whole(listed)
    except Changed:
        raise ConfigurationError(f"{folder} changed while it was read", hint="reload again") from None


def _kept(content: bytes) -> _Kept:
    return _Kept(content, sha256(content).hex()[:32])


def _matches(value: str, etag: str) -> bool:
    """Return whether If-None-Match names this validator (RFC 9110 section 13.1.2: compared weakly)."""
    named = {one.strip().removeprefix("W/") for one in value.split(",")}
    return etag in named or value.strip() == "*"


async def _chunks(listed: Listed) -> AsyncIterator[bytes]:
    try:
        descriptor = await asyncio.to_thread(open_listed, listed)
    except Changed:
        raise Cut(Code.FILE_UNKNOWN, "changed since it was listed") from None
    try:
        left = listed.size
        while left:
            piece = await asyncio.to_thread(os.read, descriptor, min(left, STATIC_CHUNK_BYTES))
            if not piece:
                raise Cut(Code.FILE_UNKNOWN, "shorter than it was listed")
            left -= len(piece)
            yield piece
    finally:
        os.close(descriptor)
