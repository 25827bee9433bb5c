import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from leadglass.copies import copier as module
from leadglass.copies.copier import Copier, Making
from leadglass.copies.found import Found, look
from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Rules
from leadglass.hazmat.pseudonym import is_made
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from support.scans import NAME, NUMBER, scan, written

KEY = bytes(range(32))


@cache
def making(profile: str = "basic") -> Making:
    return Making(Rules(load_profiles()[profile]), KEY)


def found(folder: Path, data: bytes | None = None, name: str = "Mustermann.dcm", **changes: Any) -> Found:  # noqa: ANN401 - of attributes
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(written(scan(**changes)) if data is None else data)
    return next(one for one in look(folder) if one.name == name)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_a_copy_is_named_for_what_is_in_it(tmp_path: Path, out: Path) -> None:
    done = Copier(making(), out).copy(found(tmp_path / "in"))
    assert done.status == "written"
    copy = dcmread(out / done.out)
    assert done.out == f"{copy.StudyInstanceUID}/{copy.SeriesInstanceUID}/{copy.SOPInstanceUID}.dcm"
    assert all(map(is_made, done.out.removesuffix(".dcm").split("/")))
    assert (done.study, done.series, done.modality) == (copy.StudyInstanceUID, copy.SeriesInstanceUID, "CT")
    assert NAME not in str(copy)
    assert done.shape["00100010"] == "replaced"
    assert copy.PixelData == scan().PixelData


def test_only_we_can_read_it_and_nothing_else_is_left(tmp_path: Path, out: Path) -> None:
    done = Copier(making(), out).copy(found(tmp_path / "in"))
    assert (out / done.out).stat().st_mode & 0o777 == 0o600
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in out.rglob("*") if folder.is_dir())
    assert [path for path in out.rglob("*") if path.is_file()] == [out / done.out]


def test_a_source_is_known_without_being_named(tmp_path: Path, out: Path) -> None:
    one = Copier(making(), out)
    first = one.source(found(tmp_path / "in"))
    assert first == Copier(making(), out).source(found(tmp_path / "in")) or len(first) == 16
    assert first != one.source(found(tmp_path / "in", name="other.dcm"))
    assert "Muster" not in first


def test_the_same_file_twice_has_one_copy(tmp_path: Path, out: Path) -> None:
    copier = Copier(making(), out)
    assert copier.copy(found(tmp_path / "in")).status == "written"
    again = copier.copy(found(tmp_path / "in", name="again"))
    assert (again.status, len(list(out.rglob("*.dcm")))) == ("double", 1)


def test_another_file_with_the_same_uid_is_kept_back(tmp_path: Path, out: Path) -> None:
    copier = Copier(making(), out)
    first = copier.copy(found(tmp_path / "in"))
    before = (out / first.out).read_bytes()
    other = copier.copy(found(tmp_path / "in", name="other", InstanceNumber=99))
    assert (other.status, other.code) == ("refused", "same-uid")
    assert (out / first.out).read_bytes() == before


def test_dates_move_alike_for_all_of_a_patient(tmp_path: Path, out: Path) -> None:
    copier = Copier(making("research"), out)
    dates = []
    for number in (1, 2):
        done = copier.copy(found(tmp_path / "in", written(scan(number)), name=f"{number}"))
        dates.append(str(dcmread(out / done.out).StudyDate))
    assert dates[0] == dates[1]
    assert dates[0] != scan().StudyDate


@pytest.mark.parametrize("cut", [100, 400, -10])
def test_what_cannot_be_read_to_its_end_has_no_copy(tmp_path: Path, out: Path, cut: int) -> None:
    data = written(scan())[:cut]
    done = Copier(making(), out).copy(found(tmp_path / "in", data))
    assert (done.status, done.code) == ("refused", "store-unreadable")
    assert list(out.iterdir()) == []


def test_pixels_at_risk_have_no_copy(tmp_path: Path, out: Path) -> None:
    def never(_: Header) -> PixelFilter | None:
        raise refuse(Code.PIXELS_AT_RISK, why="it is a document")

    done = Copier(Making(making().rules, KEY, never), out).copy(found(tmp_path / "in"))
    assert (done.code, done.why) == ("pixels-at-risk", "it is a document")
    assert list(out.iterdir()) == []


def test_a_fault_gives_no_copy_and_quotes_nothing(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError(NUMBER)

    monkeypatch.setattr(module, "changes", fail)
    done = Copier(making(), out).copy(found(tmp_path / "in"))
    assert (done.status, done.code, done.why) == ("refused", "internal-fault", "ValueError")
    assert list(out.rglob("*.dcm")) == []
    assert [path for path in out.iterdir() if path.is_file()] == []


def test_a_file_that_went_away_is_told(tmp_path: Path, out: Path) -> None:
    gone = found(tmp_path / "in")
    gone.path.unlink()
    assert Copier(making(), out).copy(gone).code == "unreadable"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Copier(making(), tmp_path / "nowhere").copy(found(tmp_path / "in"))


def test_names_are_given_where_links_cannot_be_made(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    copier = Copier(making(), out)
    assert copier.copy(found(tmp_path / "in")).status == "written"
    assert copier.copy(found(tmp_path / "in", name="again")).status == "double"
