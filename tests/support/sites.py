"""What a gateway leaves on disk, made in milliseconds: a store, keys and a record, to back up and to restore over."""

import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from leadglass.audit import records
from leadglass.audit.chain import beside
from leadglass.audit.writer import Writer
from leadglass.clock import rfc3339
from leadglass.hazmat import backup
from leadglass.hazmat.aead import load_or_make_box
from leadglass.hazmat.assertion import AssertionKeys
from leadglass.hazmat.authority import load_or_make_authority
from leadglass.hazmat.hashchain import HeadKey
from leadglass.limits import MIB
from leadglass.migrations.run import migrate
from leadglass.recovery import archive
from leadglass.recovery.archive import Manifest
from leadglass.recovery.places import Places
from leadglass.recovery.restore import restore
from support.clock import FakeClock
from support.stores import rows

PASSPHRASE = "correct horse battery"
State = tuple[object, ...]


def cheap() -> None:
    """Derive keys at a cost that tests can pay."""
    vars(backup)["_COST"] = {"n": 2, "r": 8, "p": 1}


def places(folder: Path) -> Places:
    return Places(folder / "var/leadglass.db", folder / "log/decisions.jsonl")


def make(folder: Path) -> Places:
    """Make a site with one revocation in its store and one line in its record."""
    made = places(folder)
    made.store.parent.mkdir(mode=0o700, parents=True)
    made.record.parent.mkdir(mode=0o700, parents=True)
    made.store.touch(mode=0o600)
    migrate(made.store)
    with closing(sqlite3.connect(made.store)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # as a gateway does
    load_or_make_authority(made.authority, FakeClock().now())
    load_or_make_box(made.store.parent / "session.key")
    load_or_make_box(made.store.parent / "projects.key")
    AssertionKeys.make(made.store.parent / "assertion.key", FakeClock().now())
    HeadKey.load_or_make(beside(made.record, "key"), beside(made.record, "pub"))
    change(made, "first")
    return made


def change(site: Places, name: str, kind: str = "revoked") -> None:
    """Change the store, and write it down, as a gateway does."""
    with closing(sqlite3.connect(site.store)) as connection, connection:
        connection.execute("INSERT INTO revocations VALUES (?, 'user', ?, 'why', 1.0, NULL)", (name, name))
    writer = Writer(site.record, rotate=MIB, clock=FakeClock())
    at = rfc3339(1.0)
    said = {"id": name, "kind": "user", "value": name, "reason": "why", "made": at, "until": None}
    writer.append(records.event(kind, said, FakeClock().now()))
    writer.close()


def back_up(site: Places, to: Path, *, record: bool = False) -> Manifest:
    return archive.write(
        site, to, PASSPHRASE, now=FakeClock().now(), version="0.1.0", record=record, progress=lambda _: None
    )


def put_back(site: Places, source: Path, older: str | None = None, passphrase: str = PASSPHRASE) -> object:
    return restore(site, source, passphrase, now=FakeClock().now(), older=older, progress=lambda _: None)


def state(site: Places) -> State:
    """Return what a restore puts in place: all rows, and all keys."""
    keys = {name: site.path(name).read_bytes() for name in site.keys()}  # noqa: SIM118 - no mapping
    return rows(site.store), keys


@cache
def _template() -> Path:
    """A site, a backup of what it will be, and the site as it was: another CA, and less in its store."""
    cheap()
    folder = Path(mkdtemp(prefix="leadglass-test-"))
    make(folder / "later")
    shutil.copytree(folder / "later", folder / "site")
    change(places(folder / "later"), "second")
    back_up(places(folder / "later"), folder / "backup")
    shutil.rmtree(folder / "site/var/device-ca")
    load_or_make_authority(places(folder / "site").authority, FakeClock().now())
    (folder / "site/var/session.key").unlink()
    load_or_make_box(folder / "site/var/session.key")
    return folder


def prepare(folder: Path) -> None:
    """Put a site and a later backup of it into a folder."""
    shutil.copytree(_template(), folder, dirs_exist_ok=True)


def act(folder: Path) -> None:
    """Restore the backup over the site."""
    put_back(places(folder / "site"), folder / "backup")
