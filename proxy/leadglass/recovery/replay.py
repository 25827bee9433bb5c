"""What the record tells of since a backup, done again in its store: whoever was shut out since does not come back in.

A line is written before its change is committed, so the lines behind the backup's head are all that its store lacks.
Where they cannot be had (the record is gone, is another, or does not reach back to that head), nobody knows what was
ended since: sessions, enrolment codes and the state of devices are not put back. Revocations that were in no record
here have to be made again by hand.

Only what takes something away is done again. So a copy of the record that somebody changed can shut people out, which
shows, and let nobody in; that a revocation was lifted is left to whoever may lift it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import Connection, create_engine, delete, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.pool import NullPool

from leadglass.audit.chain import first_seq
from leadglass.audit.feed import event_kind, lines
from leadglass.devices.tables import CERTIFICATES, CODES, DEVICES
from leadglass.emergency.tables import EMERGENCY_CODES
from leadglass.hazmat.hashchain import BrokenLine, Link, check
from leadglass.limits import SIGNAL_KEEP_SECONDS
from leadglass.migrations.run import upgrade
from leadglass.migrations.schema import HEAD, pending
from leadglass.model.signals import Whom
from leadglass.observation.tables import OBSERVATION
from leadglass.projects.tables import KEYS, PROJECTS, PSEUDONYMS
from leadglass.recovery.archive import Head
from leadglass.revocation.tables import REVOCATIONS
from leadglass.sessions.tables import BINDINGS, SESSIONS
from leadglass.signals.standing import HARMLESS, Held
from leadglass.signals.tables import STANDING

_NO_POSTURE: Final = dict.fromkeys(("received", "seq", "boot_id", "uptime", "agent", "checks"))
# What would give something back, or stands in no line whole.
_BY_HAND: Final = (  # the ends of such kinds
    "revocation-lifted", "device-enrolled", "emergency-codes-made", "project-created", "-rotated",
)  # fmt: skip

Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An event that changed the store."""

    kind: str
    at: float
    fields: Fields


@dataclass(frozen=True, slots=True)
class Since:
    """What came of it. `known` says whether the record tells all since the backup; counts are by kind of event.

    `again` was done again, `missed` was not and is left to do by hand; `sessions` were not put back.
    """

    known: bool
    again: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    sessions: int = 0


def behind(files: Sequence[Path], head: Head) -> tuple[bool, list[Event]]:
    """Return whether these files of a record hold the line `head`, and what changed the store behind it.

    When they do not, all that did: a record that parted from the backup tells of what the backup does not know. One that
    ends before that line and never parted from it tells of nothing. Raises OSError.
    """
    known, found = _behind(_reaching(files, head.seq), head)
    return (known, found) if known else _behind(files, head)


def _behind(files: Iterable[Path], head: Head) -> tuple[bool, list[Event]]:
    mark, found, known, parted, last = b'{"seq":%d,' % head.seq, list[Event](), False, False, b""
    for last in _lines(files):
        if not known and last.startswith(mark) and (link := _link(last)) is not None:
            known = (link.chain, link.hash) == (head.chain, head.hash)
            if known:
                found = []
                continue
        kind = event_kind(last)
        parted = parted or kind == "restored"
        if (kind in _AGAIN or kind.endswith(_BY_HAND)) and _link(last) is not None:
            document = orjson.loads(last)
            found.append(Event(kind, _seconds(document["timestamp"]), document["fields"]))
    end = _link(last)
    if not known and not parted and end is not None and end.chain == head.chain and end.seq < head.seq:
        found = []
    return known, found


def _lines(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with file.open("rb") as stream:
            yield from lines(stream)


def _reaching(files: Sequence[Path], seq: int) -> Sequence[Path]:
    """Return the files from the one on that line `seq` is in; all, when it is in none."""
    firsts = [first_seq(file) for file in files]
    start = max((at for at, first in enumerate(firsts) if first is not None and first <= seq), default=0)
    return files[start:]


def _link(line: bytes) -> Link | None:
    try:
        return check(line)
    except BrokenLine:
        return None


def again(store: Path, events: Sequence[Event], *, known: bool) -> Since:
    """Do again in a store that nobody has open what the record tells of, and bring it to the present schema.

    Raises DBAPIError, ConfigurationError.
    """
    if pending(store).steps:
        upgrade(store, HEAD)
    done: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    engine = create_engine(f"sqlite:///{store}", poolclass=NullPool, hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(delete(CODES))  # of a quarter of an hour, and good for a device of that time
            ended = 0
            if not known:
                ended = connection.execute(delete(SESSIONS)).rowcount
                connection.execute(update(DEVICES).values(_NO_POSTURE))
            for event in events:
                try:
                    ended += _end(connection, event.fields)
                    could = event.kind in _AGAIN and _AGAIN[event.kind](connection, event)
                except (KeyError, TypeError, ValueError, AttributeError):  # not as this version writes it
                    could = False
                (done if could else missed)[event.kind] += 1
            connection.execute(delete(BINDINGS).where(BINDINGS.c.session.not_in(select(SESSIONS.c.id))))
    finally:
        engine.dispose()
    return Since(known, dict(sorted(done.items())), dict(sorted(missed.items())), ended)


def _end(connection: Connection, said: Fields) -> int:
    """Leave out the session that an event is about: it ended, or its cookie, its glass or its device is another."""
    session = said.get("session")
    name = session.get("id") if isinstance(session, dict) else session
    if not isinstance(name, str):
        return 0
    return connection.execute(delete(SESSIONS).where(SESSIONS.c.id == name)).rowcount


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _revoked(connection: Connection, event: Event) -> bool:
    said, until = event.fields, event.fields["until"]
    row = {name: said[name] for name in ("id", "kind", "value", "reason")}
    times = {"made": _seconds(said["made"]), "until": None if until is None else _seconds(until)}
    connection.execute(insert(REVOCATIONS).values(**row, **times).on_conflict_do_nothing())
    return True


def _device_revoked(connection: Connection, event: Event) -> bool:
    device = event.fields["device"]["id"]
    mine = (DEVICES.c.id == device) & DEVICES.c.revoked.is_(None)
    connection.execute(update(DEVICES).where(mine).values(revoked=event.at, revoked_reason=event.fields["reason"]))
    connection.execute(delete(CERTIFICATES).where(CERTIFICATES.c.device_id == device))
    return True  # one that the store does not know was enrolled since, and is in nobody's way


def _posture(connection: Connection, event: Event) -> bool:
    connection.execute(update(DEVICES).where(DEVICES.c.id == event.fields["device"]["id"]).values(_NO_POSTURE))
    return True


def _code_used(connection: Connection, event: Event) -> bool:
    mine = (EMERGENCY_CODES.c.id == event.fields["code"]) & EMERGENCY_CODES.c.used.is_(None)
    connection.execute(update(EMERGENCY_CODES).where(mine).values(used=event.at, used_by=event.fields["subject"]))
    return True


def _code_withdrawn(connection: Connection, event: Event) -> bool:
    mine = (EMERGENCY_CODES.c.id == event.fields["code"]) & EMERGENCY_CODES.c.withdrawn.is_(None)
    connection.execute(update(EMERGENCY_CODES).where(mine).values(withdrawn=event.at))
    return True


def _signal(connection: Connection, event: Event) -> bool:
    """Keep what a security event said. One that says that all is well again, and changed claims, are missed."""
    said, effect = event.fields, event.fields["effect"]
    if effect == "none":
        return True
    if effect == "claims" or not HARMLESS.isdisjoint(str(one) for one in said["says"].values()):
        return False
    parts = tuple(frozenset((kind, value) for kind, value in part) for part in said["whom"])
    says = {name: said["says"][name] for name in ("principal", "level", "status") if name in said["says"]}
    at = _seconds(said["happened"])
    until = None if effect in {"compliance", "risk"} else at + SIGNAL_KEEP_SECONDS
    held = Held(said["transmitter"], effect, Whom(said["issuer"], parts), at, says, until)
    row = {"at": at, "says": orjson.dumps(says).decode(), "until": until}
    statement = insert(STANDING).values(key=held.key, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row, where=STANDING.c.at <= at))
    return True


def _observed(connection: Connection, event: Event) -> bool:
    """Keep when the gateway first observed: no restore opens another window."""
    began = _seconds(event.fields["observing_since"])
    connection.execute(delete(OBSERVATION).where(OBSERVATION.c.began > began))
    if connection.execute(select(OBSERVATION)).first() is None:
        connection.execute(insert(OBSERVATION).values(began=began))
    return True


def _project_rotated(connection: Connection, event: Event) -> bool:
    """Keep that older keys of a project open nothing. The new one is lost, so the project is closed until it has another."""
    mine = (PROJECTS.c.name == event.fields["project"]) & (PROJECTS.c.generation < int(event.fields["generation"]))
    connection.execute(update(PROJECTS).where(mine).values(generation=int(event.fields["generation"])))
    return True


def _project_closed(connection: Connection, event: Event) -> bool:
    connection.execute(update(PROJECTS).where(PROJECTS.c.name == event.fields["project"]).values(state="closed"))
    return True


def _project_destroyed(connection: Connection, event: Event) -> bool:
    """Take the keys of a project out again: a backup of before its destruction holds them."""
    name = event.fields["project"]
    connection.execute(delete(KEYS).where(KEYS.c.project == name))
    connection.execute(delete(PSEUDONYMS).where(PSEUDONYMS.c.project == name))
    connection.execute(update(PROJECTS).where(PROJECTS.c.name == name).values(state="closed", destroyed=event.at))
    return True


def _session(_connection: Connection, _event: Event) -> bool:
    """Nothing more: it is left out already."""
    return True


_AGAIN: Final[Mapping[str, Callable[[Connection, Event], bool]]] = MappingProxyType(
    {
        "revoked": _revoked,
        "device-revoked": _device_revoked,
        "posture-changed": _posture,
        "emergency-begun": _code_used,
        "emergency-code-withdrawn": _code_withdrawn,
        "signal": _signal,
        "observation-began": _observed,
        "project-rotated": _project_rotated,
        "project-closed": _project_closed,
        "project-key-destroyed": _project_destroyed,
        **dict.fromkeys(
            ("session-ended", "session-stepped-up", "session-device-bound", "glass-taken", "glass-mended"), _session
        ),
    }
)
