"""Writes the generated parts of the references, from the code that they describe.

    python docs/generate.py            write them
    python docs/generate.py --check    exit with 1 when one is stale

A page holds marks: what stands between `<!-- generated: KIND WORDS -->` and `<!-- end -->` is replaced by what the
function for KIND returns; all else is written by hand. A reference on something new is one function in KINDS.
"""  # noqa: INP001 - a script beside the pages it writes

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

import orjson
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydicom.datadict import DicomDictionary
from ruamel.yaml import YAML

from leadglass.cli.main import app as gateway_app
from leadglass.codec.control import ROUTES as CONTROL_ROUTES
from leadglass.codec.kinds import KINDS as ARCHIVES
from leadglass.codec.kinds import Kind
from leadglass.codec.kinds.kind import STANDARD
from leadglass.codec.routes import ROUTES, Route
from leadglass.config.settings import Settings
from leadglass.deid.options import BASIC, CODES, DONE, Option
from leadglass.deid.profile import Profile, load_profiles
from leadglass.deid.table import MORE
from leadglass.deid.table import PATTERNS as E_PATTERNS
from leadglass.deid.table import ROWS as E_ROWS
from leadglass.gateways.http.settings import Address, Rate
from leadglass.limits import MIB
from leadglass.model.reasons import REASONS
from leadglass.model.settings import Secret, SizeSetting
from leadglass.obligations.plan import TREATMENTS
from leadglass.policy.sources import shipped
from leadglass.telemetry import metrics
from leadglass_agent.checks.linux import CHECKS
from leadglass_agent.cli import app as agent_app

DOCS: Final = Path(__file__).parent
CHART: Final = DOCS.parent / "helm/leadglass"
_BLOCK: Final = re.compile(r"(<!-- generated: ([^\n]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
_SIZE: Final = get_args(SizeSetting)[1]
_NAMES: Final[dict[Any, str]] = {
    str: "text", IPv4Network: "network, such as `10.0.0.0/24`", int: "integer", float: "number", bool: "true or false", Path: "path", Address: "`host:port`", Option: "option",
    Rate: "rate, such as `1000/s`", Secret: "`file:PATH` or `env:NAME`",
}  # fmt: skip
# Written otherwise, or said better, than by their type.
_SPELT: Final = {"store": "`sqlite:PATH`", "identity.issuers[].algorithms": "list of those in the default"}

Rows = Iterator[tuple[str, ...]]


def table(heads: tuple[str, ...], rows: Rows) -> str:
    """Return a Markdown table; a bar in a cell is escaped."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


# --- settings ---------------------------------------------------------------------------------------------------------
def _type(annotation: Any, info: FieldInfo | None = None) -> str:  # noqa: ANN401 - whatever stands in a model
    origin, arguments = get_origin(annotation), get_args(annotation)
    if info is not None and _SIZE in info.metadata:
        return "size, such as `256 MiB`"
    if origin is None:
        return "mapping" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else _NAMES[annotation]
    if origin is Literal:
        return " or ".join(f"`{item}`" for item in arguments)
    inner = _type(next(item for item in arguments if item is not NoneType))
    if origin is tuple:
        return f"list of {inner}"
    if origin is dict:
        return f"mapping of {inner} to {_type(arguments[1])}"
    return inner  # X | None, Annotated


def _bounds(info: FieldInfo) -> str:
    least = next((item.ge for item in info.metadata if hasattr(item, "ge")), None)
    most = next((item.le for item in info.metadata if hasattr(item, "le")), None)
    if _SIZE in info.metadata and least is not None:
        return f", at least {_size(least)}"
    if least is None and most is None:
        return ""
    return f", {least} - {most}" if most is not None else f", at least {least}"


def _size(count: int) -> str:
    return f"{count // MIB} MiB" if count % MIB == 0 else f"{count // 1024} KiB"


def _default(info: FieldInfo) -> str:
    value = info.default
    if info.is_required():
        return "required"
    if value is None or isinstance(value, BaseModel):
        return "-"
    if _SIZE in info.metadata:
        return f"`{_size(value)}`"
    if isinstance(value, tuple | list):
        return "`[" + ", ".join(map(str, value)) + "]`"
    return f"`{value}`" if not isinstance(value, dict) else "`{}`"


def _inner(annotation: Any) -> tuple[str, type[BaseModel]] | None:  # noqa: ANN401 - likewise
    """Return the model inside an annotation, and how its place in a path is written."""
    for item in (annotation, *get_args(annotation)):
        if isinstance(item, type) and issubclass(item, BaseModel):
            mark = {tuple: "[]", dict: ".*"}.get(get_origin(annotation), "")
            return mark, item
    return None


def settings_rows(model: type[BaseModel] = Settings, prefix: str = "", only: tuple[str, ...] = ()) -> Rows:
    """Yield path, type, default and description of every setting, mappings included."""
    for name, info in model.model_fields.items():
        if only and name not in only:
            continue
        path = prefix + name
        kind = _SPELT.get(path) or _type(info.annotation, info) + _bounds(info)
        yield f"`{path}`", kind, _default(info), info.description or ""
        if (found := _inner(info.annotation)) is not None:
            yield from settings_rows(found[1], f"{path}{found[0]}.")


def _settings(words: tuple[str, ...]) -> str:
    return table(("setting", "type", "default", "what it is"), settings_rows(only=words))


# --- reasons ----------------------------------------------------------------------------------------------------------
_TOLD: Final = {"subject": "the person", "log": "the record alone"}


def policy_reasons() -> dict[str, dict[str, Any]]:
    """Return the reasons that shipped rules declare."""
    declared: dict[str, dict[str, Any]] = YAML(typ="safe").load((shipped() / "data/reasons.yaml").read_bytes())
    return declared


def _reason_rows(words: tuple[str, ...]) -> Rows:
    if words == ("gateway",):
        for reason in REASONS.values():
            told = _TOLD[str(reason.disclose)]
            yield f"`{reason.code}`", str(reason.status), reason.title, reason.sentence, reason.fix, told
        return
    for code, said in policy_reasons().items():
        yield f"`{code}`", str(said["status"]), said["title"], said["sentence"], said["fix"], _TOLD[said["disclose"]]


def _reasons(words: tuple[str, ...]) -> str:
    return table(("code", "status", "title", "sentence", "fix", "told to"), _reason_rows(words))


# --- routes -----------------------------------------------------------------------------------------------------------
def _media(route: Route) -> str:
    shown = [f"`{media}`" for media in route.media]
    return ", ".join(shown[:2]) + (f" and {len(shown) - 2} more" if len(shown) > 2 else "") or "-"  # noqa: PLR2004 - as sliced


def _address(route: Route) -> str:
    return f"`{route.template}`" if route.template else "the mount itself"


def _route_rows(words: tuple[str, ...]) -> Rows:
    (family,) = words
    for route in ROUTES:
        if route.on == (family == "off") or not (family == "off" or route.transaction.startswith(family)):
            continue
        yield (
            f"`{route.transaction}`", route.method, _address(route), route.says, route.act, route.judged, _media(route),
            ", ".join(f"`{media}`" for media in route.takes) or "-",
        )  # fmt: skip


def _routes(words: tuple[str, ...]) -> str:
    heads = ("transaction", "method", "address", "what", "act", "judged by", "answers", "takes")
    return table(heads, _route_rows(words))


def _control(_words: tuple[str, ...]) -> str:
    rows = ((f"`{route.path}`", route.method, str(route.needs)) for route in CONTROL_ROUTES)
    return table(("path", "method", "needs"), iter(rows))


# --- metrics, obligations, checks -------------------------------------------------------------------------------------
def metric_rows() -> Rows:
    """Yield name (as scraped), kind, labels and meaning of every family of the gateway's own."""
    for family in vars(metrics).values():
        if isinstance(family, metrics.Count | metrics.Gauge | metrics.Histogram):
            kind = {"Count": "counter", "Gauge": "gauge", "Histogram": "histogram"}[type(family).__name__]
            name = family.name + ("_total" if kind == "counter" else "")
            yield f"`{name}`", kind, ", ".join(f"`{label}`" for label in family.labels) or "-", family.meaning


def _metrics(_words: tuple[str, ...]) -> str:
    return table(("metric", "kind", "labels", "meaning"), metric_rows())


def _preset(info: FieldInfo) -> str:
    return "required" if info.is_required() else f"default `{orjson.dumps(info.default).decode()}`"


def _obligations(_words: tuple[str, ...]) -> str:
    def rows() -> Rows:
        for name, kind in TREATMENTS.items():
            fields = kind.schema.model_fields
            given = "; ".join(
                f"`{key}` ({_type(info.annotation, info)}{_bounds(info)}, {_preset(info)}): {info.description}"
                for key, info in fields.items()
            )
            yield f"`{name}`", given or "none", kind(kind.schema.model_construct()).describe()

    return table(("obligation", "parameters", "what it does"), rows())


def _checks(_words: tuple[str, ...]) -> str:
    rows = (
        (f"`{check.id}`", check.passes, check.reads, check.values, f"{check.interval:g} s") for check in CHECKS
    )  # fmt: skip
    return table(("check", "passes when", "reads", "value", "looked at every"), iter(rows))


# --- command line -----------------------------------------------------------------------------------------------------
def verbs(name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every verb of a program as its words, with its command."""
    apps = {"leadglass": gateway_app, "leadglass-agent": agent_app}

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - click's
        if hasattr(command, "commands"):
            for word, inner in command.commands.items():
                yield from walk(inner, (*words, word))
        else:
            yield words, command

    yield from walk(typer.main.get_command(apps[name]), (name,))


def _verb(words: tuple[str, ...]) -> str:
    command = dict(verbs(words[0]))[words]

    def rows() -> Rows:
        for parameter in command.params:
            if "--help" in parameter.opts:
                continue
            spelt = [f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts)]
            if not parameter.opts[0].startswith("-"):
                spelt = [f"`{parameter.metavar or parameter.name.upper()}`"]
            default = parameter.default
            plain = isinstance(default, str | int | Path) and not isinstance(default, bool) and str(default)
            shown = "required" if parameter.required else f"`{default}`" if plain else "-"
            yield ", ".join(spelt), shown, (getattr(parameter, "help", "") or "").replace("\n", " ")

    text = " ".join((command.help or "").split("\n\n")[0].split())
    listed = list(rows())
    return f"{text}\n" + (f"\n{table(('option', 'default', 'what it is'), iter(listed))}" if listed else "")


# --- values of the chart ----------------------------------------------------------------------------------------------
def value_rows() -> Rows:
    """Yield path, type, default and description of every value that a `# --` line of values.yaml describes."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    schema, values = orjson.loads((CHART / "values.schema.json").read_bytes()), YAML(typ="safe").load(text)
    path: list[str] = []
    said = ""
    for line in text.splitlines():
        if line.lstrip().startswith("# -- "):
            said = line.partition("# -- ")[2]
        elif found := re.match(r"( *)([A-Za-z_]+):", line):
            path[len(found[1]) // 2 :] = [found[2]]
            if said:
                inner, default = schema, values
                for name in path:
                    inner, default = inner["properties"][name], default[name]
                shown = default if isinstance(default, str) else orjson.dumps(default).decode()
                yield f"`{'.'.join(path)}`", _value_type(inner), f"`{shown}`" if shown else "-", said
            said = ""


def _value_type(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]) if one != "")
    if "$ref" in schema:
        return "mapping"
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    words = {"string": "text", "array": "list", "object": "mapping", "boolean": "true or false"}
    return " or ".join(words.get(kind, kind) for kind in kinds)


def _values(_words: tuple[str, ...]) -> str:
    return table(("value", "type", "default", "what it is"), value_rows())


# --- kinds of archives ------------------------------------------------------------------------------------------------
_DIALECTS: Final = {
    "unquoted": "`Forwarded`, unquoted",
    "quoted": "`Forwarded` as RFC 7239 has it",
    "x-forwarded": "`X-Forwarded-Host`, `-Proto`, `-Port`",
}
_KNOWN: Final = {True: "yes", False: "no", None: "not known"}


def _kind_rows() -> Rows:
    def row(what: str, say: Callable[[Kind], str]) -> tuple[str, ...]:
        return (what, *(say(kind) for kind in ARCHIVES.values()))

    def named(names: Iterable[str]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    yield row("known from", lambda kind: kind.source)
    yield row("`links` when left out", lambda kind: "`forwarded`" if kind.builds_links else "`rewrite`")
    yield row("told with `links: forwarded`", lambda kind: _DIALECTS[kind.links])
    yield row(
        "several studies at once", lambda kind: "one question with commas" if kind.uid_lists else "one question each"
    )
    yield row("several values of a key", lambda kind: f"`{kind.lists}` between them" if kind.lists else "not asked for")
    yield row("counts `limit` from the first match by", lambda kind: named(sorted(kind.from_first)) or "-")
    yield row(
        "sent unencoded in queries", lambda kind: f"`{extra}`" if (extra := kind.unencoded[len(STANDARD) :]) else "-"
    )
    yield row("pages follow one another", lambda kind: _KNOWN[kind.steady])
    yield row("an order that is asked for", lambda kind: named(sorted(set(kind.order.values()))) or "-")
    yield row("does not offer", lambda kind: named(sorted(kind.lacks)) or "not known")
    yield row(
        "thumbnails", lambda kind: "as offered" if kind.thumbnails else "asked for as rendered pictures of 128 x 128"
    )
    yield row("bulk data at", lambda kind: f"`.../{kind.bulk}/TAG`" if kind.bulk else "the address asked for")
    yield row("frames, bulk data without multipart", lambda kind: "asked for" if kind.single_parts else "406")
    yield row("rendered as", lambda kind: named(kind.renders) or "what is asked for")
    yield row("HEAD", lambda kind: _KNOWN[kind.head])
    yield row("Range", lambda kind: _KNOWN[kind.ranges])
    yield row("errors quote UIDs", lambda kind: _KNOWN[kind.quotes])


def _archives(_words: tuple[str, ...]) -> str:
    return table(("", *(f"`{name}`" for name in ARCHIVES)), _kind_rows())


# --- de-identification ------------------------------------------------------------------------------------------------
def _deid_options(_words: tuple[str, ...]) -> str:
    def rows() -> Rows:
        yield "-", "Basic Application Level Confidentiality Profile", BASIC[0], "Always."
        for option, (code, meaning) in CODES.items():
            yield f"`{option}`", meaning, code, DONE[option]
        yield "-", "Clean Recognizable Visual Features Option", "113102", "Not there: no head is defaced."

    return table(("option", "name in PS3.15", "CID 7050", "what is done"), rows())


def _deid_actions(_words: tuple[str, ...]) -> str:
    def rows() -> Rows:
        counted = Counter((row.basic, row.strongest) for row in [*E_ROWS.values(), *E_PATTERNS.values()])
        for (basic, strongest), count in sorted(counted.items()):
            yield f"`{basic}`", f"`{strongest}`", str(count)
        yield "all", "", str(counted.total())

    return table(("in the table", "taken as", "rows"), rows())


def _deid_table(words: tuple[str, ...]) -> str:
    chosen = MORE if words == ("more",) else E_ROWS

    def rows() -> Rows:
        for tag, row in sorted(chosen.items()):
            if words == ("more",) and tag >> 16 in {0x0000, 0x0004}:
                continue
            changed = ", ".join(f"`{option}`: {action}" for option, action in sorted(row.options.items()))
            name = DicomDictionary[tag][2]
            yield f"({tag >> 16:04X},{tag & 0xFFFF:04X})", name, f"`{row.basic}`", f"`{row.strongest}`", changed or "-"

    return table(
        ("tag", "attribute", "in the table" if chosen is E_ROWS else "action", "taken as", "with options"), rows()
    )


def _deid_profile(_words: tuple[str, ...]) -> str:
    return table(
        ("field", "type", "default", "what it is"), (row for row in settings_rows(Profile) if row[0] != "`name`")
    )


def _deid_profiles(_words: tuple[str, ...]) -> str:
    profiles = load_profiles().values()
    rows = (
        (f"`{one.name}`", one.title, ", ".join(f"`{option}`" for option in one.options) or "none") for one in profiles
    )
    return table(("profile", "title", "options"), iter(sorted(rows)))


KINDS: Final[dict[str, Callable[[tuple[str, ...]], str]]] = {
    "settings": _settings, "reasons": _reasons, "routes": _routes, "control": _control, "metrics": _metrics,
    "obligations": _obligations, "checks": _checks, "verb": _verb, "values": _values, "archives": _archives,
    "deid-options": _deid_options, "deid-actions": _deid_actions, "deid-table": _deid_table, "deid-profile": _deid_profile,
    "deid-profiles": _deid_profiles,
}  # fmt: skip


def _made(match: re.Match[str]) -> str:
    kind, *words = match[2].split()
    return f"{match[1]}\n{KINDS[kind](tuple(words))}\n{match[3]}"


def pages() -> dict[Path, tuple[str, str]]:
    """Return each page that has generated parts: as it is, and as it should be. Raises KeyError for an unknown mark."""
    found = {}
    for path in sorted([*DOCS.rglob("*.md"), CHART / "README.md"]):
        text = path.read_text(encoding="utf-8")
        if _BLOCK.search(text):
            found[path] = (text, _BLOCK.sub(_made, text))
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are stale."""
    stale = [(path, should) for path, (text, should) in pages().items() if text != should]
    for path, should in stale:
        if "--check" in arguments:
            sys.stderr.write(f"{path.relative_to(DOCS.parent)} is stale: run `python docs/generate.py`\n")
        else:
            path.write_text(should, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(DOCS.parent)}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
