"""`leadglass device`: let devices in, look at them, withdraw them. Speaks to the running gateway's admin socket."""

import re
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail
from leadglass.config.settings import Settings

app = typer.Typer(help="Devices: let them in, look at them, withdraw them.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_CONFIG = Path("leadglass.yaml")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STYLES = {"pass": "green", "fail": "red", "unknown": "yellow", "active": "green", "revoked": "red"}


@app.callback()
def _group() -> None:
    """Let devices in, look at them, withdraw them."""


def _device_path(device_id: str) -> str:
    if not _ID.fullmatch(device_id):
        fail("that is no device id", "`leadglass device list` shows them", Exit.USAGE)
    return f"/devices/{device_id}"


def _issuer(settings: Settings, named: str | None) -> str:
    """Return the issuer of an owner: a configured one, by name when there are several."""
    known = [printable(one.issuer) for one in settings.identity.issuers]
    issuer = named if named is not None else settings.identity.only_issuer
    if issuer is None:
        fail("several issuers are configured: whose id is this?", f"--issuer, one of {', '.join(known)}", Exit.USAGE)
    if issuer not in {one.issuer for one in settings.identity.issuers}:
        fail("no such issuer is configured", f"--issuer, one of {', '.join(known)}", Exit.USAGE)
    return issuer


def _cell(value: object) -> Text:
    words = printable(value)
    return Text(words, style=_STYLES.get(words, ""))


@app.command()
def code(
    owner: Annotated[str, typer.Option("--owner", help="The person the device will be bound to, as tokens name them.")],
    issuer: Annotated[
        str | None, typer.Option("--issuer", help="Who names them so. Left out: the only issuer that is configured.")
    ] = None,
    config: Config = _CONFIG,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Make a one-time enrolment code: 15 minutes, one device, five tries."""
    settings = settings_of(config)
    made = asked(settings, "POST", "/devices/codes", {"owner": owner, "issuer": _issuer(settings, issuer)})
    gateway = settings.public_url[0]
    if json:
        put({**made, "gateway": gateway})
        return
    sys.stdout.write(f"{made['code']}\n")
    sys.stderr.write(
        f"\nFor {printable(owner)} of {printable(made['owner_issuer'])}, until {made['ends']}. It is shown this once. On the device:\n"
        f"  leadglass-agent enrol --gateway {gateway} --code {made['code']}\n"
    )


@app.command(name="list")
def list_devices(config: Config = _CONFIG, json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """List all devices."""
    devices = asked(settings_of(config), "GET", "/devices")["devices"]
    if json:
        put(devices)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("ID", "OWNER", "ISSUER", "NAME", "STATE", "KEY", "POSTURE", "AGE"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "ID")
    for device in devices:
        age = device["posture_age_seconds"]
        table.add_row(
            _cell(device["id"]),
            _cell(device["owner"]),
            _cell(device["owner_issuer"]),
            _cell(device["name"]),
            _cell(device["state"]),
            _cell(device["key_protection"]),
            _summary(device["checks"]),
            Text("never" if age is None else f"{age:.0f} s"),
        )
    print_whole(table if devices else "no devices yet; `leadglass device code --owner NAME` lets one in")


def _summary(checks: dict[str, str] | None) -> Text:
    if not checks:
        return Text("-")
    wrong = Text(", ").join(
        Text(printable(name), style=_STYLES[status]) for name, status in checks.items() if status != "pass"
    )
    return wrong or Text(f"{len(checks)} pass", style="green")


@app.command()
def show(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="Device id.")],
    config: Config = _CONFIG,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Show one device: what it is, its certificates, and what it last said about itself."""
    path = _device_path(device_id)
    device = asked(settings_of(config), "GET", path)
    if json:
        put(device)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in device.items():
        if name not in {"checks", "certificates"} and value is not None:
            table.add_row(Text(name, style="bold"), _cell(value))
    for certificate in device["certificates"]:
        table.add_row(
            Text("certificate", style="bold"), _cell(f"{certificate['sha256']} until {certificate['not_after']}")
        )
    print_whole(table)
    if device["checks"]:
        checks = Table("CHECK", "STATUS", "VALUE", "REASON", box=None, pad_edge=False)
        for name, check in sorted(device["checks"].items()):
            value = check.get("value")
            words = "" if value is None else orjson.dumps(value).decode()
            checks.add_row(_cell(name), _cell(check["status"]), _cell(words), _cell(check.get("reason", "")))
        sys.stdout.write("\n")
        print_whole(checks)


@app.command()
def revoke(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="Device id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes to the record.")],
    config: Config = _CONFIG,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Withdraw a device at once and for good. To let it in again, enrol it anew."""
    path = _device_path(device_id)
    answer = asked(settings_of(config), "POST", f"{path}/revoke", {"reason": reason})
    if json:
        put(answer)
    else:
        sys.stdout.write(f"{device_id} is revoked\n")
