"""`leadglass deid`: what a profile does, in words and in JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import deid as module
from leadglass.clock import SystemClock
from support.gateway import idp_key, write_site


def run(*words: str) -> Result:
    return CliRunner().invoke(module.app, list(words))


def test_a_profile_is_explained_in_words() -> None:
    result = run("explain", "research")
    assert result.exit_code == 0, result.output
    assert "research: Research with moved dates" in result.output
    assert "(0010,0010)" in result.output
    assert "becomes a pseudonym" in result.output
    assert "Rows" not in result.output.split()
    assert "--all lists them" in result.output


def test_all_of_it_is_listed_when_asked() -> None:
    result = run("explain", "basic", "--all")
    assert "(0028,0010)" in result.output
    assert "--all" not in result.output


def test_one_attribute_is_one_line() -> None:
    result = run("explain", "basic", "--attribute", "StudyDate")
    assert result.output == "(0008,0020) Study Date is emptied (Table E.1-1: Z)\n"


def test_scripts_get_every_attribute() -> None:
    document = json.loads(run("explain", "basic", "--json").stdout)
    assert (document["profile"], document["conformant"]) == ("basic", True)
    acts = {line["tag"]: line["act"] for line in document["attributes"]}
    assert acts["(0010,0020)"] == "identifier"
    assert acts["(0028,0010)"] == "keep"


def test_a_file_and_a_folder_of_the_site_are_read(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("title: Ours\nconformant: false\nattributes: {PatientSex: keep}\n")
    for words in ((str(tmp_path / "ours.yaml"),), ("ours", "--profiles", str(tmp_path))):
        result = run("explain", *words)
        assert result.exit_code == 0, result.output
        assert "not conformant" in result.output


def test_the_folder_is_that_of_the_configuration(tmp_path: Path) -> None:
    file = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), SystemClock().now())
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/ours.yaml").write_text("title: Ours\n")
    with file.open("a") as text:
        text.write("deid: {profiles: profiles}\n")
    result = run("explain", "ours", "-c", str(file), "--attribute", "StudyDate")
    assert result.output == "(0008,0020) Study Date is emptied (Table E.1-1: Z)\n"
    result = run("explain", "ours", "-c", str(tmp_path / "none.yaml"))
    assert result.exit_code == 3
    assert "none.yaml" in result.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("none",), 1, "there is no profile none"),
        (("none.yaml",), 3, "cannot read none.yaml"),
        (("basic", "--attribute", "Foo"), 1, "the dictionary has no Foo"),
        (("basic", "--profiles", "none"), 3, "cannot read none"),
    ],
)
def test_what_is_not_there_is_said(words: tuple[str, ...], code: int, said: str) -> None:
    result = run("explain", *words)
    assert result.exit_code == code
    assert said in result.output


def test_a_fault_of_a_profile_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("title: Ours\nattributes:\n  PatientSex: keep\n")
    result = run("explain", str(tmp_path / "ours.yaml"))
    assert result.exit_code == 3
    assert "ours.yaml:3: attributes.PatientSex" in result.output
