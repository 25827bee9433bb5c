"""What the record tells of since a backup is done again: each kind of line, with the services that write and read them."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from leadglass.audit import records
from leadglass.audit.chain import last_link, segments
from leadglass.audit.writer import Writer
from leadglass.limits import MIB
from leadglass.recovery import replay
from leadglass.recovery.archive import Head
from leadglass.recovery.places import Places
from leadglass.recovery.replay import Since
from support.clock import FakeClock
from support.sites import change, make
from support.stores import FIRST, put_first, rows

AT = "2026-11-28T10:00:00.000000Z"


def head(site: Places) -> Head:
    link = last_link(site.record)
    assert link is not None
    return Head(link.chain, link.seq, link.hash)


@pytest.fixture
def site(tmp_path: Path) -> Places:
    return make(tmp_path / "site")


def write(site: Places, kind: str, /, **fields: Any) -> None:  # noqa: ANN401 - fields of any event
    writer = Writer(site.record, rotate=fields.pop("rotate", MIB), clock=FakeClock())
    writer.append(records.event(kind, fields, FakeClock().now()))
    writer.close()


def again(site: Places, since: Head) -> Since:
    known, events = replay.behind(segments(site.record), since)
    return replay.again(site.store, events, known=known)


def ask(site: Places, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site.store)) as connection:
        return connection.execute(query).fetchall()


def put(site: Places, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(site.store)) as connection, connection:
        connection.execute(statement, values)


REVOKED: dict[str, Any] = {
    "id": "r1",
    "kind": "user",
    "value": "dr.gone",
    "reason": "left",
    "made": AT,
    "until": None,
    "by": {},
}
SIGNAL: dict[str, Any] = {
    "transmitter": "https://idp.example", "event": "session-revoked", "jti": "j", "issuer": "https://idp.example",
    "whom": [[["sub", "dr.gone"]]], "happened": AT, "says": {}, "effect": "ended",
}  # fmt: skip
CODE = "INSERT INTO emergency_codes VALUES ('CODE1', x'00', NULL, 1.0, 9e9, 0, NULL, NULL, NULL)"
DEVICE = "INSERT INTO devices VALUES ('d1', 'n', 'o', 'i', 'os', 'file', '{}', 't', 1.0, NULL, NULL, 5.0, 1, 'b', 1.0, 'a', '{}')"
CERTIFICATE = "INSERT INTO device_certificates VALUES (x'01', 'd1', x'02', 1.0, 2.0)"
SESSION = "INSERT INTO sessions VALUES ('s1', x'01', 1.0, 1.0, 9e9, x'02')"
BINDING = "INSERT INTO session_devices VALUES ('s1', x'01', 'd1', 1.0)"
S1 = {"session": {"id": "s1"}}
PROJECT = "INSERT INTO projects VALUES ('lung', 'Lung', 'basic', 1.0, 'root', 'open', 2, NULL)"
PROJECT_KEY = "INSERT INTO project_keys VALUES ('lung', 2, 1.0, x'00')"
PSEUDONYM = "INSERT INTO project_pseudonyms VALUES ('2.25.1', 'lung', 'uid', 2, x'00')"
LUNG = {"project": "lung"}
STATE = "SELECT state, generation, destroyed IS NOT NULL FROM projects"


@pytest.mark.parametrize(
    ("before", "kind", "fields", "query", "rows"),
    [
        ((), "revoked", REVOKED, "SELECT value, until FROM revocations WHERE id = 'r1'", [("dr.gone", None)]),
        ((), "revoked", {**REVOKED, "until": AT}, "SELECT until - made FROM revocations WHERE id = 'r1'", [(0.0,)]),
        ((DEVICE,), "device-revoked", {"device": {"id": "d1"}, "reason": "lost"},
         "SELECT revoked IS NOT NULL, revoked_reason FROM devices", [(1, "lost")]),
        ((DEVICE, CERTIFICATE), "device-revoked", {"device": {"id": "d1"}, "reason": "lost"},
         "SELECT * FROM device_certificates", []),
        ((DEVICE,), "posture-changed", {"device": {"id": "d1"}}, "SELECT received, checks FROM devices", [(None, None)]),
        ((CODE,), "emergency-begun", {"code": "CODE1", "subject": "Ann", "session": "s2"},
         "SELECT used IS NOT NULL, used_by FROM emergency_codes", [(1, "Ann")]),
        ((CODE,), "emergency-code-withdrawn", {"code": "CODE1"},
         "SELECT withdrawn IS NOT NULL FROM emergency_codes", [(1,)]),
        ((SESSION, BINDING), "session-ended", S1, "SELECT id FROM sessions UNION SELECT session FROM session_devices", []),
        ((SESSION,), "session-stepped-up", S1, "SELECT * FROM sessions", []),
        ((SESSION,), "glass-mended", S1, "SELECT * FROM sessions", []),
        ((), "signal", SIGNAL, "SELECT at IS NOT NULL, until IS NOT NULL FROM signals", [(1, 1)]),
        ((), "observation-began", {"observing_since": AT}, "SELECT count(*) FROM observation WHERE began < 9e9", [(1,)]),
        (("INSERT INTO observation VALUES (9e9)",), "observation-began", {"observing_since": AT},
         "SELECT count(*), max(began) < 9e9 FROM observation", [(1, 1)]),
        (("INSERT INTO observation VALUES (1.0)",), "observation-began", {"observing_since": AT},
         "SELECT began FROM observation", [(1.0,)]),
        ((), "signal", {**SIGNAL, "effect": "none"}, "SELECT * FROM signals", []),
        ((PROJECT,), "project-rotated", {**LUNG, "generation": 3}, STATE, [("open", 3, 0)]),
        ((PROJECT,), "project-rotated", {**LUNG, "generation": 1}, STATE, [("open", 2, 0)]),
        ((PROJECT, PROJECT_KEY), "project-closed", LUNG, STATE, [("closed", 2, 0)]),
        ((PROJECT,), "project-key-destroyed", LUNG, STATE, [("closed", 2, 1)]),
        ((PROJECT, PROJECT_KEY, PSEUDONYM), "project-key-destroyed", LUNG,
         "SELECT project FROM project_keys UNION SELECT project FROM project_pseudonyms", []),
    ],
)  # fmt: skip
def test_it_is_done_again(
    site: Places, before: tuple[str, ...], kind: str, fields: dict[str, Any], query: str, rows: list[tuple[object]]
) -> None:
    for statement in before:
        put(site, statement)
    since = head(site)
    write(site, kind, **fields)
    done = again(site, since)
    assert (done.known, done.again, done.missed) == (True, {kind: 1}, {})
    assert ask(site, query) == rows


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("device-enrolled", {"device": {"id": "d2"}}),
        ("revocation-lifted", {"id": "first"}),
        ("signal", {**SIGNAL, "effect": "risk", "says": {"principal": "USER", "level": "LOW"}}),
        ("signal", {**SIGNAL, "effect": "compliance", "says": {"status": "compliant"}}),
        ("device-ca-rotated", {}),
        ("session-key-rotated", {}),
        ("projects-key-rotated", {}),
        ("project-created", LUNG),
        ("project-rotated", LUNG),
        ("signal", {**SIGNAL, "effect": "claims"}),
        ("revoked", {"id": "r1"}),
        ("revoked", {**REVOKED, "made": "never"}),
        ("signal", {**SIGNAL, "whom": 7}),
    ],
)
def test_what_gives_something_back_or_is_not_told_whole_is_left_to_do(
    site: Places, kind: str, fields: dict[str, Any]
) -> None:
    since = head(site)
    write(site, kind, **fields)
    before = rows(site.store)
    assert again(site, since).missed == {kind: 1}
    assert rows(site.store) == before, "nothing is given back"


def test_a_later_signal_stands(site: Places) -> None:
    since = head(site)
    write(site, "signal", **SIGNAL)
    again(site, since)
    put(site, "UPDATE signals SET at = 9e9")
    again(site, since)
    assert ask(site, "SELECT at FROM signals") == [(9e9,)]


def test_what_is_not_of_since_is_left_alone(site: Places) -> None:
    put(site, SESSION)
    put(site, DEVICE)
    write(site, "session-ended", session={"id": "s1"})
    done = again(site, head(site))
    assert (done.known, done.sessions) == (True, 0)
    assert ask(site, "SELECT id FROM sessions") == [("s1",)]
    assert ask(site, "SELECT received FROM devices") == [(5.0,)]


def test_a_changed_line_counts_for_nothing(site: Places) -> None:
    since = head(site)
    write(site, "revoked", **REVOKED)
    site.record.write_bytes(site.record.read_bytes().replace(b'"dr.gone"', b'"dr.good"'))
    assert again(site, since).again == {}
    assert len(ask(site, "SELECT * FROM revocations")) == 1


def test_only_files_from_the_head_on_are_read(site: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("second", "third"):
        change(site, name)
        write(site, "x", rotate=1)
    since = head(site)
    write(site, "revoked", **REVOKED)
    files = segments(site.record)
    assert len(files) > 2
    read, real = list[Path](), replay._lines

    def lines(some: Iterable[Path]) -> Iterator[bytes]:
        read.extend(some)
        return real(some)

    monkeypatch.setattr(replay, "_lines", lines)
    assert again(site, since).again == {"revoked": 1}
    assert read == files[-1:]


def test_files_that_were_moved_away_are_missed(site: Places) -> None:
    since = head(site)
    write(site, "x", rotate=1)
    write(site, "revoked", **REVOKED)
    segments(site.record)[0].unlink()
    done = again(site, since)
    assert (done.known, done.again) == (False, {"revoked": 1})


def other_chain(site: Places) -> None:
    site.record.unlink()
    for _ in range(3):
        write(site, "restored")
    write(site, "revoked", **REVOKED)


def fork(site: Places) -> None:
    whole = site.record.read_bytes().splitlines(keepends=True)
    site.record.write_bytes(b"".join(whole[:1]))
    write(site, "restored")
    write(site, "revoked", **REVOKED)


def fork_that_is_longer(site: Places) -> None:
    fork(site)
    for _ in range(5):
        write(site, "x")


@pytest.mark.parametrize("parted", [other_chain, fork, fork_that_is_longer])
def test_a_record_that_parted_from_the_backup_is_done_again_whole(
    site: Places, parted: Callable[[Places], None]
) -> None:
    for name in ("second", "third", "fourth"):
        change(site, name)
    since = head(site)
    put(site, SESSION)
    put(site, DEVICE)
    parted(site)
    done = again(site, since)
    assert (done.known, done.sessions) == (False, 1)
    assert ask(site, "SELECT value FROM revocations WHERE id = 'r1'") == [("dr.gone",)]
    assert ask(site, "SELECT received FROM devices") == [(None,)], "what it vouched for is not known to hold"


def test_a_record_that_is_behind_tells_of_nothing_new(site: Places) -> None:
    write(site, "revoked", **REVOKED)
    before = site.record.read_bytes()
    write(site, "revocation-lifted", id="r1")
    since = head(site)
    site.record.write_bytes(before)
    done = again(site, since)
    assert (done.known, done.again) == (False, {})


def test_enrolment_codes_are_void(site: Places) -> None:
    put(site, "INSERT INTO enrolment_codes VALUES ('c', x'00', x'00', 'o', 'i', 9e9, 0)")
    again(site, head(site))
    assert ask(site, "SELECT * FROM enrolment_codes") == []


def test_a_store_of_an_earlier_release_is_brought_to_this_one_first(site: Places) -> None:
    since = head(site)
    write(site, "revoked", **REVOKED)
    site.store.unlink()
    put_first(site.store.parent)
    again(site, since)
    assert len(ask(site, "SELECT * FROM revocations")) == 2
    assert FIRST.exists()
    assert not site.store.with_name("leadglass.db.schema-1").exists(), "the backup itself is the copy"
