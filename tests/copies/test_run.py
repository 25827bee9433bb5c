from pathlib import Path

import pytest

from leadglass.copies import run as module
from leadglass.copies.copier import DRAFT, Copier, Making
from leadglass.copies.found import Found, look
from leadglass.copies.journal import NAME, Binding, Done, Journal
from leadglass.copies.run import Result, cores, run
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Rules
from support.scans import export, scan, written

BINDING = Binding("basic", "d", "K")


@pytest.fixture
def making() -> Making:
    return Making(Rules(load_profiles()["basic"]), bytes(32))


def go(making: Making, folder: Path, *, jobs: int = 1) -> Result:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    told: list[int] = []
    files = look(folder / "in")
    with Journal.open(out, BINDING) as journal:
        result = run(making, files, out, journal, jobs=jobs, progress=told.append)
    assert sum(told) == sum(found.size for found in files)
    return result


def copies(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").rglob("*.dcm")}


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_that_is_dicom_is_copied_and_the_rest_is_told(making: Making, tmp_path: Path, jobs: int) -> None:
    export(tmp_path / "in")
    result = go(making, tmp_path, jobs=jobs)
    assert (result.counts["written"], result.before, len(copies(tmp_path))) == (6, 0, 6)
    assert {left.name: left.code for left in result.left} == {
        "DICOMDIR": "dicomdir", "notes.txt": "document", "report Mustermann.pdf": "pdf",
    }  # fmt: skip
    assert sorted(len(series.copies) for series in result.series.values()) == [3, 3]
    assert result.attributes["00100010"]["replaced"] == 6
    assert all(result.sources[name].is_file() for name in result.sources)


def test_a_second_run_does_only_what_is_new(making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(tmp_path / "in")
    go(making, tmp_path)
    (tmp_path / "in/new").write_bytes(written(scan(9, series=9)))
    seen: list[str] = []
    really = Copier.copy

    def noted(self: Copier, found: Found) -> Done:
        seen.append(found.name)
        return really(self, found)

    monkeypatch.setattr(Copier, "copy", noted)
    result = go(making, tmp_path)
    assert seen == ["new"]
    assert (result.counts["written"], result.before) == (7, 6)


def test_a_run_that_was_killed_goes_on_where_it_was(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(tmp_path / "in")
    really, left = Copier.copy, [3]

    def until_killed(self: Copier, found: Found) -> Done:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return really(self, found)

    with monkeypatch.context() as patched:
        patched.setattr(Copier, "copy", until_killed)
        with pytest.raises(KeyboardInterrupt):
            go(making, tmp_path)
    assert len(copies(tmp_path)) == 3
    (tmp_path / "out" / f"{DRAFT}dead").write_bytes(b"half")
    lines = (tmp_path / "out" / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / "out" / NAME).write_bytes(b"".join(lines[:-1]))  # the last copy was named, its line not written
    result = go(making, tmp_path)
    assert (result.counts["written"], result.counts["double"], result.before) == (6, 0, 2)
    assert not list((tmp_path / "out").glob(f"{DRAFT}*"))
    interrupted = copies(tmp_path)
    export(tmp_path / "whole/in")
    go(making, tmp_path / "whole")
    assert copies(tmp_path / "whole") == interrupted


def test_a_copy_that_is_gone_or_cut_is_made_again(making: Making, tmp_path: Path) -> None:
    export(tmp_path / "in", slices=2, series=1)
    go(making, tmp_path)
    first, second = sorted((tmp_path / "out").rglob("*.dcm"))
    first.unlink()
    second.unlink()
    assert go(making, tmp_path).before == 0
    assert len(copies(tmp_path)) == 2


def test_what_was_refused_is_tried_again(making: Making, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_bytes(written(scan())[:-10])
    assert go(making, tmp_path).counts["refused"] == 1
    again = go(making, tmp_path)
    assert (again.counts["refused"], [left.code for left in again.left]) == (1, ["store-unreadable"])


def test_the_journal_names_no_original(making: Making, tmp_path: Path) -> None:
    export(tmp_path / "in")
    go(making, tmp_path)
    text = (tmp_path / "out" / NAME).read_text()
    assert "Muster" not in text
    assert "IM0001" not in text


def test_cores_are_those_that_we_may_use() -> None:
    assert cores() >= 1
    with pytest.raises(RuntimeError):
        module._one(Found(Path("a"), "a", "dicom"))
