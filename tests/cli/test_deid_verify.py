"""`leadglass deid verify`: what it finds, and with which exit code."""

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner, Result

from leadglass.cli.main import app
from support.scans import export


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    export(tmp_path / "in")
    done = CliRunner().invoke(
        app, ["deid", "run", str(tmp_path / "in"), str(tmp_path / "out"), "--profile", "research", "--jobs", "1"]
    )
    assert done.exit_code == 0, done.output
    return tmp_path


def verify(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["deid", "verify", str(folder), *more])


def test_our_copies_have_no_survivors(copied: Path) -> None:
    for more in ([], ["--against", str(copied / "in")], ["--profile", "research"]):
        done = verify(copied / "out", *more)
        assert done.exit_code == 0, done.output
        assert "6 files looked at by the profile research: no survivors" in done.output


def test_originals_are_full_of_them(copied: Path) -> None:
    done = verify(copied / "in", "--profile", "basic")
    assert done.exit_code == 1
    for said in (
        "(0010,0010) PatientName: it is no pseudonym", "DICOMDIR: file: a DICOMDIR", "a private attribute",
        "(0002,0016) SourceApplicationEntityTitle", "(0012,0062) PatientIdentityRemoved",
    ):  # fmt: skip
        assert said in done.output
    assert "Waldarzt" not in done.output


def test_a_value_slipped_in_is_found_with_its_file(copied: Path) -> None:
    file = next((copied / "out").rglob("*.dcm"))
    read = dcmread(file)
    read.ImageComments = "spoke to mustermann"
    read.save_as(file)
    assert verify(copied / "out").exit_code == 0  # nothing in the words alone says so
    done = verify(copied / "out", "--against", str(copied / "in"))
    assert done.exit_code == 1
    assert f"{file.name}: anywhere in the file: a value of an original: Patient's Name" in done.output


def test_json_has_every_finding(copied: Path) -> None:
    file = next((copied / "out").rglob("*.dcm"))
    file.rename(file.with_name("Dr. Waldarzt.dcm"))
    done = verify(copied / "out", "--json")
    (found,) = json.loads(done.stdout)["findings"]
    assert (done.exit_code, found["code"], found["why"]) == (1, "name", "it looks like it holds a name with a title")


def test_nothing_to_look_at_is_no_proof(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert verify(tmp_path / "out").exit_code == 3
    assert verify(tmp_path / "nowhere").exit_code == 3
