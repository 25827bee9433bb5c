"""Every shipped rule is whole: rule, test and page, its codes declared, its tables there, nothing left unsaid."""

import re
from pathlib import Path

import pytest

from leadglass.model.reasons import REASONS
from leadglass.policy.sources import PolicySet
from leadglass.policy.yamlfile import YamlFile

POLICIES = Path(__file__).parents[2] / "policies"
RULES = POLICIES / "leadglass" / "rules"
FOLDERS = sorted(path for path in RULES.glob("*/*") if path.is_dir())
AREAS = {"identity", "device", "network", "study", "purpose", "egress"}
KINDS = {"grant", "deny", "oblige", "until", "lease"}

CODE = re.compile(r'"code": "([^"]+)"')
TABLE = re.compile(r"data\.tables\.([a-z0-9_]+)")
HEAD = re.compile(r"^(?:default )?([a-z_]+)\b", re.MULTILINE)
DENIAL = re.compile(r"^deny contains (\{.*?\n?\}+)(?: if |$)", re.MULTILINE | re.DOTALL)
PARAM = re.compile(r"\{([a-z_]+)\}")


def source(folder: Path) -> str:
    return (folder / f"{folder.name}.rego").read_text(encoding="utf-8")


def metadata(text: str) -> dict[str, list[str]]:
    lines = text[text.index("# METADATA\n") :].splitlines()[1:]
    block = [line.removeprefix("# ") for line in lines[: next(i for i, x in enumerate(lines) if not x.startswith("#"))]]
    read = YamlFile("METADATA", "\n".join(block).encode()).value
    assert {"title", "description", "scope", "custom"} <= read.keys()
    custom: dict[str, list[str]] = read["custom"]
    return custom


def denials(text: str) -> list[str]:
    """Return the text of each denial's object: what a rule says no with."""
    return DENIAL.findall(text)


def test_there_are_rules() -> None:
    assert len(FOLDERS) >= 15
    assert {folder.parent.name for folder in FOLDERS} == AREAS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
class TestRule:
    def test_has_rule_test_and_page(self, folder: Path) -> None:
        name = folder.name
        assert {path.name for path in folder.iterdir()} == {f"{name}.rego", f"{name}_test.rego", "README.md"}

    def test_its_package_is_its_folder(self, folder: Path) -> None:
        package = f"package leadglass.rules.{folder.parent.name}.{folder.name}\n"
        assert package in source(folder)
        tested = (folder / f"{folder.name}_test.rego").read_text(encoding="utf-8")
        assert tested.startswith(f"package leadglass.tests.{folder.parent.name}.{folder.name}\n")

    def test_its_metadata_names_its_codes_and_tables(self, folder: Path) -> None:
        text = source(folder)
        said = metadata(text)
        codes = set(CODE.findall("".join(denials(text))))
        assert set(said["codes"]) == codes
        assert set(TABLE.findall(text)) <= set(said["tables"])
        for table in said["tables"]:
            assert (POLICIES / "data" / f"{table}.yaml").is_file()

    def test_its_page_names_its_codes_and_tables(self, folder: Path) -> None:
        page = (folder / "README.md").read_text(encoding="utf-8")
        for code in metadata(source(folder))["codes"]:
            assert f"| `{code}` |" in page
        for table in set(TABLE.findall(source(folder))):
            assert f"data/{table}.yaml" in page
        overview = (POLICIES / "README.md").read_text(encoding="utf-8")
        row = next(line for line in overview.splitlines() if f"[{folder.parent.name}/{folder.name}](" in line)
        for code in metadata(source(folder))["codes"]:
            assert f"`{code}`" in row

    def test_it_says_something_and_nothing_that_nobody_hears(self, folder: Path) -> None:
        names = set(HEAD.findall(source(folder))) - {"package", "import"}
        assert names & KINDS
        # A misspelt set would be silently left out of the decision.
        assert not {name for name in names - KINDS if name.rstrip("s") in KINDS or name in {"denies", "obligations"}}

    def test_it_composes_no_text(self, folder: Path) -> None:
        assert "sprintf" not in source(folder)

    def test_row_denials_are_for_the_record_alone(self, folder: Path, shipped: PolicySet) -> None:
        for denial in denials(source(folder)):
            if '"row":' in denial:
                (code,) = CODE.findall(denial)
                assert shipped.reasons[code].disclose == "log"
                assert shipped.reasons[code].status == REASONS["study-not-visible"].status

    def test_sentences_name_only_what_the_denial_gives(self, folder: Path, shipped: PolicySet) -> None:
        for denial in denials(source(folder)):
            (code,) = CODE.findall(denial)
            reason = shipped.reasons[code]
            for name in PARAM.findall(reason.sentence + reason.fix):
                assert f'"{name}":' in denial


def test_denials_are_found_whole() -> None:
    text = (
        'deny contains {"code": "a"} if {\n\tx\n}\n\n'
        'deny contains {"code": "b", "params": {"k": v}} if x\n\n'
        'deny contains {\n\t"code": "c",\n\t"step_up": {"acr_values": []},\n} if {\n\tx\n}\n\n'
        'deny contains {"code": "d", "params": {\n\t"k": v,\n\t"l": w,\n}} if {\n\tx\n}\n'
    )
    assert [CODE.findall(denial) for denial in denials(text)] == [["a"], ["b"], ["c"], ["d"]]
    assert all(denial.count("{") == denial.count("}") for denial in denials(text))


def test_every_code_is_declared_and_every_declared_code_is_given(shipped: PolicySet) -> None:
    given = {code for folder in FOLDERS for code in CODE.findall("".join(denials(source(folder))))}
    declared = set(shipped.reasons) - set(REASONS)
    assert given <= set(shipped.reasons)
    assert declared <= given


def test_no_data_document_poses_as_a_rule() -> None:
    assert not [path for path in (POLICIES / "leadglass").rglob("*") if path.suffix in {".json", ".yaml", ".yml"}]
