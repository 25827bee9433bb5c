"""With the real OPA: rules are formatted, strict, tested, compiled as committed, and what the page says works."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from leadglass.policy import build, cases, check, program, sources
from leadglass.policy.sources import PolicySet
from leadglass.policy.wasm import Program

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(program.find() is None, reason="the opa program is not installed"),
]

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"


def opa(*arguments: str, folder: Path = POLICIES) -> program.Ran:
    return program.run(arguments, folder)


def test_rules_are_formatted() -> None:
    assert opa("fmt", "--list", "leadglass").out == b""


def test_rules_are_strict() -> None:
    ran = opa("check", "--strict", "leadglass")
    assert (ran.code, ran.err) == (0, "")


def test_rego_tests_pass_and_cover_every_line() -> None:
    ran = opa("test", "--coverage", "leadglass")
    assert ran.code == 0, ran.out.decode()[-2000:]
    files = orjson.loads(ran.out)["files"]
    bare = {
        name: lines["not_covered"] for name, lines in files.items() if "_test" not in name and lines.get("not_covered")
    }
    assert bare == {}


def test_the_gate_finds_nothing(shipped: PolicySet) -> None:
    assert [str(finding) for finding in check.check(shipped)] == []


def test_the_compiled_rules_are_up_to_date(shipped: PolicySet) -> None:
    """The same sources give the same bytes, so the committed module can be checked by anyone."""
    module = build.compile_rules(shipped)
    assert module == (POLICIES / "build" / build.MODULE).read_bytes()
    stated = orjson.loads((POLICIES / "build" / build.MANIFEST).read_bytes())
    assert stated == build.manifest(shipped, module)
    assert stated["builtins"] == []


def test_both_engines_answer_every_case_alike(shipped: PolicySet) -> None:
    listed = cases.read(shipped)
    with program.laid_out(shipped.rules) as folder:
        failures = cases.run(listed, cases.on_opa(folder, shipped.rules))
    assert [str(failure) for failure in failures] == []


RULES = sorted(str(path.parent.relative_to(POLICIES)) for path in POLICIES.glob("leadglass/rules/*/*/README.md"))


@pytest.mark.parametrize("folder", RULES)
def test_a_rule_that_is_gone_is_missed(folder: str, shipped: PolicySet, tmp_path: Path) -> None:
    """The cases bite: without any one of the rules, some case comes out otherwise."""
    with program.laid_out(shipped.rules) as laid:
        names = [name for name in sorted(shipped.rules) if not name.startswith(f"{folder}/")]
        ran = opa("build", "-t", "wasm", "-e", "leadglass/decision", "-o", str(tmp_path / "b.tgz"), *names, folder=laid)
        assert ran.code == 0, ran.err
    with tarfile.open(tmp_path / "b.tgz") as bundle:
        member = bundle.extractfile("/policy.wasm")
        assert member is not None
        module = Program(member.read())
    assert cases.run(cases.read(shipped), cases.on_wasm(module))


# --- what stands under `not` ---------------------------------------------------------------------------------------

_COMPARES = {"eq", "equal"}


def hoisted(tree: Any) -> Iterator[int]:  # noqa: ANN401 - the tree that `opa parse` prints
    """Yield the lines where OPA looks a fact up before it negates: an absent fact would undo the whole line.

    Tried in OPA 1.22.2: a reference or call as operand of anything but `==`, and a reference inside another's
    brackets, are evaluated before the `not`.
    """
    if isinstance(tree, list):
        for part in tree:
            yield from hoisted(part)
    elif isinstance(tree, dict):
        if tree.get("negated") and _looks_up_first(tree["terms"]):
            yield tree["location"]["row"]
        for key, part in tree.items():
            if key not in {"location", "annotations", "comments"}:
                yield from hoisted(part)


def _looks_up_first(terms: Any) -> bool:  # noqa: ANN401 - a part of that tree
    if isinstance(terms, dict):  # a bare reference
        return terms["type"] == "call" or (terms["type"] == "ref" and any(map(_refers, terms["value"][1:])))
    name = ".".join(str(part["value"]) for part in terms[0]["value"])
    if name in _COMPARES:
        return any(_looks_up_first(operand) for operand in terms[1:])
    return any(map(_refers, terms[1:]))


def _refers(node: Any) -> bool:  # noqa: ANN401 - a part of that tree
    if isinstance(node, list):
        return any(map(_refers, node))
    if isinstance(node, dict):
        return node.get("type") in {"ref", "call"} or any(_refers(part) for part in node.values())
    return False


def parsed(path: str, folder: Path = POLICIES) -> Any:  # noqa: ANN401 - a tree
    ran = opa("parse", "--format", "json", "--json-include", "locations,-comments", path, folder=folder)
    assert ran.code == 0, ran.err
    return orjson.loads(ran.out)


def test_no_fact_is_looked_up_before_its_negation(shipped: PolicySet) -> None:
    assert {path: lines for path in shipped.rules if (lines := list(hoisted(parsed(path))))} == {}


PLANTED = {
    "a function of a fact": ("not is_number(input.device.age)", True),
    "a fact in a set": ("not input.subject.id in {1}", True),
    "a fact that is compared by size": ("not input.device.age > 3", True),
    "a fact inside brackets": ("not input.a[input.b]", True),
    "a fact inside brackets, compared": ('not input.a[input.b] == "x"', True),
    "a call of a call": ('not "x" in object.keys(input)', True),
    "a bare fact": ("not input.device.age", False),
    "a rule": ("not known", False),
    "a fact that is compared": ('not input.device.status == "pass"', False),
    "a function of a constant": ("not is_number(7)", False),
}


@pytest.mark.parametrize(("line", "seen"), PLANTED.values(), ids=PLANTED.keys())
def test_a_hoisted_fact_is_seen_and_does_undo_its_line(line: str, seen: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a row of the table
    """The lint and OPA agree: where the lint sees nothing, the absent fact makes the negation true."""
    (tmp_path / "x.rego").write_text(f"package x\n\nknown if input.nothing\n\nhit if {line}\n", encoding="utf-8")
    (tmp_path / "input.json").write_text("{}", encoding="utf-8")
    assert bool(list(hoisted(parsed("x.rego", tmp_path)))) is seen
    ran = opa("eval", "-f", "json", "-d", "x.rego", "-i", "input.json", "data.x.hit", folder=tmp_path)
    holds = bool(orjson.loads(ran.out).get("result"))
    if line not in {'not "x" in object.keys(input)', "not is_number(7)"}:  # nothing is absent in these
        assert holds is not seen


# --- the worked example --------------------------------------------------------------------------------------------


def example(page: str) -> dict[str, str]:
    """Return the files of the worked example: each block stands below the paragraph that opens with its path."""
    worked = page[page.index("## A rule from end to end") :]
    return dict(
        re.findall(
            r"^`([a-z_/.]+)`[^\n]*(?:\n[^\n]+)*?\n\n```(?:yaml|json|rego)\n(.*?)^```", worked, re.DOTALL | re.MULTILINE
        )
    )


def test_the_worked_example_works(tmp_path: Path) -> None:
    files = example((ROOT / "docs" / "writing-policies.md").read_text(encoding="utf-8"))
    assert len(files) == 6
    site = tmp_path / "policies"
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text, encoding="utf-8")
    read = sources.read(site)
    assert [str(finding) for finding in check.check(read)] == []
    listed = cases.read(read)
    assert sum("site" in case.where for case in listed) >= 1
    assert [str(one) for one in cases.run(listed, cases.on_wasm(Program(build.compile_rules(read))))] == []
    with program.laid_out(read.rules, read.tests) as folder:
        ran = opa("test", "leadglass", folder=folder)
        assert ran.code == 0, ran.out.decode()[-2000:]
        assert opa("fmt", "--list", "leadglass").out == b""
