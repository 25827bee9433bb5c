"""`leadglass revoke`: end trust at once; whatever is running under it is cut. Speaks to the running gateway."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail

app = typer.Typer(help="End trust at once: in a person, a session, a device or a token.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes to the record.")]
For = Annotated[str | None, typer.Option("--for", help="For how long, such as 30m, 2h or 7d. Left out: for good.")]
_CONFIG = Path("leadglass.yaml")
_DURATION = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_ID = re.compile(r"[0-9a-f]{16}")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.callback()
def _group() -> None:
    """End trust at once: in a person, a session, a device or a token."""


def seconds_of(duration: str | None) -> int | None:
    """Return a duration in seconds; ends the program for what is none."""
    if duration is None:
        return None
    match = _DURATION.fullmatch(duration)
    if match is None:
        fail("that is no duration", "write 30m, 2h or 7d", Exit.USAGE)
    return int(match[1]) * _SECONDS[match[2]]


def _revoke(config: Path, form: dict[str, Any], *, json: bool) -> None:
    made = asked(settings_of(config), "POST", "/revocations", form)
    if json:
        put(made)
        return
    until = f"until {made['until']}" if made["until"] else "for good"
    sys.stdout.write(f"{made['kind']} {printable(made['value'])} is revoked {until}; lift it with: {made['id']}\n")


@app.command()
def user(
    subject: Annotated[str, typer.Argument(metavar="ID", help="The person, as tokens name them.")],
    reason: Reason,
    duration: For = None,
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Revoke a person: every request is refused, everything running is cut."""
    _revoke(config, {"kind": "user", "value": subject, "reason": reason, "seconds": seconds_of(duration)}, json=json)


@app.command()
def session(
    session_id: Annotated[str, typer.Argument(metavar="ID", help="Session, as `leadglass session list` shows it.")],
    reason: Reason,
    duration: For = None,
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """End a browser session; with --for, refuse it for a time instead. What runs under it is cut either way."""
    if not _ID.fullmatch(session_id):
        fail("that is no session id", "`leadglass session list` shows them", Exit.USAGE)
    form = {"kind": "session", "value": session_id, "reason": reason, "seconds": seconds_of(duration)}
    _revoke(config, form, json=json)


@app.command()
def device(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="Device id.")],
    reason: Reason,
    duration: For = None,
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Revoke a device for a time. (`leadglass device revoke` withdraws it for good)."""
    _revoke(
        config, {"kind": "device", "value": device_id, "reason": reason, "seconds": seconds_of(duration)}, json=json
    )


@app.command()
def token(
    value: Annotated[str, typer.Argument(metavar="TOKEN", help="The token; - reads it from standard input.")],
    reason: Reason,
    duration: For = None,
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Revoke one token. Only its SHA-256 is sent and kept."""
    from leadglass.revocation.revocations import token_value  # late: `--help` needs no store

    text = (sys.stdin.readline() if value == "-" else value).strip()
    form = {"kind": "token", "value": token_value(text), "reason": reason, "seconds": seconds_of(duration)}
    _revoke(config, form, json=json)


@app.command(name="list")
def list_revocations(config: Config = _CONFIG, *, json: Json = False) -> None:
    """List what is revoked now."""
    held = asked(settings_of(config), "GET", "/revocations")["revocations"]
    if json:
        put(held)
        return
    table = Table("ID", "KIND", "WHO OR WHAT", "SINCE", "UNTIL", "REASON", box=None, pad_edge=False)
    for row in held:
        cells = (row["id"], row["kind"], row["value"], row["made"], row["until"] or "for good", row["reason"])
        table.add_row(*(Text(printable(cell)) for cell in cells))
    print_whole(table if held else "nothing is revoked")


@app.command()
def lift(
    revocation: Annotated[str, typer.Argument(metavar="ID", help="Revocation, as `leadglass revoke list` shows it.")],
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Lift a revocation before its time."""
    if not _ID.fullmatch(revocation):
        fail("that is no revocation id", "`leadglass revoke list` shows them", Exit.USAGE)
    lifted = asked(settings_of(config), "DELETE", f"/revocations/{revocation}")
    if json:
        put(lifted)
    else:
        sys.stdout.write(f"{lifted['kind']} {printable(lifted['value'])} is trusted again\n")
