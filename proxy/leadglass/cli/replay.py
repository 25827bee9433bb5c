"""`leadglass policy replay`: yesterday's traffic under today's edit, before the edit is in force."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from leadglass.audit.chain import segments
from leadglass.audit.feed import every_line
from leadglass.cli.audit import printable, seconds
from leadglass.cli.bar import bar
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.clock import rfc3339
from leadglass.config.load import load
from leadglass.policy import build, sources, tables
from leadglass.policy.replay import Group, Replay
from leadglass.policy.wasm import WasmEngine

_NAMED = 5  # people of one group that are named on the terminal; --json has all that were kept
_EFFECTS = {
    "allowed": "was refused, would be allowed",
    "refused": "was allowed, would be refused",
    "shows more": "a search would show more",
    "shows less": "a search would show less",
    "obligations": "would be cut down otherwise",
    "reasons": "would be refused for another reason",
}
_SKIPPED = {
    "before policy": "refused before any rule was asked",
    "too large": "kept as a digest alone",
    "another version": "written by another version",
}


def replay(
    config: Annotated[
        Path, typer.Option("-c", "--config", help="The configuration; it names the record and the policy folder.")
    ] = Path("leadglass.yaml"),
    *,
    policy: Annotated[
        Path | None, typer.Option(help="Another policy folder to ask, such as a copy in which you edit.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="From this time on (RFC 3339; UTC when it names no zone).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Put the decisions in the record to the policy folder as it stands now, and say what would come out differently."""
    within = [None if at is None else rfc3339(at) for at in (seconds(since), seconds(until))]
    with spoken():
        settings = load(config)
        files = sources.read(policy or settings.policy.path)
        asked = Replay(files, WasmEngine(build.load(files), tables.data(files.tables)))
    file = settings.audit.file
    try:
        with bar("replaying", sum(path.stat().st_size for path in segments(file))) as progress:
            _read(file, asked, within, progress)
    except OSError as error:
        fail(f"cannot read {error.filename or file}: {error.strerror}", "run it as the user that owns the record")
    if json:
        sys.stdout.buffer.write(
            orjson.dumps(_document(asked, files), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )
    else:
        for line in _words(asked, files):
            sys.stdout.write(printable(line) + "\n")
    raise typer.Exit(Exit.NO if asked.groups else Exit.OK)


def _read(file: Path, asked: Replay, within: Sequence[str | None], progress: Callable[[int], None]) -> None:
    """Hand every line of the time asked for to `asked`. Uses have no time of their own, and follow their decision."""
    since, until = within
    for line in every_line(file, progress):
        try:
            document = orjson.loads(line)
        except ValueError:
            continue  # `audit verify` names it
        if not isinstance(document, dict):
            continue
        at = document.get("timestamp")
        if at is None or ((since is None or str(at) >= since) and (until is None or str(at) < until)):
            asked.take(document)


def _document(asked: Replay, files: sources.PolicySet) -> dict[str, Any]:
    return {
        "revision": files.revision,
        "asked": asked.asked,
        "same": asked.same,
        "skipped": asked.skipped,
        "elsewhere": asked.elsewhere,
        "changes": [
            {
                "effect": one.effect, "transaction": one.transaction, "came": one.came, "went": one.went,
                "requests": one.requests, "people": sorted(one.people), "more_people": one.more,
                "examples": one.examples,
            }
            for one in asked.groups
        ],
    }  # fmt: skip


def _words(asked: Replay, files: sources.PolicySet) -> list[str]:
    lines = [f"{asked.asked} decisions put to revision {files.revision[:12]}; {asked.same} come out the same"]
    lines += [f"  {count} not asked again: {_SKIPPED[why]}" for why, count in sorted(asked.skipped.items())]
    for one in asked.groups:
        lines += _told(one)
    if asked.elsewhere:
        lines.append(f"and {asked.elsewhere} decisions in other ways than the {len(asked.groups)} above")
    if not asked.groups:
        lines.append("nobody would notice anything")
    return lines


def _told(one: Group) -> list[str]:
    people = sorted(one.people)
    named = ", ".join(people[:_NAMED]) + (" and others" if one.more or len(people) > _NAMED else "")
    lines = [f"{_EFFECTS[one.effect]}: {one.transaction}, {one.requests} requests of {named}"]
    lines += [f"  + {code}" for code in one.came]
    lines += [f"  - {code}" for code in one.went]
    lines.append("  such as " + ", ".join(one.examples))
    return lines
