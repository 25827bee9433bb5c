"""`leadglass review`: what somebody has to look at and sign off. Reads the record; a sign-off goes into it."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from leadglass.audit.review import Case, cases
from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable, there
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail
from leadglass.model.facts import EMERGENCY

app = typer.Typer(help="What somebody has to look at and sign off.", no_args_is_help=True)
glass = typer.Typer(help="Who broke the glass or used an emergency code.", no_args_is_help=True)
app.add_typer(glass, name="break-glass")

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names record and admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_CONFIG = Path("leadglass.yaml")


@app.callback()
def _group() -> None:
    """What somebody has to look at and sign off."""


def _cases(file: Path) -> list[Case]:
    try:
        return cases(file)
    except OSError as error:
        fail(f"cannot read {error.filename or file}: {error.strerror}", "run it as the user that owns the record")


@glass.command(name="list")
def list_cases(
    config: Config = _CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what is signed off.")] = False,
    json: Json = False,
) -> None:
    """List who broke the glass or used an emergency code, and why; what nobody has signed off yet."""
    found = [case for case in _cases(there(settings_of(config).audit.file)) if everything or case.signed is None]
    if json:
        put([case.document() for case in found])
        return
    table = Table(
        "DECISION", "WHO", "BY", "SINCE", "LAST", "DECISIONS", "STUDIES", "REASON", "SIGNED", box=None, pad_edge=False
    )
    for case in found:
        signed = "" if case.signed is None else f"{case.signed['at']}: {case.signed['note']}"
        counts = (str(len(case.decisions)), str(len(case.studies)))
        by = "code" if case.issuer == EMERGENCY else "sign-in"
        cells = (case.decisions[0], case.subject, by, case.since, case.last, *counts, case.reason, signed)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    print_whole(table if found else "nothing waits")


@glass.command()
def sign(
    decision_id: Annotated[str, typer.Argument(help="Any decision of the case, as `list` shows it.")],
    note: Annotated[str, typer.Option(help="What you found; it goes to the record.")],
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Sign a case off. The running gateway writes it into the record, with who did it."""
    settings = settings_of(config)
    waiting = [
        case for case in _cases(there(settings.audit.file)) if case.signed is None and decision_id in case.decisions
    ]
    if not waiting:
        fail(
            f"nothing waits under {printable(decision_id)}",
            "`leadglass review break-glass list` shows what does",
            Exit.NO,
        )
    form = {"subject": waiting[0].subject, "reason": waiting[0].reason, "note": note}
    signed = asked(settings, "POST", f"/glass/{decision_id}/review", form)
    if json:
        put(signed)
    else:
        sys.stdout.write(f"signed off: {printable(signed['subject'])}, {printable(signed['reason'])}\n")
