from pathlib import Path

import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import sources
from support.policy import FIXTURE, copy

ROLES = b"roles: {reader: [search]}\nlease_seconds: 0\nlease_scope: study\n"
RULE = "leadglass/rules/site/mine/mine.rego"


def site(folder: Path, **files: bytes) -> Path:
    for path, content in files.items():
        file = folder / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder / "site"


def test_a_set_is_its_rules_tables_schemas_reasons_and_cases() -> None:
    files = sources.read(None, FIXTURE)
    assert set(files.rules) == {"leadglass/main.rego", "leadglass/rules/study/onco/onco.rego"}
    assert set(files.tables) == {"roles"}
    assert "oncologist-only" in files.reasons
    assert [Path(case.path).name for case in files.cases] == ["basic.yaml"]


def test_tests_never_take_part(tmp_path: Path) -> None:
    folder = copy(tmp_path)
    (folder / "leadglass/rules/study/onco/onco_test.rego").write_bytes(b"package leadglass.rules.study.onco_test\n")
    plain, tested = sources.read(None, FIXTURE), sources.read(None, folder)
    assert set(tested.tests) == {"leadglass/rules/study/onco/onco_test.rego"}
    assert (tested.rules, tested.source, tested.revision) == (plain.rules, plain.source, plain.revision)


def test_a_sites_tables_replace_and_its_rules_add(tmp_path: Path) -> None:
    above = site(tmp_path, **{"data/roles.yaml": ROLES, RULE: b"package leadglass.rules.site.mine\n"})
    below, both = sources.read(None, FIXTURE), sources.read(above, FIXTURE)
    assert both.tables["roles"] == {"roles": {"reader": ["search"]}, "lease_seconds": 0, "lease_scope": "study"}
    assert both.shipped_tables == below.tables
    assert set(both.rules) == {*below.rules, RULE}
    assert both.source != below.source
    assert both.builds == (above / "build", FIXTURE / "build")


def test_a_table_alone_keeps_the_compiled_rules(tmp_path: Path) -> None:
    below, both = sources.read(None, FIXTURE), sources.read(site(tmp_path, **{"data/roles.yaml": ROLES}), FIXTURE)
    assert both.source == below.source
    assert both.revision != below.revision


def test_the_same_files_have_the_same_revision_wherever_they_lie(tmp_path: Path) -> None:
    assert sources.read(None, copy(tmp_path)).revision == sources.read(None, FIXTURE).revision


CHANGES = {
    "leadglass/main.rego": b"\n# x\n",
    "data/roles.yaml": b"# x\n",
    "data/reasons.yaml": b"# x\n",
    "schemas/input.json": b"\n",
    "leadglass/rules/study/onco/more.rego": b"package leadglass.rules.study.onco\n",
}


@pytest.mark.parametrize("path", CHANGES)
def test_whatever_counts_changes_the_revision(tmp_path: Path, path: str) -> None:
    file = copy(tmp_path) / path
    file.write_bytes((file.read_bytes() if file.exists() else b"") + CHANGES[path])
    assert sources.read(None, tmp_path / "policies").revision != sources.read(None, FIXTURE).revision


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("data/roles.yml", b"", "no place"),
        ("data/roles.json", b"{}", "no place"),
        ("rules/mine.rego", b"", "no place"),
        ("leadglass/rules/site/Mine/mine.rego", b"", "no place"),
        ("mine.rego", b"", "no place"),
        ("policy.wasm", b"", "no place"),
        ("leadglass/main.rego", b"package leadglass\nallow := true\n", "replaces none"),
        ("leadglass/rules/study/onco/onco.rego", b"package x\n", "replaces none"),
        ("schemas/decision.json", b"{}", "replaces none"),
        ("leadglass/other.rego", b"package leadglass\n", "belongs to"),
        ("data/mine.yaml", b"a: 1\n", "no schema"),
        ("data/roles.yaml", b"roles: {}\nroles: {}\n", r"roles\.yaml:2"),
        ("data/roles.yaml", b"roles: {}\nlease_seconds: 5\nlease_scope: forever\n", r"roles\.yaml:3"),
        ("data/reasons.yaml", b"echoed: {status: 403, title: T, sentence: S, fix: F, disclose: log}\n", "already"),
        ("schemas/tables/mine.json", b"{", "not JSON"),
    ],
)
def test_what_a_site_may_not_do(tmp_path: Path, path: str, content: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        sources.read(site(tmp_path, **{path: content}), FIXTURE)


def test_hidden_files_pages_and_builds_are_left_alone(tmp_path: Path) -> None:
    above = site(tmp_path, **{".git/x.rego": b"", "README.md": b"", "data/.x.yaml": b"", "build/policy.wasm": b""})
    assert sources.read(above, FIXTURE).revision == sources.read(None, FIXTURE).revision


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such policy folder"):
        sources.read(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match=r"main\.rego"):
        sources.read(None, site(tmp_path, **{"README.md": b""}))


def test_a_folder_laid_over_itself_is_itself() -> None:
    assert sources.read(FIXTURE, FIXTURE).revision == sources.read(None, FIXTURE).revision
