"""The journal: before it nothing has happened, after it all will; each step can be taken twice."""

from pathlib import Path

import pytest

from leadglass.audit.chain import take_lock
from leadglass.model.errors import ConfigurationError
from leadglass.recovery import journal
from leadglass.recovery.places import Places
from support.sites import places


@pytest.fixture
def site(tmp_path: Path) -> Places:
    made = places(tmp_path)
    for folder in (made.store.parent, made.record.parent):
        folder.mkdir(parents=True)
    for name in ("store", "session.key"):
        made.path(name).write_text("old")
        made.draft(name).write_text("new")
    return made


def test_what_was_decided_is_finished(site: Places) -> None:
    journal.decide(site, {"store", "session.key"}, [])
    assert journal.finish_interrupted(site)
    assert {site.path(name).read_text() for name in ("store", "session.key")} == {"new"}
    assert not site.journal.exists()
    assert not journal.finish_interrupted(site)


def test_what_was_not_decided_is_swept_away(site: Places) -> None:
    assert not journal.finish_interrupted(site)
    assert {site.path(name).read_text() for name in ("store", "session.key")} == {"old"}
    assert not any(site.draft(name).exists() for name in ("store", "session.key"))


def test_only_drafts_of_ours_are_swept_away(site: Places) -> None:
    ours = [site.draft(name) for name in ("record/key", "record/restored", "record/lines.000000000001")]
    ours += [site.draft("store").with_name(site.draft("store").name + end) for end in ("-wal", "-shm")]
    site.authority.mkdir()
    ours.append(site.draft("device-ca/ca.key"))
    others = [site.store.with_name(".another.db.restore"), site.record.with_name(".syslog.restore"), site.note]
    for path in (*ours, *others):
        path.write_text("x")
    journal.finish_interrupted(site)
    assert [path.name for path in (*ours, *others) if path.exists()] == [path.name for path in others]


def test_what_was_half_done_is_finished(site: Places) -> None:
    journal.decide(site, {"store", "session.key"}, ["session.key"])
    site.draft("store").replace(site.path("store"))
    assert journal.finish_interrupted(site)
    assert site.path("session.key").read_text() == "new"


def test_a_part_that_is_nowhere_is_said(site: Places) -> None:
    journal.decide(site, {"store", "record/key"}, [])
    with pytest.raises(ConfigurationError, match="its part record/key is missing"):
        journal.finish_interrupted(site)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"put": ["../x"], "remove": []}', '{"put": 1, "remove": []}'])
def test_what_is_no_journal_is_said(site: Places, text: str) -> None:
    site.journal.write_text(text)
    with pytest.raises(ConfigurationError, match="no journal of a restore"):
        journal.finish_interrupted(site)
    assert site.path("store").read_text() == "old"


def test_not_while_another_has_the_record(site: Places) -> None:
    held = take_lock(site.record)
    journal.decide(site, {"store"}, [])
    with pytest.raises(ConfigurationError, match="another process"):
        journal.finish_interrupted(site)
    import os

    os.close(held)
    assert journal.finish_interrupted(site)
