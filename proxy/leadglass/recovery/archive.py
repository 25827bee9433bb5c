"""Writing and reading the sealed file: a tar in a stream, `manifest.json` first.

All is of one moment, in which nobody writes the store: the snapshot, the keys in force, and the head of the record. What
changes the store writes its line first, within its transaction, so the store knows all up to the head and nothing
behind it.
"""

import contextlib
import io
import os
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

import orjson

from leadglass.audit.chain import last_link, last_whole
from leadglass.clock import rfc3339
from leadglass.hazmat.files import read_private, sync_folder
from leadglass.hazmat.hashchain import Link
from leadglass.hazmat.sealedfile import SealedReader, SealedWriter, Unopenable
from leadglass.limits import BACKUP_FLUSH_BYTES, BACKUP_PAUSE_SECONDS, BACKUP_READ_BYTES, MIB
from leadglass.migrations.copy import copy
from leadglass.migrations.schema import pending
from leadglass.model.errors import ConfigurationError
from leadglass.recovery.places import PUBLIC, STORE, Places

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_MANIFEST_BYTES: Final = MIB

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the record stood: the last line of its chain."""

    chain: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `files` are sizes by name; `head` is None before there was any record."""

    made: str
    version: str
    schema: str
    head: Head | None
    files: dict[str, int]
    format: int = FORMAT


def size_of(places: Places, *, record: bool) -> int:
    """Return about how many bytes will be copied and sealed. Raises OSError, ConfigurationError."""
    if not places.store.exists():
        raise ConfigurationError(f"there is no store at {places.store}", hint="start the gateway once")
    lines = sum(path.stat().st_size for path in places.lines().values()) if record else 0
    return 2 * places.store.stat().st_size + lines


def write(
    places: Places, to: Path, passphrase: str, *, now: float, version: str, record: bool, progress: Progress
) -> Manifest:
    """Write a backup to the new file `to` (0600) and return its manifest. The gateway may run.

    `progress` is told how many bytes more are done, and nothing before the gateway may write its store again. Raises
    ConfigurationError, OSError, ValueError for a passphrase that is too short; then there is no `to`.
    """
    schema, turn = _schema(places), places.turn()
    snapshot = places.store.with_name(f".{places.store.name}.backup")
    part = to.with_name(f"{to.name}.part")
    try:
        if places.journal.exists():
            raise ConfigurationError(
                "a restore was interrupted and is not finished", hint="start the gateway, or restore again"
            )
        part.unlink(missing_ok=True)  # of one that was killed
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            with SealedWriter(cast("BinaryIO", _Steady(stream)), passphrase) as sealed:
                head, keys = _snapshot(places, snapshot, progress)
                with _lines(places, whole=record) as lines:
                    sizes = {STORE: snapshot.stat().st_size} | {name: len(data) for name, data in keys.items()}
                    sizes |= {name: size for name, _, size in lines}
                    manifest = Manifest(rfc3339(now), version, schema, head, sizes)
                    _fill(sealed, manifest, keys, snapshot, lines, progress)
            stream.flush()
            os.fsync(stream.fileno())
        if to.exists():
            raise FileExistsError(17, "it exists", str(to))
        part.rename(to)
        with contextlib.suppress(OSError):  # not every file system that backups are put on can do this
            sync_folder(to.parent)
    except sqlite3.Error as error:
        raise ConfigurationError(f"cannot copy the store {places.store}: {error}") from None
    finally:
        snapshot.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        os.close(turn)
    return manifest


def _schema(places: Places) -> str:
    schema = pending(places.store).schema
    if schema is None:
        raise ConfigurationError(f"there is no store at {places.store}", hint="start the gateway once")
    return schema


def _snapshot(places: Places, to: Path, progress: Progress) -> tuple[Head | None, dict[str, bytes]]:
    """Copy the store to `to`; return the head of the record and the keys of its moment. Raises ConfigurationError."""
    link: Link | None = None
    keys: dict[str, bytes] = {}

    def held() -> None:
        nonlocal link
        link = last_link(places.record)
        keys.update(_keys(places))

    copy(places.store, to, progress=progress, held=held, pause=BACKUP_PAUSE_SECONDS)
    return None if link is None else Head(link.chain, link.seq, link.hash), keys


def _keys(places: Places) -> dict[str, bytes]:
    if (places.authority / "next.pem").exists():
        raise ConfigurationError("a rotation of the device CA was interrupted", hint="start the gateway once")
    try:
        return {
            name: path.read_bytes() if name.endswith((".pem", PUBLIC)) else read_private(path)
            for name, path in ((name, places.path(name)) for name in places.keys())  # noqa: SIM118 - no mapping
        }
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {error.filename}: {error.strerror}", hint="run it as the user of the gateway"
        ) from None


@contextmanager
def _lines(places: Places, *, whole: bool) -> Iterator[list[tuple[str, BinaryIO, int]]]:
    """Yield the files of the record when `whole`, open, each with the bytes of it that are whole lines."""
    held: list[tuple[str, BinaryIO, int]] = []
    try:
        while whole:
            files = places.lines()
            held = [(name, path.open("rb"), last_whole(path)[1]) for name, path in files.items()]
            if files == places.lines():  # no rotation meanwhile, or what is open might be one file twice
                break
            for _, stream, _ in held:
                stream.close()
        yield held
    finally:
        for _, stream, _ in held:
            stream.close()


def _fill(
    sealed: SealedWriter,
    manifest: Manifest,
    keys: dict[str, bytes],
    snapshot: Path,
    lines: list[tuple[str, BinaryIO, int]],
    progress: Progress,
) -> None:
    with tarfile.open(fileobj=cast("IO[bytes]", sealed), mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, _MANIFEST, io.BytesIO(orjson.dumps(asdict(manifest))))
        for name, data in keys.items():
            _add(tar, name, io.BytesIO(data))
        with snapshot.open("rb") as store:
            _add(tar, STORE, store, progress)
        for name, file, size in lines:
            _add(tar, name, file, progress, size)


class _Steady:
    """A file that is put on disk as it is written: one large flush at the end would hold up the fsync of others."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._behind = stream, 0

    def write(self, data: bytes) -> int:
        self._behind += self._stream.write(data)
        if self._behind >= BACKUP_FLUSH_BYTES:
            self._stream.flush()
            os.fdatasync(self._stream.fileno())
            self._behind = 0
            time.sleep(BACKUP_PAUSE_SECONDS)  # likewise: the disk is for those who ask the gateway meanwhile
        return len(data)


class _Counted:
    """A stream that tells how much of it was read."""

    def __init__(self, stream: BinaryIO, progress: Progress) -> None:
        self._stream, self._progress = stream, progress

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, BACKUP_READ_BYTES))
        self._progress(len(data))
        return data


def _add(
    tar: tarfile.TarFile, name: str, stream: BinaryIO, progress: Progress = lambda _: None, size: int | None = None
) -> None:
    member = tarfile.TarInfo(name)
    member.size = stream.seek(0, os.SEEK_END) if size is None else size
    member.mode = 0o600
    stream.seek(0)
    tar.addfile(member, cast("IO[bytes]", _Counted(stream, progress)))


@contextmanager
def opened(source: Path, passphrase: str) -> Iterator[tuple[Manifest, Iterator[tuple[str, IO[bytes]]]]]:
    """Open a backup: its manifest, and its files by name, in order and each to be read before the next.

    Nothing of it may be acted on before the iterator has come to its end: only then is the whole known to be authentic.
    Raises Unopenable, OSError.
    """
    with source.open("rb") as stream:
        sealed = SealedReader(stream, passphrase)
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", sealed), mode="r|", bufsize=MIB) as tar:
                yield _manifest(tar), _members(tar, sealed)
        except (tarfile.TarError, EOFError) as error:
            raise Unopenable(f"it holds no backup: {error}") from None


def _manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.name == _MANIFEST else None
    if content is None:
        raise Unopenable("it has no manifest")
    try:
        said: dict[str, Any] = orjson.loads(content.read(_MANIFEST_BYTES))
        if said["format"] != FORMAT:
            raise Unopenable(f"it has the format {said['format']}; this version reads {FORMAT}")
        return Manifest(**{**said, "head": Head(**said["head"]) if said["head"] else None})
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, Unopenable):
            raise
        raise Unopenable("its manifest cannot be read") from None


def _members(tar: tarfile.TarFile, sealed: SealedReader) -> Iterator[tuple[str, IO[bytes]]]:
    while (member := tar.next()) is not None:
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise Unopenable(f"{member.name!r} in it is no file")
        yield member.name, content
    sealed.finish()
