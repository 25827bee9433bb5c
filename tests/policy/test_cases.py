from pathlib import Path

import pytest
from ruamel.yaml import YAML

from leadglass.model.errors import ConfigurationError
from leadglass.policy import cases, program, sources
from support.policy import FIXTURE, copy
from support.policy import program as compiled

BASIC = FIXTURE / "cases/basic.yaml"


def changed(folder: Path, text: str) -> sources.PolicySet:
    """Return the fixture with its cases replaced by `text`."""
    target = copy(folder)
    (target / "cases/basic.yaml").write_text(text)
    return sources.read(None, target)


def with_first(folder: Path, **fields: object) -> sources.PolicySet:
    """Return the fixture with its first case alone, some fields of it replaced."""
    first = {**YAML(typ="safe").load(BASIC.read_text())["cases"][0], **fields}
    target = copy(folder)
    kept = {key: value for key, value in first.items() if value is not None}
    with (target / "cases/basic.yaml").open("w") as file:
        YAML(typ="safe").dump({"cases": [kept]}, file)
    return sources.read(None, target)


def failures(files: sources.PolicySet) -> list[str]:
    return [str(one) for one in cases.run(cases.read(files), cases.on_wasm(compiled()))]


def test_the_fixtures_cases_pass() -> None:
    assert failures(sources.read(None, FIXTURE)) == []


def test_a_case_that_fails_is_named(tmp_path: Path) -> None:
    (said,) = failures(with_first(tmp_path, want={"allow": False}))
    assert "a reader reads" in said
    assert "allow should be false and is true" in said


def test_a_want_for_what_is_not_there_fails(tmp_path: Path) -> None:
    (said,) = failures(with_first(tmp_path, want={"permit": True}))
    assert "no permit" in said


def test_undefined_is_asked_for_by_name(tmp_path: Path) -> None:
    (said,) = failures(with_first(tmp_path, want=None, undefined=True))
    assert "should be undefined" in said


def test_a_case_may_bring_its_tables(tmp_path: Path) -> None:
    none = {"roles": {}, "lease_seconds": 0, "lease_scope": "study"}
    assert failures(with_first(tmp_path, tables={"roles": none}, want={"allow": False})) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"want": None}, "either"),
        ({"undefined": True}, "either"),
        ({"tables": {"gone": {}}}, "no table"),
        ({"tables": {"roles": {}}}, "roles"),
        ({"input": {}}, "subject"),
        ({"wish": 1}, "wish"),
        ({"note": ""}, "note"),
    ],
    ids=str,
)
def test_a_faulty_case_is_an_error(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        cases.read(with_first(tmp_path, **fields))


@pytest.mark.parametrize("text", ["[]", "cases: {}", "cases: []\nmore: 1\n"])
def test_a_faulty_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="cases"):
        cases.read(changed(tmp_path, text))


def test_a_note_stands_once(tmp_path: Path) -> None:
    target = copy(tmp_path)
    (target / "cases/again.yaml").write_bytes(BASIC.read_bytes())
    with pytest.raises(ConfigurationError, match="two cases"):
        cases.read(sources.read(None, target))


def test_shipped_cases_run_on_shipped_tables_and_site_cases_on_the_sites(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "data").mkdir(parents=True)
    (site / "cases").mkdir()
    (site / "data/roles.yaml").write_text("roles: {}\nlease_seconds: 0\nlease_scope: study\n")
    (site / "cases/site.yaml").write_text(BASIC.read_text().replace("note: ", "note: site, "))
    found = cases.read(sources.read(site, FIXTURE))
    assert {case.data for case in found if not case.note.startswith("site")} != {
        case.data for case in found if case.note.startswith("site")
    }


@pytest.mark.system
def test_both_engines_agree_on_the_fixtures_cases() -> None:
    files = sources.read(None, FIXTURE)
    with program.laid_out(files.rules) as folder:
        assert cases.run(cases.read(files), cases.on_opa(folder, files.rules)) == []
