"""Putting a backup back: all of it or nothing, never over something newer unless that is said with its reason."""

import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson
from sqlalchemy.exc import DBAPIError

from leadglass.audit.chain import last_link, last_whole, take_lock
from leadglass.clock import rfc3339
from leadglass.hazmat.sealedfile import Unopenable
from leadglass.limits import BACKUP_READ_BYTES
from leadglass.migrations.schema import HEAD, STEPS
from leadglass.model.errors import ConfigurationError
from leadglass.recovery import archive, journal, replay
from leadglass.recovery.archive import Head, Manifest, Progress
from leadglass.recovery.places import LINES, PUBLIC, STORE, Places
from leadglass.recovery.replay import Since
from leadglass.store import locked

_NOTE: Final = "record/restored"


class Older(Exception):
    """What stands here is newer than the backup, or may be. The message says why."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `since` is what the record tells of that is later than the backup's store.

    `standing` is where the record ends that the gateway goes on with; `record` says whether that came out of the backup.
    """

    manifest: Manifest
    standing: Head | None
    record: bool
    since: Since


def restore(
    places: Places, source: Path, passphrase: str, *, now: float, older: str | None, progress: Progress
) -> Restored:
    """Put the backup `source` in place of what stands. `older` is why, when what stands may be newer.

    Raises Older, Unopenable, ValueError for a passphrase that is too short, OSError, ConfigurationError; then
    everything is as it was.
    """
    held = [take_lock(places.record)]
    try:
        places.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held.append(locked(places.store))
        held.append(places.turn())
        journal.finish(places)
        return _restore(places, source, passphrase, now=now, older=older, progress=progress)
    finally:
        for lock in held:
            os.close(lock)


def _restore(
    places: Places, source: Path, passphrase: str, *, now: float, older: str | None, progress: Progress
) -> Restored:
    try:
        with archive.opened(source, passphrase) as (manifest, files):
            standing = _judged(places, manifest, older)
            put = _drafts(places, manifest, files, record=not places.lines(), progress=progress)
        lines = [places.draft(name) for name in manifest.files if name in put and name.startswith(LINES)]
        since = _since(places, manifest.head, lines or list(places.lines().values()), record=bool(lines))
        _merge_public(places, put)
        done = Restored(manifest, standing or _end_of(lines), bool(lines), since)
        note = {
            "made": manifest.made, "head": manifest.head, "standing": done.standing, "record": done.record,
            "older": older, **asdict(since), "at": rfc3339(now), "by": _by(),
        }  # fmt: skip
        _put(places.draft(_NOTE), orjson.dumps(note))
        # Keys of the record stay whatever happens: the record that stands is proven by them.
        stale = [name for name in places.keys() if name not in put and not name.startswith("record/")]  # noqa: SIM118 - no mapping
        journal.decide(places, {*put, _NOTE}, stale)
    except BaseException:
        if not places.journal.exists():
            journal.finish(places)  # nothing was decided: the drafts go
        raise
    journal.finish(places)
    return done


def _end_of(lines: list[Path]) -> Head | None:
    """Return the last line in files of a record."""
    for file in reversed(lines):
        if (link := last_whole(file)[0]) is not None:
            return Head(link.chain, link.seq, link.hash)
    return None


def _since(places: Places, head: Head | None, files: list[Path], *, record: bool) -> Since:
    """Do again in the draft of the store what the record tells of. Raises ConfigurationError, OSError."""
    known, events = (False, []) if head is None else replay.behind(files, head)
    try:  # a record out of the backup ends with it: what came after it, on another machine, nobody knows
        return replay.again(places.draft(STORE), events, known=known and not record)
    except DBAPIError as error:
        raise ConfigurationError(f"cannot bring the store of the backup up to date: {error.orig}") from None


def _judged(places: Places, manifest: Manifest, older: str | None) -> Head | None:
    """Return where the record stands here. Raises ConfigurationError, Older."""
    if manifest.schema not in STEPS:
        raise ConfigurationError(
            f"the backup has schema {manifest.schema}, this version reads up to {HEAD}",
            hint=f"restore it with leadglass {manifest.version} or newer",
        )
    link = last_link(places.record)
    standing = None if link is None else Head(link.chain, link.seq, link.hash)
    why = _newer(places, manifest, standing)
    if why is not None and older is None:
        raise Older(why)
    return standing


def _by() -> dict[str, Any]:
    uid = os.getuid()
    try:
        return {"uid": uid, "user": pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {"uid": uid, "user": str(uid)}


def _newer(places: Places, manifest: Manifest, standing: Head | None) -> str | None:
    """Return why what stands may be newer than the backup; None when it is not."""
    head = manifest.head
    if standing is None:
        return "a store or keys stand here, and no record that tells how old they are" if places.standing() else None
    if head is None or head.chain != standing.chain:
        return f"the record that stands here is of the chain {standing.chain}, which the backup does not know"
    if standing.seq > head.seq:
        return (
            f"the backup is of {manifest.made} and line {head.seq} of the record; "
            f"the record that stands here goes on to line {standing.seq}"
        )
    if standing.seq == head.seq and standing.hash != head.hash:
        return f"line {head.seq} of the record that stands here is another one than the backup knows"
    return None


def _drafts(
    places: Places,
    manifest: Manifest,
    files: Iterator[tuple[str, IO[bytes]]],
    *,
    record: bool,
    progress: Progress,
) -> set[str]:
    """Write every file of the backup as a draft and return their names. Raises Unopenable, OSError."""
    put: set[str] = set()
    for name, content in files:
        try:
            draft = places.draft(name)
        except ValueError as error:
            raise Unopenable(str(error)) from None
        if name not in manifest.files or name in put or name == _NOTE:
            raise Unopenable(f"it holds {name!r}, which its manifest does not name")
        if name.startswith(LINES) and not record:
            continue  # a record that stands is evidence, and stays
        draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _put(draft, content, progress)
        put.add(name)
    missing = {name for name in manifest.files if record or not name.startswith(LINES)} - put
    if missing or STORE not in put:
        raise Unopenable(f"it does not hold {', '.join(sorted(missing) or [STORE])}")
    return put


def _put(draft: Path, content: bytes | IO[bytes], progress: Callable[[int], None] = lambda _: None) -> None:
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            while data := content.read(BACKUP_READ_BYTES):
                stream.write(data)
                progress(len(data))
        stream.flush()
        os.fsync(stream.fileno())


def _merge_public(places: Places, put: set[str]) -> None:
    """Keep the public keys that stand here beside those of the backup: heads that they signed stay provable."""
    here, draft = places.path(PUBLIC), places.draft(PUBLIC)
    if PUBLIC not in put or not here.exists():
        return
    known, also = here.read_bytes(), draft.read_bytes()
    if also not in known:
        known = also if known in also else known + also
    _put(draft, known)
