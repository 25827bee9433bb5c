from pathlib import Path

import pytest

from leadglass.copies import journal as module
from leadglass.copies.journal import NAME, Binding, Done, Journal, profile_in
from leadglass.model.errors import ConfigurationError

BINDING = Binding("basic", "d" * 64, "K", "")
WRITTEN = Done("S1", "written", "a/b/c.dcm", 10, "a", "b", "CT", shape={"00100010": "replaced"})
REFUSED = Done("S2", "refused", code="deid-unreadable", why="odd length")


def test_what_was_done_is_known_again(tmp_path: Path) -> None:
    with Journal.open(tmp_path, BINDING) as journal:
        journal.put(WRITTEN)
        journal.put(REFUSED)
    with Journal.open(tmp_path, BINDING) as journal:
        assert journal.done == {"S1": WRITTEN, "S2": REFUSED}
        journal.put(Done("S3", "written", "x", shape={"00100010": "replaced"}))
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / NAME).read_text().count("attributes") == 1  # once for all instances that fared alike


def test_a_line_cut_short_is_not_taken(tmp_path: Path) -> None:
    with Journal.open(tmp_path, BINDING) as journal:
        journal.put(WRITTEN)
        journal.put(REFUSED)
    data = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(data[:-5])
    with Journal.open(tmp_path, BINDING) as journal:
        assert journal.done == {"S1": WRITTEN}
        journal.put(REFUSED)
    assert (tmp_path / NAME).read_bytes() == data


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Binding("basic", "e" * 64, "K", ""), r"another profile \(basic\)"),
        (Binding("basic", "d" * 64, "L", ""), "another key"),
        (Binding("basic", "d" * 64, "K", "m"), "another file of masks"),
    ],
)
def test_a_folder_is_of_one_profile_and_one_key(tmp_path: Path, other: Binding, what: str) -> None:
    with Journal.open(tmp_path, BINDING):
        pass
    with pytest.raises(ConfigurationError, match=what), Journal.open(tmp_path, other):
        pass


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with (
        Journal.open(tmp_path, BINDING),
        pytest.raises(ConfigurationError, match="another run writes"),
        Journal.open(tmp_path, BINDING),
    ):
        pass


@pytest.mark.parametrize("text", ["{}\n", "nonsense\n", '{"form":1}\n', '{"form":9,"profile":"basic"}\n', "[]\n"])
def test_what_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ConfigurationError, match=r"cannot be read|another version"), Journal.open(tmp_path, BINDING):
        pass


def test_a_journal_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COPY_JOURNAL_BYTES", 10)
    (tmp_path / NAME).write_text("x" * 20)
    with pytest.raises(ConfigurationError, match="too long"), Journal.open(tmp_path, BINDING):
        pass


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot write"), Journal.open(tmp_path, BINDING):
        pass


def test_the_profile_is_told_without_the_key(tmp_path: Path) -> None:
    assert profile_in(tmp_path) is None
    with Journal.open(tmp_path, BINDING):
        assert profile_in(tmp_path) == "basic"
    (tmp_path / NAME).write_text("[1]\n")
    assert profile_in(tmp_path) is None
