"""`leadglass audit readiness`: who would notice when a gateway that observes began to enforce."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from leadglass.audit.readiness import Report, Tally, Verdict
from leadglass.audit.readiness import readiness as read_record
from leadglass.cli.admin import settings_of
from leadglass.cli.audit import Config, Json, printable, put_line, reading, seconds, size_of, there
from leadglass.cli.bar import bar
from leadglass.cli.voice import Exit, fail
from leadglass.config.settings import Settings
from leadglass.model.disclosure import sentence
from leadglass.model.errors import ConfigurationError
from leadglass.model.reasons import REASONS, Reason

_CONFIG = Path("leadglass.yaml")
_SHOWN: Final = 40  # of a kind; `--json` has all
_NAMED: Final = 3
_WORDS: Final[Mapping[Verdict, str]] = {
    "refused": "would be refused",
    "rows": "would miss rows of lists",
    "ready": "would notice nothing",
}


def _reasons(settings: Settings) -> Mapping[str, Reason]:
    """Return every reason with its fix; the gateway's own alone when the policy set cannot be read."""
    from leadglass.policy import sources  # late: `--help` needs none of it

    try:
        return sources.read(settings.policy.path).reasons
    except ConfigurationError:
        return REASONS


def _mostly(names: Mapping[str, int]) -> str:
    first = sorted(names.items(), key=lambda item: -item[1])[:_NAMED]
    more = f" and {len(names) - len(first)} more" if len(names) > len(first) else ""
    return printable(", ".join(f"{name} ({count:,})" for name, count in first) + more)


def _when(at: str) -> str:
    return at[:16].replace("T", " ")


def _lines(console: Console, tallies: list[Tally], names: Callable[[Tally], Mapping[str, int]]) -> None:
    for one in tallies[:_SHOWN]:
        words = f"  {printable(one.name)}: {one.requests:,} requests"
        if one.reasons:
            words += f", refused {one.refused:,}, rows hidden {one.hidden:,}, last {_when(one.last_refused)}: {_mostly(one.reasons)}"
        console.print(Text(f"{words}; {_mostly(names(one))}"))
    if len(tallies) > _SHOWN:
        console.print(f"  and {len(tallies) - _SHOWN:,} more; --json has all")


def _show(report: Report, reasons: Mapping[str, Reason]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{report.requests:,} requests observed from {_when(report.first)} to {_when(report.last)} (UTC).")
    if report.revisions > 1:
        console.print(
            f"The policy changed meanwhile ({report.revisions - 1}), last at {_when(report.revised)}; what that mended is left out "
            f"with --since {report.revised}"
        )
    for one in sorted(report.reasons.values(), key=lambda one: -one.requests):
        reason = reasons.get(one.name)
        console.print(Text(f"\n{printable(one.name)}", style="bold"), end="")
        console.print(
            Text(
                f": refused {one.refused:,}, rows hidden {one.hidden:,}; people {len(one.people):,}, devices {len(one.devices):,}, "
                f"viewers {len(one.viewers):,}; first {_when(one.first)}, last {_when(one.last)}"
            )
        )
        if reason is not None:
            console.print(Text(f"  fix: {sentence(reason.fix, one.params)}"))
        console.print(Text(f"  people: {_mostly(one.people)}"))
        console.print(Text(f"  viewers: {_mostly(one.viewers)}"))
    for verdict, words in _WORDS.items():
        if people := report.of(verdict):
            console.print(Text(f"\nPeople who {words}: {len(people):,}", style="bold"))
            _lines(console, people, lambda one: one.viewers)
    console.print(Text("\nViewers:", style="bold"))
    _lines(console, sorted(report.viewers.values(), key=lambda one: -one.refused), lambda one: one.people)


def readiness(
    config: Config = _CONFIG,
    *,
    since: Annotated[str | None, typer.Option(help="From this time on (RFC 3339; UTC when it names no zone).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    json: Json = False,
) -> None:
    """Say who would notice if the gateway enforced: what passed while it observed, by reason, person and viewer."""
    settings, times = settings_of(config), (seconds(since), seconds(until))
    file = there(settings.audit.file)
    with reading(file), bar("reading", size_of(file)) as progress:
        report = read_record(file, *times, progress)
    if not report.requests:
        fail("nothing was observed", "set mode.observe_until, let people work, and ask again", Exit.NO)
    reasons, refused = _reasons(settings), report.of("refused")
    if json:
        for kind, tallies in (("reason", report.reasons), ("person", report.people), ("viewer", report.viewers)):
            for one in tallies.values():
                fix = (
                    {"fix": sentence(reasons[one.name].fix, one.params)}
                    if kind == "reason" and one.name in reasons
                    else {}
                )
                put_line({"type": kind, **one.document(), **fix})
        put_line({"type": "summary", "ready": not refused, "requests": report.requests, "first": report.first, "last": report.last,
                  "revision": report.revision, "revised": report.revised, "revisions": report.revisions,
                  "people": {verdict: len(report.of(verdict)) for verdict in _WORDS}})  # fmt: skip
    else:
        _show(report, reasons)
        many = f"{len(refused):,} of {len(report.people):,}"
        told = (
            f"Not ready: {many} people would be refused." if refused else "Ready to enforce: nobody would be refused."
        )
        sys.stdout.write(f"\n{told}\n")
    raise typer.Exit(Exit.NO if refused else Exit.OK)
