"""`leadglass session`: who is signed in with a browser. Speaks to the running gateway."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole

app = typer.Typer(help="Browser sessions: who is signed in. `leadglass revoke session` ends one.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_CONFIG = Path("leadglass.yaml")


@app.callback()
def _group() -> None:
    """Browser sessions: who is signed in. `leadglass revoke session` ends one."""


@app.command(name="list")
def list_sessions(config: Config = _CONFIG, *, json: Json = False) -> None:
    """List the sessions that live, the latest used first, and whether the device of each is proven."""
    held = asked(settings_of(config), "GET", "/sessions")["sessions"]
    if json:
        put(held)
        return
    columns = (Column("ID", min_width=16), "WHO", "FROM", Column("DEVICE", min_width=6), "SINCE", "USED", "ENDS")
    table = Table(*columns, box=None, pad_edge=False)
    for row in held:
        device = row["device"]
        shown = "none" if device is None else "silent" if device["silent"] else "proven"
        cells = (row["id"], row["subject"], row["client_ip"], shown, row["begun"], row["used"], row["ends"])
        table.add_row(*map(printable, cells))
    print_whole(table if held else "nobody is signed in with a browser")
