"""Pages hold together: links lead somewhere, and commands, settings and codes that are named exist."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from leadglass.model.reasons import REASONS
from leadglass.model.signals import Event
from support.docs import ROOT, fences, generator, page, pages, prose, rows

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
PROGRAMS = ("leadglass", "leadglass-agent")
ADR = re.compile(r"([0-9]{4})-[a-z0-9-]+\.md")
STATUS = re.compile(r"^Status: (Accepted|Proposed|Superseded by \[[0-9]+\]\([^)]+\))$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them from headings."""
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def dead_links(path: Path, text: str) -> Iterator[str]:
    for link in LINK.findall(prose(text)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(dead_links(path, path.read_text(encoding="utf-8"))) == []


def test_a_dead_link_is_seen() -> None:
    text = "[a](nowhere.md) [b](README.md#no-such-heading) [c](README.md)"
    assert list(dead_links(ROOT / "x.md", text)) == ["nowhere.md", "README.md#no-such-heading"]


@cache
def commands() -> dict[tuple[str, ...], Any]:
    return {words: command for program in PROGRAMS for words, command in generator().verbs(program)}


def faults(line: str) -> Iterator[str]:
    """Yield what is wrong with a command line that a page shows."""
    words = shlex.split(line.partition(" #")[0].partition("|")[0].partition(" < ")[0])
    if words[0] not in PROGRAMS or len(words) == 1:
        return
    depth = next((n for n in range(len(words), 1, -1) if tuple(words[:n]) in commands()), 0)
    if not depth:
        groups = {known[:n] for known in commands() for n in range(1, len(known))}
        if tuple(words) not in groups and words[1] != "--help":
            yield f"no such verb: {line}"
        return
    known = {name for option in commands()[tuple(words[:depth])].params for name in option.opts + option.secondary_opts}
    for word in words[depth:]:
        name = word.partition("=")[0]
        if re.match(r"-{1,2}[a-z]", name) and name not in known | {"--help"}:
            yield f"no such option: {name} in {line}"


def shown(text: str) -> Iterator[str]:
    """Yield the command lines of our programs in a page: between backticks, and in consoles."""
    for span in re.findall(r"`([^`\n]+)`", prose(text)):
        if re.match(r"leadglass(-agent)? [a-z-]", span):
            yield span
    for block in fences(text, "console", "sh", "shell", "bash"):
        for line in block.splitlines():
            command = re.sub(r"^(\$ |# |sudo )*", "", line.strip())
            if re.match(r"leadglass(-agent)? [a-z-]", command):
                yield command


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_shown_is_one(path: Path) -> None:
    lines = shown(path.read_text(encoding="utf-8"))
    assert [fault for line in lines for fault in faults(line.rstrip("\\"))] == []


@pytest.mark.parametrize(
    "line", ["leadglass fly", "leadglass device code --colour red", "leadglass-agent dance", "leadglass audit burn"]
)
def test_a_wrong_command_is_seen(line: str) -> None:
    assert list(faults(line))


def test_right_commands_are_seen() -> None:
    lines = ["leadglass device", "leadglass serve -c x.yaml", "leadglass audit tail -f # comment", "leadglass --help"]
    assert [fault for line in lines for fault in faults(line)] == []
    assert list(shown("`leadglass serve` and\n```console\n$ leadglass fly\n```\n")) == [
        "leadglass serve",
        "leadglass fly",
    ]


SECTIONS = "public_url|listen|metrics|admin|upstreams|identity|time_zone|attributes|policy|audit|networks|limits|store"
SETTING = re.compile(rf"`((?:{SECTIONS})(?:[.\[][a-z_.*\[\]]+))`")
FILES = (".py", ".yaml", ".wasm", ".gz", ".md", ".json", ".rego")


def test_every_setting_named_is_one() -> None:
    paths = {row[0].strip("`") for row in generator().settings_rows()}
    paths |= {path.replace("[].", ".") for path in paths}
    unknown = {}
    for path in pages():
        named = set(SETTING.findall(prose(path.read_text(encoding="utf-8"))))
        if wrong := sorted(name for name in named if not name.endswith(FILES) and name.rstrip(".:") not in paths):
            unknown[str(path.relative_to(ROOT))] = wrong
    assert unknown == {}


def test_every_reason_named_as_a_type_is_one() -> None:
    codes = {*map(str, REASONS), *generator().policy_reasons()}
    for path in pages():
        named = re.findall(r"urn:leadglass:reason:([a-z-]+)", path.read_text(encoding="utf-8"))
        assert set(named) - codes == set(), path


def strange_codes(text: str) -> set[str]:
    """Return what is written like a code, begins like one, and is none, nor a kind of event, of ours or of others."""
    codes = {*map(str, REASONS), *generator().policy_reasons()}
    families = {code.split("-")[0] for code in codes}
    named = {name for name in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", prose(text)) if name.split("-")[0] in families}
    return named - codes - rows(page("docs/record.md")) - set(map(str, Event))


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_code_named_is_one(path: Path) -> None:
    assert strange_codes(path.read_text(encoding="utf-8")) == set()


def test_a_strange_code_is_seen() -> None:
    assert strange_codes("`posture-perfect`, `posture-stale`, `device-enrolled`") == {"posture-perfect"}


def test_statuses_in_the_threat_model_are_those_of_the_reasons() -> None:
    statuses = {str(code): reason.status for code, reason in REASONS.items()}
    statuses |= {code: said["status"] for code, said in generator().policy_reasons().items()}
    named = re.findall(r"`([a-z-]+)` \(([1-5][0-9]{2})\)", page("THREAT_MODEL.md"))
    assert len(named) > 10
    assert [(code, status) for code, status in named if statuses.get(code) != int(status)] == []


def test_every_metric_named_is_one() -> None:
    families = {row[0].strip("`") for row in generator().metric_rows()}
    known = families | {f"{name}_{part}" for name in families for part in ("bucket", "sum", "count")}
    for path in pages():
        named = set(re.findall(r"\b(leadglass_[a-z_]+)\b", path.read_text(encoding="utf-8"))) - {"leadglass_agent"}
        assert named - known == set(), path


NO_THREATS = {"cli", "config", "demo", "model", "telemetry", "codec", "hazmat"}  # parts of the others


def test_every_part_has_its_threats_limits_and_duties() -> None:
    text = page("THREAT_MODEL.md")
    for part in ("Door", "Pipeline", "Identity", "Devices", "Attributes", "Policy", "Obligations", "Upstream", "Record",
                 "Backup, restore and upgrade", "Control side", "Agent", "Loopback door", "Policies folder", "Packaging"):  # fmt: skip
        section = text.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
        assert "**Not stopped.**" in section, part
    for package in sorted((ROOT / "proxy/leadglass").iterdir()):
        services = package.is_dir() and not package.name.startswith("_") and package.name not in NO_THREATS
        assert not services or f"`{package.name}" in text, package.name
    assert text.count("*Operator:*") >= 10


def test_every_test_file_named_in_the_threat_model_exists() -> None:
    named = set(re.findall(r"`((?:tests|policies)/[^`]+)`", page("THREAT_MODEL.md")))
    assert len(named) > 20
    assert [name for name in sorted(named) if not list(ROOT.glob(name))] == []


def test_decision_records_are_numbered_dated_and_listed() -> None:
    folder = ROOT / "docs/adr"
    index = page("docs/adr/README.md")
    numbers = []
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        match = ADR.fullmatch(path.name)
        assert match is not None, path.name
        text = path.read_text(encoding="utf-8")
        numbers.append(int(match[1]))
        assert text.startswith(f"# {numbers[-1]}. "), path.name
        assert re.search(r"^Date: 20[0-9]{2}-[01][0-9]-[0-3][0-9]$", text, re.MULTILINE), path.name
        assert STATUS.search(text), path.name
        assert f"]({path.name})" in index, path.name
    assert numbers == sorted(set(numbers))


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "\n## [Unreleased]\n" in page("CHANGELOG.md")


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", one, maxsplit=1)[0].lower().replace("_", "-") for one in requirements}


def _direct() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = _names([*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["gateway"]])
    return direct.union(*map(_names, project["dependency-groups"].values()))


def test_every_dependency_is_explained_and_no_other() -> None:
    text = page("docs/dependencies.md").lower().replace("_", "-")
    listed = set(re.findall(r"^\| ([a-z0-9.-]+) \|", text.partition("\n## programs\n")[0], re.MULTILINE)) - {"package"}
    assert listed - {"---"} == _direct()
    pinned = _names((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    assert [name for name in sorted(pinned) if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)] == []


def test_a_dependency_is_said_to_be_unused_while_it_is() -> None:
    modules = {"pyjwt": "jwt", "python-ulid": "ulid"}
    code = "\n".join(
        path.read_text(encoding="utf-8") for top in ("proxy", "agent") for path in (ROOT / top).rglob("*.py")
    )
    for name in re.findall(r"^\| ([a-z-]+) \|[^|]*\*\*not used", page("docs/dependencies.md"), re.MULTILINE):
        module = modules.get(name, name.replace("-", "_"))
        assert not re.search(rf"^\s*(from|import) {module}\b", code, re.MULTILINE), name
