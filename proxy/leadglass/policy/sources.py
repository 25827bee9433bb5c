"""A policy set as files: the shipped one, and a site's folder laid over it, read into one frozen value.

Tables of a site replace the shipped ones by name; its rules, reasons, schemas and cases are added, and a rule never
replaces a shipped one. `*_test.rego` is never part of a set (its `deny` would take part). A file that is not where a
set has its files is an error: a rule that somebody believes to be in force and is not must not go unnoticed.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Literal

from leadglass import limits
from leadglass.model.errors import ConfigurationError, ConfigurationErrors
from leadglass.model.reasons import Reason
from leadglass.policy import reasons, tables
from leadglass.policy.schemas import Schema
from leadglass.policy.yamlfile import YamlFile

Kind = Literal["rule", "test", "table", "reasons", "schema", "case"]

_RULE: Final = re.compile(r"leadglass/(?:[a-z0-9_]+/)*[a-z0-9_]+\.rego")
_SITE_RULE: Final = re.compile(r"leadglass/(?:rules/[a-z0-9_]+/[a-z0-9_]+|lib)/[a-z0-9_]+\.rego")
_TABLE: Final = re.compile(r"data/[a-z0-9_]+\.yaml")
_SCHEMA: Final = re.compile(r"schemas/(?:input|decision|tables/[a-z0-9_]+)\.json")
_CASE: Final = re.compile(r"cases/(?:[a-z0-9_-]+/)*[a-z0-9_.-]+\.yaml")
_IGNORED: Final = frozenset({".md", ".txt", ""})


@dataclass(frozen=True, slots=True)
class File:
    """One file of a set: its path within the folder, what it is, where it really is, and its bytes."""

    path: str
    kind: Kind
    where: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything one policy set is made of. `rules` are compiled; `tests` run in `policy build` alone.

    `revision` names the whole set in every record; `source` names the rules alone, to match them with their compiled
    form, which is looked for in the folders `builds`, in this order.
    """

    rules: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    tables: Mapping[str, object]
    shipped_tables: Mapping[str, object]
    reasons: Mapping[str, Reason]
    schemas: Mapping[str, Schema]
    table_schemas: Mapping[str, Schema]
    cases: tuple[File, ...]
    site_cases: tuple[File, ...]
    revision: str
    source: str
    builds: tuple[Path, ...]


def shipped() -> Path:
    """Return the folder of the shipped set: inside the wheel, or beside the sources."""
    inside = Path(__file__).parents[1] / "policies"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "policies"


def read(site: Path | None, base: Path | None = None) -> PolicySet:
    """Read the shipped set (or `base`) with `site` laid over it. Raises ConfigurationError with file and line."""
    base = base or shipped()
    below = {file.path: file for file in files_of(base)}
    above: dict[str, File] = {}
    if site is not None and site.resolve() != base.resolve():
        above = {file.path: file for file in files_of(site)}
    _overlay(below, above)
    files = {**below, **above}
    declared = [file for file in (below.get(_REASONS), above.get(_REASONS)) if file]
    schemas = {file.path: Schema(file.where, file.content) for file in files.values() if file.kind == "schema"}
    table_schemas = {PurePosixPath(path).stem: schema for path, schema in schemas.items() if "/tables/" in path}
    rules = {path: file.content for path, file in sorted(files.items()) if file.kind == "rule"}
    if "leadglass/main.rego" not in rules:
        raise ConfigurationError("holds no leadglass/main.rego", where=str(base), hint="is this a policy folder?")
    lasting = [(path, file.content) for path, file in sorted(files.items()) if file.kind in {"rule", "table", "schema"}]
    lasting += [(file.path, file.content) for file in declared]
    return PolicySet(
        rules=MappingProxyType(rules),
        tests=MappingProxyType({path: file.content for path, file in sorted(files.items()) if file.kind == "test"}),
        tables=MappingProxyType(_tables(files, table_schemas)),
        shipped_tables=MappingProxyType(_tables(below, table_schemas)),
        reasons=reasons.merged([YamlFile(file.where, file.content) for file in declared]),
        schemas=MappingProxyType({path: schema for path, schema in schemas.items() if "/tables/" not in path}),
        table_schemas=MappingProxyType(table_schemas),
        cases=tuple(file for file in below.values() if file.kind == "case"),
        site_cases=tuple(file for file in above.values() if file.kind == "case"),
        revision=_digest(lasting),
        source=_digest(rules.items()),
        builds=tuple(folder / "build" for folder in ((site, base) if above else (base,)) if folder),
    )


_REASONS: Final = f"data/{tables.REASONS}.yaml"


def _tables(files: Mapping[str, File], schemas: Mapping[str, Schema]) -> dict[str, object]:
    found: dict[str, object] = {}
    errors = []
    for path, file in sorted(files.items()):
        if file.kind != "table":
            continue
        stem = PurePosixPath(path).stem
        try:
            found[stem] = tables.table(file.where, file.content, schemas.get(stem))
        except ConfigurationError as error:
            errors.append(error)
    if errors:
        raise ConfigurationErrors(errors)
    return found


def _overlay(below: Mapping[str, File], above: Mapping[str, File]) -> None:
    """Check what a site may lay over the shipped set. Raises ConfigurationError."""
    for path, file in above.items():
        under = below.get(path)
        if file.kind in {"rule", "schema"} and under and under.content != file.content:
            raise ConfigurationError(
                "a site adds rules and schemas and replaces none that is shipped",
                where=file.where,
                hint="edit the tables, or add a rule of another name that denies or grants what you need",
            )
        if file.kind == "rule" and not under and not _SITE_RULE.fullmatch(path):
            raise ConfigurationError(
                "a site's rule belongs to leadglass/rules/AREA/RULE/", where=file.where, hint="move the file there"
            )


def files_of(folder: Path) -> Iterator[File]:
    """Yield the files of a set. Raises ConfigurationError for what cannot be read or has no place in one."""
    count = 0
    if not folder.is_dir():
        raise ConfigurationError("no such policy folder", where=str(folder), hint="check policy.path")
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        relative = PurePosixPath(Path(top).relative_to(folder).as_posix())
        if relative == PurePosixPath():
            folders[:] = [name for name in folders if name != "build"]
        for name in sorted(names):
            path = str(relative / name)
            if name.startswith(".") or PurePosixPath(name).suffix in _IGNORED:
                continue
            count += 1
            if count > limits.POLICY_FILES:
                raise ConfigurationError(f"holds more than {limits.POLICY_FILES} files", where=str(folder))
            yield File(path, _kind(path, folder), str(folder / path), _content(folder / path))


def _kind(path: str, folder: Path) -> Kind:
    if path.endswith("_test.rego") and _RULE.fullmatch(path):
        return "test"
    if path == _REASONS:
        return "reasons"
    forms: tuple[tuple[re.Pattern[str], Kind], ...] = (
        (_RULE, "rule"),
        (_TABLE, "table"),
        (_SCHEMA, "schema"),
        (_CASE, "case"),
    )
    for form, kind in forms:
        if form.fullmatch(path):
            return kind
    raise ConfigurationError(
        "has no place in a policy folder",
        where=str(folder / path),
        hint="rules: leadglass/rules/AREA/RULE/RULE.rego; tables: data/NAME.yaml; cases: cases/NAME.yaml; "
        "names in lower case, digits and _",
    )


def _content(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if len(content) > limits.TABLE_BYTES:
        raise ConfigurationError(f"is larger than {limits.TABLE_BYTES} bytes", where=str(file))
    return content


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for path, content in files:
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()
