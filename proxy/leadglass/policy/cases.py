"""Engine-neutral cases: a question, and what the policy must answer, whichever engine runs it.

Shipped cases run on the shipped tables and a site's on the site's, in process, before a policy set is put in force.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leadglass import limits
from leadglass.model.errors import ConfigurationError
from leadglass.policy import program, tables
from leadglass.policy.engine import NoAnswer, Undefined
from leadglass.policy.schemas import SchemaFault
from leadglass.policy.sources import File, PolicySet
from leadglass.policy.wasm import Program, WasmEngine
from leadglass.policy.yamlfile import YamlFile

Run: TypeAlias = Callable[[bytes, bytes], object]
"""Evaluate an input (JSON) with a data document (JSON). Raises NoAnswer."""

_SHOWN: Final = 500  # characters of an answer in a message


class _Case(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    note: str = Field(min_length=1)
    input: dict[str, Any]
    tables: dict[str, Any] = Field(default_factory=dict)
    want: dict[str, Any] | None = None
    undefined: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One case with the data it runs on. `want` is None when the decision must be undefined."""

    where: str
    note: str
    input: bytes
    data: bytes = field(repr=False)
    want: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that did not come out as it should."""

    case: Case
    problem: str

    def __str__(self) -> str:
        return f"{self.case.where}: {self.case.note}: {self.problem}"


def read(files: PolicySet) -> list[Case]:
    """Return the cases of a set. Raises ConfigurationError with file and line."""
    found = [
        *(case for file in files.cases for case in _file(file, files, files.shipped_tables)),
        *(case for file in files.site_cases for case in _file(file, files, files.tables)),
    ]
    if len(found) > limits.CASES_HELD:
        raise ConfigurationError(f"there are more than {limits.CASES_HELD} cases")
    notes: set[str] = set()
    for case in found:
        if case.note in notes:
            raise ConfigurationError(f"two cases have the note {case.note!r}", where=case.where)
        notes.add(case.note)
    return found


def _file(file: File, files: PolicySet, base: Mapping[str, object]) -> Iterator[Case]:
    document = YamlFile(file.where, file.content)
    listed = document.value.get("cases") if isinstance(document.value, dict) else None
    if not isinstance(listed, list) or len(document.value) != 1:
        raise document.fault((), "must hold `cases:`, a list, and nothing else")
    for index, item in enumerate(listed):
        path = ("cases", index)
        try:
            case = _Case.model_validate(item)
            files.schemas["schemas/input.json"].check(case.input)
            for name, table in case.tables.items():
                files.table_schemas[name].check(table)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise document.fault((*path, *first["loc"]), first["msg"]) from None
        except SchemaFault as fault:
            raise document.fault(path, str(fault)) from None
        except KeyError as error:
            raise document.fault((*path, "tables"), f"there is no table {error}") from None
        if (case.want is None) != case.undefined:
            raise document.fault(path, "needs either `want:` or `undefined: true`")
        yield Case(
            f"{file.where}:{document.line(path)}",
            case.note,
            orjson.dumps(case.input),
            tables.data({**base, **case.tables}),
            case.want,
        )


def run(cases: list[Case], evaluate: Run) -> list[Failure]:
    """Run cases with an engine and return those that failed."""
    failures = []
    for case in cases:
        try:
            said = evaluate(case.input, case.data)
        except NoAnswer as none:
            if case.want is not None:
                failures.append(Failure(case, f"the decision is undefined ({none})"))
            continue
        if (problem := _differs(case, said)) is not None:
            failures.append(Failure(case, problem))
    return failures


def _differs(case: Case, said: object) -> str | None:
    if case.want is None:
        return f"the decision should be undefined and is {_short(said)}"
    if not isinstance(said, dict):
        return f"the decision is {_short(said)}"
    for key, value in case.want.items():
        if key not in said:
            return f"the decision has no {key}"
        if said[key] != value:
            return f"{key} should be {_short(value)} and is {_short(said[key])}"
    return None


def _short(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()[:_SHOWN]


def on_opa(folder: Path, rules: Iterable[str]) -> Run:
    """Return the runner that evaluates with the `opa` program, the rules laid out in `folder`."""
    sources = [argument for path in sorted(rules) for argument in ("--data", path)]
    common = ["eval", "--format", "json", "--strict-builtin-errors", "--input", "input.json", *sources]

    def evaluate(document: bytes, data: bytes) -> object:
        (folder / "input.json").write_bytes(document)
        (folder / "data.json").write_bytes(data)
        ran = program.run([*common, "--data", "data.json", "data.leadglass.decision"], folder)
        if ran.code:
            raise Undefined("opa eval failed")
        results = orjson.loads(ran.out).get("result", [])
        if len(results) != 1:
            raise Undefined(f"the rules gave {len(results)} results")
        value: object = results[0]["expressions"][0]["value"]
        return value

    return evaluate


def on_wasm(compiled: Program) -> Run:
    """Return the runner that evaluates in process."""
    engines: dict[bytes, WasmEngine] = {}

    def evaluate(document: bytes, data: bytes) -> object:
        if data not in engines:
            engines.clear()  # one instance at a time; neighbouring cases mostly share their tables
            engines[data] = WasmEngine(compiled, data)
        return engines[data].evaluate_now(document)

    return evaluate
