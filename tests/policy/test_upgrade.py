"""A site made for the shipped set of before works with that of now, or is told what changed under it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import sources, upgrade
from leadglass.policy.upgrade import changes, remember

RULE = "leadglass/rules/identity/mfa/mfa.rego"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The shipped set, to be changed as the next release might."""
    shutil.copytree(sources.shipped(), tmp_path / "base", ignore=shutil.ignore_patterns("build"))
    return tmp_path / "base"


@pytest.fixture
def site(tmp_path: Path, base: Path) -> Path:
    """A site with a table and a copy of a shipped rule."""
    folder = tmp_path / "site"
    for path in ("data/mfa.yaml", RULE):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base / path, folder / path)
    remember(folder, base)
    return folder


def test_nothing_changed(site: Path, base: Path) -> None:
    assert changes(site, base) == []
    sources.read(site, base)


def test_a_site_of_before_this_was_kept_does_not_say(site: Path, base: Path) -> None:
    (site / "build/shipped.json").unlink()
    assert changes(site, base) is None


def new_schema(base: Path) -> None:
    file = base / "schemas/tables/mfa.json"
    schema = orjson.loads(file.read_bytes())
    schema["properties"]["grace"] = {"type": "integer"}
    schema.setdefault("required", []).append("grace")
    file.write_bytes(orjson.dumps(schema))


def rule_gone(base: Path) -> None:
    (base / RULE).unlink()


def rule_changed(base: Path) -> None:
    (base / RULE).write_text((base / RULE).read_text() + "\n# mended\n")


def table_changed(base: Path) -> None:
    (base / "data/mfa.yaml").write_text((base / "data/mfa.yaml").read_text() + "\n# said better\n")


def table_gone(base: Path) -> None:
    (base / "data/mfa.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "file", "words", "works"),
    [
        (new_schema, "data/mfa.yaml", "its shipped schema changed (new: grace; now required: grace)", False),
        (table_changed, "data/mfa.yaml", "the shipped table changed; yours stays in force", True),
        (table_gone, "data/mfa.yaml", "this table is no longer shipped", True),
        (rule_gone, RULE, "its shipped source is gone", True),
        (rule_changed, RULE, "is a copy of what was shipped before", False),
    ],
)
def test_what_changed_is_told(
    site: Path, base: Path, change: Callable[[Path], None], file: str, words: str, *, works: bool
) -> None:
    change(base)
    told = changes(site, base)
    assert told is not None
    (found,) = told
    assert found.file == file
    assert words in str(found)
    if works:
        sources.read(site, base)
    else:
        with pytest.raises(ConfigurationError):
            sources.read(site, base)
    remember(site, base)
    assert changes(site, base) == []


def test_a_rule_of_the_sites_own_is_nobodys_change(site: Path, base: Path) -> None:
    own = site / "leadglass/rules/identity/own/own.rego"
    own.parent.mkdir(parents=True)
    own.write_text("package leadglass.rules.identity.own\n")
    rule_changed(base)
    assert [change.file for change in changes(site, base) or ()] == [RULE]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1, "schemas": 2}'])
def test_a_stamp_that_cannot_be_read_is_said(site: Path, base: Path, text: str) -> None:
    (site / "build/shipped.json").write_text(text)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        changes(site, base)


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path, base: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write"):
        upgrade.remember(tmp_path / "file", base)
