"""`leadglass deid run`: what it says, what it leaves, and with which exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli.main import app
from leadglass.copies.journal import NAME
from support.scans import ACCESSION, BORN, NUMBER, ROOT, export, scan, written

TELLING = ("Mustermann", "nnchen", NUMBER, ACCESSION, BORN, "Waldarzt", "Klinik am Wald", ROOT, "WALDKLINIK")


def run(folder: Path, *more: str, profile: str = "basic") -> Result:
    return CliRunner().invoke(
        app, ["deid", "run", str(folder / "in"), str(folder / "out"), "--profile", profile, "--jobs", "1", *more]
    )


def test_copies_a_report_and_what_to_do_next(tmp_path: Path) -> None:
    export(tmp_path / "in")
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    for said in (
        "6 instances of 2 series and 1 study in", "DICOMDIR: a DICOMDIR, which names patients and files",
        "report Mustermann.pdf: a PDF", "report.html", "leadglass deid verify", "out.key, made now",
    ):  # fmt: skip
        assert said in done.output
    assert (tmp_path / "out.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out/report.html").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_nothing_that_is_left_names_anybody(tmp_path: Path, profile: str) -> None:
    export(tmp_path / "in")
    assert run(tmp_path, profile=profile).exit_code == 0
    for path in (tmp_path / "out").rglob("*"):
        name = str(path.relative_to(tmp_path / "out"))
        data = path.read_bytes() if path.is_file() else b""
        for value in TELLING:
            assert value not in name
            assert value.encode("latin-1") not in data


def test_again_does_nothing_twice(tmp_path: Path) -> None:
    export(tmp_path / "in")
    run(tmp_path)
    again = run(tmp_path)
    assert "6 of them of an earlier run" in again.output
    assert "made now" not in again.output


def test_a_file_that_has_no_copy_is_a_no(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    (tmp_path / "in/cut.dcm").write_bytes(written(scan(7))[:-20])
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "cut.dcm: it cannot be read to its end, so nobody can say whom it names" in done.output


def test_json_names_all(tmp_path: Path) -> None:
    export(tmp_path / "in")
    done = json.loads(run(tmp_path, "--json").stdout)
    assert (done["written"], len(done["left"]), len(done["series"])) == (6, 3, 2)
    assert done["attributes"]["00100010"] == {"replaced": 6}


def test_pictures_of_originals_only_for_who_asks_and_not_beside_the_copies(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    assert run(tmp_path, "--before", str(tmp_path / "look.html")).exit_code == 0
    assert "Not for passing on" in (tmp_path / "look.html").read_text()
    assert (tmp_path / "look.html").read_text().count("data:image/jpeg") == 2
    assert (tmp_path / "look.html").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out/report.html").read_text().count("data:image/jpeg") == 1
    refused = run(tmp_path, "--before", str(tmp_path / "out/look.html"))
    assert refused.exit_code == 2
    assert "would travel with the copies" in refused.stderr


@pytest.mark.parametrize(("inner", "outer"), [("in", "in"), ("in", "in/out"), ("all/in", "all")])
def test_copies_and_originals_do_not_lie_in_each_other(tmp_path: Path, inner: str, outer: str) -> None:
    export(tmp_path / inner, slices=1, series=1)
    done = CliRunner().invoke(app, ["deid", "run", str(tmp_path / inner), str(tmp_path / outer), "--profile", "basic"])
    assert done.exit_code == 2
    assert "lie in each other" in done.stderr


def test_a_folder_with_other_things_is_not_taken(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    done = run(tmp_path)
    assert (done.exit_code, "holds other files" in done.stderr) == (2, True)


def test_a_folder_is_of_one_profile_and_one_key(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    run(tmp_path)
    assert "another profile (basic)" in run(tmp_path, profile="research").stderr
    other = run(tmp_path, "--key", str(tmp_path / "other.key"))
    assert (other.exit_code, "another key" in other.stderr) == (3, True)


def test_the_same_key_makes_the_same_copies(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=1, series=1)
    run(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")}
    moved = CliRunner().invoke(
        app, ["deid", "run", str(tmp_path / "in"), str(tmp_path / "two"), "--profile", "basic", "--key", str(tmp_path / "out.key")]
    )  # fmt: skip
    assert moved.exit_code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").rglob("*.dcm")} == before


def test_masks_are_taken_and_bind_the_folder(tmp_path: Path) -> None:
    (tmp_path / "masks.yaml").write_text(
        "version: 1\nmasks:\n- {manufacturer: Maker, model: 'Scanner 5', columns: 32, rows: 32,"
        " remove: [{left: 0, top: 0, width: 32, height: 8}]}\n"
    )
    export(tmp_path / "in", slices=1, series=1)
    assert run(tmp_path, "--masks", str(tmp_path / "masks.yaml")).exit_code == 0
    from pydicom import dcmread

    (copy,) = (tmp_path / "out").rglob("*.dcm")
    assert not any(dcmread(copy).PixelData[: 32 * 8 * 2])
    assert any(dcmread(copy).PixelData[32 * 8 * 2 :])
    assert "another file of masks" in run(tmp_path).stderr


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    gone = run(tmp_path)
    assert (gone.exit_code, "there is no" in gone.stderr) == (3, True)
    assert not (tmp_path / "out" / NAME).exists()
    export(tmp_path / "in", slices=1, series=1)
    assert "there is no profile nothing" in run(tmp_path, profile="nothing").stderr
    (tmp_path / "bad.key").write_text("x")
    (tmp_path / "bad.key").chmod(0o600)
    assert run(tmp_path, "--key", str(tmp_path / "bad.key")).exit_code == 3
