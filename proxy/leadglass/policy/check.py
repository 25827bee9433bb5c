"""The gate of `policy check` and `policy build`: rules that would be unsound in this gateway, found in their syntax.

- No builtin that answers differently tomorrow or reaches outside: decisions are replayed, and made without a network.
- No call that can fail under `not`, and none that OPA's WebAssembly silently leaves undefined behind a rule that
  denies, obliges or limits: a failure would satisfy the negation, or make the denial vanish.
- No call under `not` on a fact that may be absent: Rego then leaves the whole expression undefined, and what it stood
  for vanishes. (`not f(input.x)` is not true when there is no x; `not input.x == 1` is.)
- No lease of scope `study` where a rule reads series, instance or frames: the lease would answer for all of them.
- A rule that reads a time or an age says with `until` when its answer may change.
- A file's package is its folder, so that no rule poses as another.

What a rule reads through helpers of its own or of `leadglass.lib` counts as read by it. Works on the tree that
`opa parse` prints; a compiled policy carries the version of this gate in its manifest.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from leadglass.model.errors import ConfigurationError
from leadglass.policy import program
from leadglass.policy.builtins import BUILTINS
from leadglass.policy.sources import PolicySet

VERSION: Final = 2  # counts up when the gate becomes stricter

_BANNED: Final = ("time.now_ns", "rand.", "uuid.", "http.send", "net.lookup_ip_addr", "opa.runtime", "trace")
# What OPA compiles in and can fail on values of the right type (of all builtins of OPA 1.22.2 that ask nothing of the host).
_SILENT: Final = frozenset(
    {
        *("to_number", "json.unmarshal", "json.filter", "json.remove", "base64.decode", "base64url.decode"),
        *("net.cidr_contains", "net.cidr_intersects", "net.cidr_overlap", "numbers.range", "substring", "indexof"),
        *("regex.match", "re_match", "regex.find_all_string_submatch_n", "glob.match", "strings.replace_n"),
        *("div", "rem", "bits.lsh", "bits.rsh", "format_int"),
    }
)
# Which operand of these can be wrong, and which constants are right.
_SOUND: Final[Mapping[str, tuple[int, Callable[[Any], bool]]]] = {
    **dict.fromkeys(("regex.match", "re_match", "regex.find_all_string_submatch_n", "glob.match"), (0, bool)),
    **dict.fromkeys(("div", "rem"), (1, bool)),
    **dict.fromkeys(("bits.lsh", "bits.rsh", "substring"), (1, lambda offset: offset >= 0)),
    "format_int": (1, lambda base: base in {2, 8, 10, 16}),
    "indexof": (1, bool),
}
_NEVER_FAIL: Final = frozenset({"sprintf", "crypto.sha256", "semver.is_valid", "net.cidr_is_valid", "strings.count"})
_TOTAL: Final = frozenset({"eq", "equal"})  # comparisons that an absent operand makes false, not undefined
_INSTANCE: Final = frozenset({"series_uid", "instance_uid", "frames"})
_TIME: Final = frozenset({"hour", "weekday", "posture_age_seconds", "auth_time", "auth_age_seconds", "consent"})
_BINDING: Final = frozenset({"deny", "oblige", "until", "lease"})
_SECTIONS: Final = {"resource": _INSTANCE, "context": _TIME, "device": _TIME, "subject": _TIME}
_RULES: Final = "leadglass.rules."
_TYPES: Final = frozenset({"is_null", "is_object"})  # of a section: they read nothing in it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps a rule out: the file, its line, and what is wrong."""

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


@dataclass
class _Rule:
    """What one rule (all its definitions of one name) says and reads."""

    file: str
    line: int
    calls: list[tuple[str, bool, int]] = field(default_factory=list)  # silent or failing builtin, under `not`, line
    reads: set[str] = field(default_factory=set)
    uses: set[tuple[str, str]] = field(default_factory=set)
    negates: list[tuple[tuple[str, str], int]] = field(default_factory=list)
    sections: set[int] = field(
        default_factory=set
    )  # references to a section of the input of which nothing more is read


@dataclass
class _Module:
    file: str
    package: str
    imports: dict[str, str]
    schema: Mapping[str, Any]
    rules: dict[str, _Rule] = field(default_factory=dict)


def check(files: PolicySet) -> list[Finding]:
    """Return what is wrong with the rules of a set. Raises ConfigurationError when they cannot be parsed."""
    findings: list[Finding] = []
    modules: list[_Module] = []
    schema = files.schemas["schemas/input.json"].document
    with program.laid_out(files.rules) as folder:
        for path in files.rules:
            ran = program.run(["parse", "--format", "json", "--json-include", "locations,-comments", path], folder)
            if ran.code:
                first = (orjson.loads(ran.err).get("errors") or [{}])[0] if ran.err.startswith("{") else {}
                where = f"{path}:{first.get('location', {}).get('row', 1)}"
                raise ConfigurationError(f"is not Rego: {first.get('message', ran.err)}", where=where)
            modules.append(_read(path, orjson.loads(ran.out), schema, findings))
    rules: dict[tuple[str, str], _Rule] = {}
    for module in modules:
        for name, rule in module.rules.items():
            rules[module.package, name] = rule
    for module in modules:
        findings += _calls(module, rules)
        if module.package.startswith(_RULES):
            findings += _times(module, rules)
            if _leases_by_study(modules, files.tables):
                findings += _instances(module, rules)
    return sorted(set(findings), key=dataclasses.astuple)


def _read(path: str, tree: Mapping[str, Any], schema: Mapping[str, Any], findings: list[Finding]) -> _Module:
    package = ".".join(str(part["value"]) for part in tree["package"]["path"][1:])
    if package != ".".join(PurePosixPath(path).parent.parts):
        findings.append(Finding(path, 1, f"the package is {package}, but the folder says otherwise"))
    imports = {}
    for one in tree.get("imports", []):
        parts = [str(part["value"]) for part in one["path"]["value"]]
        if parts[0] == "data":
            imports[one.get("alias", parts[-1])] = ".".join(parts[1:])
    heads = [rule for rule in tree.get("rules", []) if rule.get("head")]
    module = _Module(path, package, imports, schema)
    for rule in heads:
        one = module.rules.setdefault(_name(rule), _Rule(path, _line(rule, 1)))
        for node, negated, line in _walk(rule, negated=False, line=one.line):
            _note(node, module, one, negated=negated, line=line, findings=findings)
    return module


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule["head"]["ref"][0]["value"])


def _line(node: Mapping[str, Any], line: int) -> int:
    location = node.get("location")
    return int(location["row"]) if isinstance(location, dict) else line


def _walk(node: object, *, negated: bool, line: int) -> Iterator[tuple[Mapping[str, Any], bool, int]]:
    """Yield every object of the tree, whether it stands under `not`, and its line."""
    if isinstance(node, list):
        for part in node:
            yield from _walk(part, negated=negated, line=line)
    elif isinstance(node, Mapping):
        negated = negated or bool(node.get("negated"))
        line = _line(node, line)
        yield node, negated, line
        for key, part in node.items():
            if key not in {"location", "annotations"}:
                named = key == "value" and node.get("type") == "ref" and part[0].get("type") == "var"
                inner = part[1:] if named else part  # the name at the head of a reference is no value
                yield from _walk(inner, negated=negated, line=line)


def _note(
    node: Mapping[str, Any], module: _Module, rule: _Rule, *, negated: bool, line: int, findings: list[Finding]
) -> None:
    """Write down what one node of a rule calls, reads and uses."""
    terms = node["value"] if node.get("type") == "call" else node.get("terms")
    if isinstance(terms, list) and terms and terms[0].get("type") == "ref":
        name = ".".join(str(part["value"]) for part in terms[0]["value"])
        if any(name == banned or (banned.endswith(".") and name.startswith(banned)) for banned in _BANNED):
            findings.append(Finding(module.file, line, f"{name} is not allowed: decisions are replayed, offline"))
        if negated and name not in _TOTAL:
            for fact in _absent(terms[1:], module.schema):
                problem = f"{fact} may be absent, and `not` of a call on it is then undefined; negate a rule of its own"
                findings.append(Finding(module.file, line, problem))
        if _can_fail(name, terms[1:]):
            rule.calls.append((name, negated, line))
        if _reads_no_more(name, terms[1:]):
            rule.sections |= set(map(id, terms[1:]))
    elif isinstance(terms, Mapping):
        rule.sections.add(id(terms))  # an expression by itself asks whether it is there
    if node.get("type") == "string" and node.get("value") in _INSTANCE | _TIME | {"study"}:
        rule.reads.add(str(node["value"]))
    if node.get("type") == "ref":
        if id(node) not in rule.sections:
            rule.reads |= _section(node["value"])
        _reference(node["value"], module, rule, negated=negated, line=line)
    elif node.get("type") == "var":
        _reference([node], module, rule, negated=negated, line=line)


def _reference(parts: list[Mapping[str, Any]], module: _Module, rule: _Rule, *, negated: bool, line: int) -> None:
    head = str(parts[0]["value"])
    names = [str(part["value"]) if part["type"] == "string" else "" for part in parts[1:]]
    if head == "data":
        for end in range(len(names), 0, -1):
            _use((".".join(names[: end - 1]), names[end - 1]), rule, negated=negated, line=line)
    elif head in module.imports and names:
        _use((module.imports[head], names[0]), rule, negated=negated, line=line)
    else:
        _use((module.package, head), rule, negated=negated, line=line)


def _section(parts: list[Mapping[str, Any]]) -> frozenset[str]:
    """Return what is read by handing the input, or a section of it, on whole: nobody can tell, so all of it."""
    names = [str(part["value"]) if part["type"] == "string" else "" for part in parts[1:]]
    if parts[0]["value"] != "input" or "".join(names[1:2]):
        return frozenset()
    return _SECTIONS.get(names[0], frozenset()) if any(names[:1]) else _INSTANCE | _TIME


def _reads_no_more(name: str, operands: list[Mapping[str, Any]]) -> bool:
    """Whether a call on a section of the input reads what it names at most."""
    if name == "object.get":
        path = operands[1]["value"] if operands[1].get("type") == "array" else operands[1:2]
        return bool(path) and path[0].get("type") == "string"
    return name in _TYPES or (name in {"eq", "equal", "neq"} and any(one.get("type") == "null" for one in operands))


def _use(target: tuple[str, str], rule: _Rule, *, negated: bool, line: int) -> None:
    rule.uses.add(target)
    if negated:
        rule.negates.append((target, line))


def _optional(schema: object) -> Iterator[str]:
    """Yield the names of all properties that an object of the schema may go without."""
    if isinstance(schema, list):
        for part in schema:
            yield from _optional(part)
    elif isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from (str(name) for name in properties if name not in schema.get("required", ()))
        for part in schema.values():
            yield from _optional(part)


def _sure(schema: Mapping[str, Any], parts: list[Mapping[str, Any]]) -> bool:
    """Whether what these parts of a reference lead to is there in every input of the schema."""
    for part in parts:
        if schema.get("type") == "array" and part["type"] == "var":  # it stands for elements that are there
            schema = schema.get("items", {})
        elif (
            schema.get("type") == "object" and part["type"] == "string" and part["value"] in schema.get("required", ())
        ):
            schema = schema["properties"][part["value"]]
        else:
            return False
    return True


def _absent(operands: list[Mapping[str, Any]], schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the references among the operands that may lead nowhere."""
    optional = frozenset(_optional(schema))
    for node, _, _ in _walk(operands, negated=False, line=0):
        if node.get("type") == "ref" and len(node["value"]) > 1:
            names = [str(part["value"]) for part in node["value"]]
            strings = {str(part["value"]) for part in node["value"][1:] if part["type"] == "string"}
            there = _sure(schema, node["value"][1:]) if names[0] == "input" else not strings & optional
            if names[0] not in {"data", "internal"} and not there:
                yield ".".join(names)


def _can_fail(name: str, operands: list[Mapping[str, Any]]) -> bool:
    if name in BUILTINS:
        return name not in _NEVER_FAIL
    if name not in _SILENT:
        return False
    place, sound = _SOUND.get(name, (0, None))
    return (
        sound is None or operands[place].get("type") not in {"string", "number"} or not sound(operands[place]["value"])
    )


def _reached(start: _Rule, rules: Mapping[tuple[str, str], _Rule]) -> list[_Rule]:
    """Return the rule and every rule that it uses, directly or not."""
    found: list[_Rule] = []
    ahead = [start]
    while ahead:
        rule = ahead.pop()
        if any(rule is one for one in found):
            continue
        found.append(rule)
        ahead += [rules[use] for use in rule.uses if use in rules]
    return found


def _calls(module: _Module, rules: Mapping[tuple[str, str], _Rule]) -> Iterator[Finding]:
    for name, rule in module.rules.items():
        for call, negated, line in rule.calls:
            if negated:
                yield Finding(module.file, line, f"{call} can fail, and a failure would satisfy `not`")
        if name in _BINDING and module.package.startswith(_RULES):
            for reached in _reached(rule, rules):
                for call, _, line in reached.calls:
                    if call in _SILENT:
                        yield Finding(reached.file, line, f"{call} can fail, and the `{name}` would vanish with it")
        for target, line in rule.negates:
            for reached in _reached(rules[target], rules) if target in rules else ():
                for call, _, _ in reached.calls:
                    problem = f"{target[1]} uses {call}, which can fail, and a failure would satisfy `not`"
                    yield Finding(module.file, line, problem)


def _times(module: _Module, rules: Mapping[tuple[str, str], _Rule]) -> Iterator[Finding]:
    for name, rule in module.rules.items():
        read = {one for reached in _reached(rule, rules) for one in reached.reads} & _TIME
        if read and "until" not in module.rules:
            problem = f"{name} reads {', '.join(sorted(read))}; say with `until` when the answer may change"
            yield Finding(module.file, rule.line, problem)


def _instances(module: _Module, rules: Mapping[tuple[str, str], _Rule]) -> Iterator[Finding]:
    for name, rule in module.rules.items():
        read = {one for reached in _reached(rule, rules) for one in reached.reads} & _INSTANCE
        if read:
            problem = f"{name} reads {', '.join(sorted(read))}, so no lease may have the scope `study`"
            yield Finding(module.file, rule.line, problem)


def _leases_by_study(modules: list[_Module], tables: Mapping[str, object]) -> bool:
    stated = any("study" in module.rules["lease"].reads for module in modules if "lease" in module.rules)
    return stated or _holds(dict(tables))


def _holds(value: object) -> bool:
    if isinstance(value, Mapping):
        return value.get("scope") == "study" or any(_holds(part) for part in value.values())
    return isinstance(value, list) and any(_holds(part) for part in value)
