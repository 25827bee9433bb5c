"""The host builtins: vectors of our own here, OPA's own conformance cases where its module is."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from leadglass.policy import program
from leadglass.policy.builtins import BUILTINS
from leadglass.policy.engine import Undefined
from leadglass.policy.wasm import ENTRYPOINT, Program, WasmEngine
from support.policy import engine

NS = 1_000_000_000

VECTORS: list[tuple[str, list[Any], Any]] = [
    ("sprintf", ["%s %d %v", ["a", 7, True]], "a 7 true"),
    ("sprintf", ["%s", [123456789123456789123]], "123456789123456789123"),
    ("sprintf", ["%5.1f|%-4d|%04d|%x|%q", [3.14159, 7, 42, 255, 'a"b\n']], '  3.1|7   |0042|ff|"a\\"b\\n"'),
    ("sprintf", ["%v", [[1, "two", None, {"k": [True]}]]], '[1, "two", null, {"k": [true]}]'),
    ("sprintf", ["%d", ["x"]], "%!d(string=x)"),
    ("sprintf", ["%d", []], "%!d(MISSING)"),
    ("sprintf", ["a", [1, "b"]], "a%!(EXTRA int64=1, string=b)"),
    ("sprintf", ["100%%", []], "100%"),
    ("sprintf-set", ["%v", [2, 1]], "{1, 2}"),
    ("sprintf-set", ["%v", []], "set()"),
    ("crypto.sha256", ["abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("crypto.sha256", ["é\0"], "6133f2d2dc6cad8dbbfc80f0fb587d3e61469954c82d906cce85239e4c6c8bbd"),
    ("semver.compare", ["1.0.0-alpha", "1.0.0-alpha.1"], -1),
    ("semver.compare", ["1.0.0-alpha.1", "1.0.0-alpha.beta"], -1),
    ("semver.compare", ["1.0.0-rc.1", "1.0.0"], -1),
    ("semver.compare", ["1.10.0", "1.9.0"], 1),
    ("semver.compare", ["1.0.0+a", "1.0.0+b"], 0),
    ("semver.is_valid", ["1.0.0-01"], False),
    ("semver.is_valid", ["1.0.0-0a"], True),
    ("semver.is_valid", ["v1.0.0"], False),
    ("semver.is_valid", [1], False),
    ("net.cidr_is_valid", ["10.0.0.0/8"], True),
    ("net.cidr_is_valid", ["fc00::/7"], True),
    ("net.cidr_is_valid", ["10.0.0.0"], False),
    ("net.cidr_is_valid", ["10.0.0.0/33"], False),
    ("strings.any_prefix_match", ["C50.1", ["D0", "C5"]], True),
    ("strings.any_prefix_match", [["x", "y"], ["z"]], False),
    ("strings.any_suffix_match", ["a.dcm", [".dcm", ".ima"]], True),
    ("strings.count", ["banana", "an"], 2),
    ("time.parse_rfc3339_ns", ["1970-01-01T00:00:01Z"], NS),
    ("time.parse_rfc3339_ns", ["1970-01-01T01:00:01.5+01:00"], NS + NS // 2),
    ("time.parse_rfc3339_ns", ["2026-11-23T18:00:00.123456789Z"], 1795456800123456789),
    ("time.date", [0], [1970, 1, 1]),
    ("time.date", [-1], [1969, 12, 31]),
    ("time.clock", [[1795456800 * NS, "Europe/Berlin"]], [19, 0, 0]),
    ("time.weekday", [1795456800 * NS], "Monday"),
]

FAILING: list[tuple[str, list[Any]]] = [
    ("sprintf", ["%s", "not an array"]),
    ("sprintf", [1, []]),
    ("sprintf", ["%U", [1]]),
    ("crypto.sha256", [1]),
    ("semver.compare", ["1.0", "1.0.0"]),
    ("strings.any_prefix_match", [1, ["a"]]),
    ("strings.count", ["a", 1]),
    ("time.parse_rfc3339_ns", ["yesterday"]),
    ("time.parse_rfc3339_ns", ["2026-02-30T00:00:00Z"]),
    ("time.parse_rfc3339_ns", ["2500-01-01T00:00:00Z"]),
    ("time.clock", [[0, "Nowhere/Else"]]),
    ("time.clock", [[0, "../../etc/passwd"]]),
    ("time.date", [True]),
    ("time.date", [1e30]),
    ("time.weekday", ["Monday"]),
]


def called(name: str, args: list[Any]) -> object:
    """Call a builtin through the rules of the fixture."""
    document = {"subject": {"claims": {"name": name, "args": args}}, "context": {"purpose": "call"}}
    return engine().evaluate_now(json.dumps(document).encode())  # not orjson, which has no large integers


@pytest.mark.parametrize(("name", "args", "want"), VECTORS, ids=lambda value: str(value)[:40])
def test_a_builtin_gives_what_opa_gives(name: str, args: list[Any], want: object) -> None:
    assert called(name, args) == want


@pytest.mark.parametrize(("name", "args"), FAILING, ids=lambda value: str(value)[:40])
def test_a_builtin_that_fails_ends_the_evaluation(name: str, args: list[Any]) -> None:
    with pytest.raises(Undefined):
        called(name, args)


FOLDERS = {
    "cryptosha256": "crypto.sha256",
    "netcidrisvalid": "net.cidr_is_valid",
    "semvercompare": "semver.compare",
    "semverisvalid": "semver.is_valid",
    "sprintf": "sprintf",
    "strings": "strings.",
    "time": "time.",
}


def conformance() -> Iterator[Any]:
    """Yield OPA's own cases for our builtins, from the Go module cache."""
    cache = Path.home() / "go/pkg/mod/github.com/open-policy-agent"
    for root in sorted(cache.glob("opa@v1.*/v1/test/cases/testdata/v1"))[-1:]:
        for folder, prefix in FOLDERS.items():
            for file in sorted((root / folder).glob("*.yaml")):
                for case in YAML(typ="safe").load(file.read_text())["cases"]:
                    text = "".join(case.get("modules", []))
                    ours = [name for name in BUILTINS if name.startswith(prefix) and f"{name}(" in text]
                    if ours and case["query"].startswith("data.") and " = x" in case["query"]:
                        yield pytest.param(case, id=case["note"])


def compiled(case: dict[str, Any], entry: str) -> bytes | None:
    """Compile a case's modules with our entry point; None for one that OPA itself will not compile."""
    modules = {f"m{index}.rego": text.encode() for index, text in enumerate(case["modules"])}
    main = f"package leadglass\n\ndecision := {entry}\n".encode()
    with program.laid_out({**modules, "main.rego": main}) as folder:
        ran = program.run(["build", "-t", "wasm", "-e", ENTRYPOINT, "-o", "b.tar.gz", "."], folder)
        if ran.code:
            return None
        with tarfile.open(folder / "b.tar.gz") as bundle, TemporaryDirectory():
            member = bundle.extractfile("/policy.wasm")
            assert member is not None
            return member.read()


@pytest.mark.system
@pytest.mark.parametrize("case", [*conformance()])
def test_opas_own_case(case: dict[str, Any]) -> None:
    module = compiled(case, case["query"].partition(" = x")[0])
    if module is None:
        assert "want_error" in case or "want_error_code" in case
        return
    document = case.get("input", json.loads(case["input_term"]) if "input_term" in case else {})
    asked = WasmEngine(Program(module), b'{"tables":{}}')
    try:
        said = asked.evaluate_now(orjson.dumps(document))
    except Undefined:
        # Ours are strict: a failing builtin ends the evaluation, where OPA's default leaves it undefined.
        assert "want_error" in case or "want_error_code" in case or case.get("want_result") == []
        return
    assert "want_error" not in case or not case.get("strict_error")
    want = case["want_result"][0]["x"]
    if case.get("sort_bindings") or isinstance(want, list):
        said, want = sorted(said, key=str), sorted(want, key=str)  # type: ignore[call-overload]  # sets come as lists
    assert said == want


@pytest.mark.system
def test_opas_own_cases_are_there() -> None:
    """A check that proves nothing must not pass in silence."""
    assert len([*conformance()]) > 40
