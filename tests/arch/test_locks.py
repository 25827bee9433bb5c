"""requirements/*.lock: what is shipped is installed from these, each file named by its hash. Written by `make lock`."""

import re
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("agent", "gateway", "build")
ENTRY = re.compile(
    r"([a-z0-9-]+)==([^\s;]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)
AGAIN = "run `make lock`"


def text(name: str) -> str:
    return (ROOT / f"requirements/{name}.lock").read_text(encoding="ascii")


def locked(content: str) -> dict[str, str]:
    return {match[1]: match[2] for match in ENTRY.finditer(content)}


@cache
def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def asked(name: str) -> set[str]:
    """Return what pyproject.toml asks for in the set that a lock is of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        "agent": project["project"]["dependencies"],
        "gateway": project["project"]["dependencies"] + project["project"]["optional-dependencies"]["gateway"],
        "build": project["dependency-groups"]["build"],
    }[name]
    return set(wanted)


def needed(wanted: set[str]) -> set[str]:
    """Return these and all that they need here, by what is installed."""
    found: set[str] = set()
    left = [Requirement(one) for one in wanted]
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        found.add(name)
        extras = one.extras or {""}
        for line in requires(one.name) or ():
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(inner)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_each_line_is_a_version_with_its_hashes_and_no_address(name: str) -> None:
    assert ENTRY.sub("", text(name)) == "", AGAIN


@pytest.mark.parametrize("name", LOCKS)
def test_versions_are_those_of_the_constraints(name: str) -> None:
    assert {one: pinned().get(one) for one in locked(text(name))} == locked(text(name)), AGAIN


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked(name: str) -> None:
    assert {canonicalize_name(Requirement(one).name) for one in asked(name)} - locked(text(name)).keys() == set(), AGAIN


@pytest.mark.parametrize("name", ["agent", "gateway"])
def test_what_that_needs_is_locked_and_nothing_else(name: str) -> None:
    try:
        closure = needed(asked(name))
    except PackageNotFoundError as error:
        pytest.fail(f"{error} is not installed: run `make test`")
    known = locked(text(name)).keys()
    assert closure - known == set(), AGAIN
    assert {one for one in known - closure if not conditional(one, name)} == set(), AGAIN


def conditional(one: str, name: str) -> bool:
    """Return whether a lock has this for some Python or machine only."""
    markers = [match["marker"] for match in ENTRY.finditer(text(name)) if match[1] == one]
    return all(marker is not None and marker != "sys_platform == 'linux'" for marker in markers)


FAULTS = {
    "no hash": "aiohttp==3.14.5\n",
    "a weak hash": "aiohttp==3.14.5 \\\n    --hash=md5:0123\n",
    "an address": "aiohttp @ https://example.org/aiohttp.whl \\\n    --hash=sha256:" + "0" * 64 + "\n",
    "an index": "--index-url https://example.org/simple\n",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_seen(fault: str) -> None:
    assert ENTRY.sub("", text("agent") + fault) == fault


def test_what_is_missing_is_seen() -> None:
    assert "yarl" in needed(asked("agent"))
    assert "sqlalchemy" not in needed(asked("agent"))
