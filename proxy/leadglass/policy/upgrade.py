"""What an upgrade changed under a site: shipped files that its tables and rules rest on, compared with those of before.

The site's folder remembers in `build/shipped.json` which shipped set it was made for. Whether the site still works is
for the checks and cases to say; this says where to look, and why something that worked is refused.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import orjson

from leadglass.model.errors import ConfigurationError
from leadglass.policy.sources import File, files_of, shipped

STAMP: Final = "shipped.json"
_SCHEMA: Final = "schemas/tables/{}.json"


@dataclass(frozen=True, slots=True)
class Change:
    """One shipped file that changed under a file of the site."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def _stamp_of(base: Path) -> dict[str, Any]:
    found = {file.path: file for file in files_of(base) if file.kind in {"rule", "table", "schema"}}
    return {
        "files": {path: hashlib.sha256(file.content).hexdigest() for path, file in sorted(found.items())},
        "schemas": {
            path: _members(orjson.loads(file.content)) for path, file in sorted(found.items()) if file.kind == "schema"
        },
    }


def _members(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    return {"properties": sorted(schema.get("properties", {})), "required": sorted(schema.get("required", []))}


def remember(site: Path, base: Path | None = None) -> None:
    """Write down that the site was made for the shipped set of now. Raises ConfigurationError."""
    folder = site / "build"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{STAMP}.new"
        draft.write_bytes(orjson.dumps(_stamp_of(base or shipped()), option=orjson.OPT_INDENT_2))
        draft.replace(folder / STAMP)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder / STAMP}: {error.strerror}") from None


def changes(site: Path, base: Path | None = None) -> list[Change] | None:
    """Return what changed under the site's files; None when it does not say which shipped set it was made for."""
    file = site / "build" / STAMP
    try:
        then = orjson.loads(file.read_bytes())
        before: dict[str, str] = dict(then["files"])
        schemas: dict[str, dict[str, list[str]]] = dict(then["schemas"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read: {type(error).__name__}", hint="`leadglass policy check --seen` writes it anew"
        ) from None
    now = _stamp_of(base or shipped())
    found: list[Change] = []
    for mine in files_of(site):
        found += _under(mine, before, now["files"], schemas, now["schemas"])
    return found


def _under(
    mine: File,
    before: Mapping[str, str],
    now: Mapping[str, str],
    schemas: Mapping[str, dict[str, list[str]]],
    schemas_now: Mapping[str, dict[str, list[str]]],
) -> Iterator[Change]:
    path = mine.path
    if mine.kind == "table":
        schema = _SCHEMA.format(PurePosixPath(path).stem)
        if path in before and path not in now:
            yield Change(path, "this table is no longer shipped; no shipped rule reads it")
        if schema in before and before[schema] != now.get(schema):
            yield Change(path, f"its shipped schema changed{_difference(schemas.get(schema), schemas_now.get(schema))}")
        elif path in before and path in now and before[path] != now[path]:
            yield Change(path, "the shipped table changed; yours stays in force")
    elif mine.kind in {"rule", "schema"} and path in before:
        if path not in now:
            yield Change(path, "its shipped source is gone; this copy is a rule of yours from now on")
        elif before[path] != now[path] and hashlib.sha256(mine.content).hexdigest() == before[path]:
            yield Change(path, "is a copy of what was shipped before; remove it to take the new one")


def _difference(then: dict[str, list[str]] | None, now: dict[str, list[str]] | None) -> str:
    then, now = then or {"properties": [], "required": []}, now or {"properties": [], "required": []}
    told = [
        (word, sorted(set(one) - set(other)))
        for word, one, other in (
            ("new", now["properties"], then["properties"]),
            ("gone", then["properties"], now["properties"]),
            ("now required", now["required"], then["required"]),
        )
    ]
    said = "; ".join(f"{word}: {', '.join(names)}" for word, names in told if names)
    return f" ({said})" if said else ""
