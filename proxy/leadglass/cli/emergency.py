"""`leadglass emergency`: sealed codes for when identity provider, policy server or agent are down."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail
from leadglass.codec.control import EMERGENCY
from leadglass.limits import EMERGENCY_CODE_DAYS, EMERGENCY_CODES_MADE, EMERGENCY_NAME_CHARS

app = typer.Typer(help="Sealed codes that open reading when other systems are down.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_CONFIG = Path("leadglass.yaml")
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{5}")


@app.callback()
def _group() -> None:
    """Sealed codes that open reading when other systems are down."""


@app.command()
def codes(
    count: Annotated[int, typer.Option(help="How many.", min=1, max=EMERGENCY_CODES_MADE)] = 10,
    name: Annotated[
        str | None, typer.Option("--for", help="The one person they are for. Left out: whoever opens the envelope.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long they are good.", min=1, max=EMERGENCY_CODE_DAYS)] = 365,
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Make codes and print them, this once: one slip each, for sealed envelopes."""
    if name is not None and not (0 < len(name.strip()) <= EMERGENCY_NAME_CHARS and name.isprintable()):
        fail("that is no name", f"at most {EMERGENCY_NAME_CHARS} printable characters", Exit.USAGE)
    settings = settings_of(config)
    made = asked(settings, "POST", "/emergency/codes", {"count": count, "name": name, "days": days})["codes"]
    where = settings.public_url[0] + EMERGENCY
    if json:
        put([{**one, "url": where} for one in made])
        return
    for one in made:
        sys.stdout.write(
            f"{'-' * 72}\nLeadglass emergency code {one['id']}, good once, until {one['ends'][:10]}\n"
            f"For: {printable(one['name'] or 'whoever opens this; your own name is recorded')}\n\n"
            f"    {one['code']}\n\n"
            f"When nobody can sign in, open {where}\n"
            "and give your name, this code and a reason. It opens reading for emergency\n"
            "treatment for 4 hours. Everything is recorded, and somebody will ask.\n"
        )
    sys.stdout.write(f"{'-' * 72}\n")
    sys.stderr.write(f"\n{len(made)} codes, shown this once. Print, seal, and hand out the envelopes.\n")


@app.command(name="list")
def list_codes(config: Config = _CONFIG, *, json: Json = False) -> None:
    """List the codes that have not ended: open, used, withdrawn, locked after wrong tries."""
    held = asked(settings_of(config), "GET", "/emergency/codes")["codes"]
    if json:
        put(held)
        return
    table = Table("ID", "FOR", "STATE", "MADE", "ENDS", "USED", "BY", box=None, pad_edge=False)
    for one in held:
        cells = (
            one["id"],
            one["name"] or "anybody",
            one["state"],
            one["made"],
            one["ends"],
            one["used"],
            one["used_by"],
        )
        table.add_row(*(Text(printable("" if cell is None else cell)) for cell in cells))
    print_whole(table if held else "no codes; `leadglass emergency codes` makes some")


@app.command()
def withdraw(
    code: Annotated[str, typer.Argument(metavar="ID", help="Code, by its first five letters, as `list` shows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes to the record.")],
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Withdraw a code that was not used. To end what a used one opened: `leadglass session list`, `leadglass revoke session`."""
    if not _ID.fullmatch(code.upper()):
        fail("that is no code's id", "`leadglass emergency list` shows them", Exit.USAGE)
    gone = asked(settings_of(config), "POST", f"/emergency/codes/{code.upper()}/withdraw", {"reason": reason})
    if json:
        put(gone)
    else:
        sys.stdout.write(f"{gone['id']} is withdrawn\n")
