"""`leadglass-agent`: enrol, run, status, report, login, logout, proxy. Exit codes: 0, 1 (a "no"), 2 (usage), 3 (could not)."""

import asyncio
import contextlib
import logging
import os
import pwd
import signal
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from leadglass_agent import settings as settings_module
from leadglass_agent import voice
from leadglass_agent.checks import platform_checks
from leadglass_agent.checks.base import Surroundings
from leadglass_agent.signing_in import login, logout
from leadglass_agent.state import KEY, PROBLEM, STATUS, Folder, NotEnrolled
from leadglass_agent.terminal import JsonOption, StateOption, fail, now, opened, spoken
from leadglass_agent.voice import NO as _NO
from leadglass_agent.voice import USAGE as _USAGE

app = typer.Typer(
    name="leadglass-agent",
    cls=voice.Speaking,
    help="Tells a Leadglass gateway how this machine is, and carries viewers on it to the gateway.\n\n"
    "First `enrol` with the code of an administrator, then keep `run` running; `proxy` is what a viewer is pointed at.\n\n"
    'Exit codes: 0 done, 1 a "no" (refused, not enrolled, revoked, a check that does not pass), 2 usage, 3 could not.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_MARK = {"pass": "[green]pass[/]", "fail": "[red]fail[/]", "unknown": "[yellow]unknown[/]"}
_GATEWAY = "give it as https://pacs.example.org, with a port if it has one"
monotonic = time.monotonic  # noqa: TID251 - likewise


def held() -> float:
    """Return seconds that go on while the machine is suspended, whoever sets the clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else monotonic()


def _surroundings(settings: settings_module.Settings) -> Surroundings:
    return Surroundings(now=now, forbidden=settings.forbidden_software)


@app.callback()
def _program(*, version: voice.VersionOption = False) -> None:
    """Take the options of the program itself."""


@app.command()
def enrol(
    gateway: Annotated[str, typer.Option(help="The gateway's address, such as https://pacs.example.org.")],
    code: Annotated[
        str, typer.Option(help="The one-time code of `leadglass device code`; - reads it from standard input.")
    ],
    state: StateOption = None,
) -> None:
    """Make this device known to the gateway. The device key is made here and never leaves."""
    from leadglass_agent import enrol as enrolment  # late: network code
    from leadglass_agent.gateway import origin
    from leadglass_agent.keys import SoftwareKey

    try:
        url = origin(gateway)
    except ValueError as error:
        fail(str(error), _GATEWAY, _USAGE)
    with spoken():
        folder, _ = opened(state)
        parsed = enrolment.parse_code(sys.stdin.readline() if code == "-" else code)
        with contextlib.suppress(NotEnrolled):
            device = folder.load()
            fail(f"this device is enrolled already, as {device.device_id}", f"remove {folder.path} to enrol anew", _NO)
        file = folder.path / KEY
        file.unlink(missing_ok=True)  # left by an enrolment that did not end; it was never made known
        key = SoftwareKey.create(file)
        enrolled = asyncio.run(enrolment.enrol(url, parsed, key, os_name=enrolment.machine()))
        folder.save(enrolled)
        for name in (STATUS, PROBLEM):  # of an enrolment before
            folder.keep(name, None)
    sys.stdout.write(f"enrolled as {enrolled.device_id} for {enrolled.owner}\n")


@app.command()
def report(state: StateOption = None, *, as_json: JsonOption = False) -> None:
    """Run every check once and show the answers. Nothing is sent. Exits with 1 when one does not pass."""
    with spoken():
        _, settings = opened(state)
        results = {check.id: check.run(_surroundings(settings)) for check in platform_checks()}
    if as_json:
        _print({name: result.document() for name, result in results.items()})
    else:
        _show({name: result.document() for name, result in results.items()})
    raise SystemExit(0 if all(result.status == "pass" for result in results.values()) else _NO)


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(document).decode() + "\n")


def _show(checks: dict[str, Any]) -> None:
    from rich.console import Console  # late: the daemon needs no terminal
    from rich.markup import escape
    from rich.table import Table

    titles = {check.id: check.title for check in platform_checks()}
    table = Table("Check", "Answer", "Why", box=None, pad_edge=False)
    for name, check in checks.items():
        table.add_row(titles.get(name, name), _MARK[check["status"]], escape(check.get("reason", "")))
    Console().print(table)


@app.command()
def status(state: StateOption = None, *, as_json: JsonOption = False) -> None:
    """Show the enrolled device and what the gateway last took from it. Exits with 1 when revoked or never reported."""
    with spoken():
        folder, _ = opened(state)
        device, last, problem = folder.load(), folder.read(STATUS), folder.read(PROBLEM)
    revoked = bool(problem and problem.get("revoked"))
    if as_json:
        shown = {"device_id": device.device_id, "owner": device.owner, "gateway": device.gateway}
        _print({**shown, "revoked": revoked, "last": last, "problem": problem})
    else:
        sys.stdout.write(f"device   {device.device_id}\nowner    {device.owner}\ngateway  {device.gateway}\n")
        sys.stdout.write(f"reported {last['received'] if last else 'never; start `leadglass-agent run`'}\n")
        if problem:
            at = datetime.fromtimestamp(float(problem["at"]), UTC).isoformat(timespec="seconds")
            sys.stdout.write(f"{'revoked ' if revoked else 'problem '} {problem['problem']} ({at})\n")
        if last:
            sys.stdout.write("\n")
            _show(last["checks"])
    raise SystemExit(_NO if revoked or last is None else 0)


def _until_signalled(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends or the program is told to stop, which ends it at once and with 0."""
    from leadglass_agent import commands  # late: `--help` starts no program

    async def guarded() -> None:
        loop, told = asyncio.get_running_loop(), False
        task = asyncio.current_task()

        def stop() -> None:
            nonlocal told
            told = True
            commands.abandon()
            if task is not None:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            await main
        except asyncio.CancelledError:
            if not told:
                raise

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # it quotes what it cannot parse: the door's secret
    asyncio.run(guarded())


@app.command()
def run(state: StateOption = None) -> None:
    """Report the posture of this machine to the gateway, until stopped. As a service: see docs/agent.md."""
    with spoken():
        folder, settings = opened(state)
        with folder.running():
            _until_signalled(_run(folder, settings))


async def _run(folder: Folder, settings: settings_module.Settings) -> None:
    from leadglass_agent import daemon  # late: network code
    from leadglass_agent.gateway import Gateway, tls
    from leadglass_agent.keys import SoftwareKey
    from leadglass_agent.member import Member
    from leadglass_agent.proof import ProofPort

    user = _user(settings.viewer_user)
    device, key = folder.load(), SoftwareKey.load(folder.path / KEY)
    checks = daemon.Checks(platform_checks(), _surroundings(settings), monotonic)
    async with Gateway(device.gateway, tls(device.trust)) as gateway:
        member = Member(device, key, gateway, held, folder)
        reporter = daemon.Reporter(member, folder, now)
        reporting = daemon.run(checks, reporter, member, every=settings.report_every, monotonic=monotonic)
        if not settings.proof_port:
            await reporting
        port = ProofPort(key, device, settings.proof_port, uids=(user,), now=now, monotonic=monotonic)
        await asyncio.gather(reporting, port.serve())


app.command()(login)
app.command()(logout)


@app.command()
def proxy(
    state: StateOption = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.", show_default="proxy_port, 8765"),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the person's access token.")] = None,
    token_command: Annotated[str, typer.Option(help="Command that prints the person's access token.")] = "",
    announce: Annotated[Path | None, typer.Option(help="File to write the address to, for scripts (0600).")] = None,
) -> None:
    """Carry viewers on this machine to the gateway, with the device's certificate and the person's token.

    The token is that of `leadglass-agent login`, unless it is said where another comes from.
    The address it prints holds a secret and stays the same: set a viewer up once, and show the address to nobody.
    """
    with spoken():
        folder, settings = opened(state)
        file, command = token_file, token_command
        if file is None and not command:
            file, command = Path(settings.token_file) if settings.token_file else None, settings.token_command
        if file is not None and command:
            fail("say where the token comes from", "give --token-file or --token-command, one of them", _USAGE)
        _until_signalled(
            _proxy(folder, settings, settings.proxy_port if port is None else port, file, command, announce)
        )


async def _proxy(
    folder: Folder,
    settings: settings_module.Settings,
    port: int,
    file: Path | None,
    command: str,
    announce: Path | None,
) -> None:
    from leadglass_agent import state as state_module  # late: network code
    from leadglass_agent.gateway import Gateway, Refused, Unreachable, tls
    from leadglass_agent.keys import SoftwareKey
    from leadglass_agent.loopback import Loopback
    from leadglass_agent.member import Member
    from leadglass_agent.signin import SignedInToken
    from leadglass_agent.token import CommandToken, FileToken, TokenSource

    user = _user(settings.viewer_user)
    tokens: TokenSource = SignedInToken(folder, now)
    if file is not None or command:
        tokens = FileToken(file) if file is not None else CommandToken(command, now)
    device, key = folder.load(), SoftwareKey.load(folder.path / KEY)
    async with Gateway(device.gateway, tls(device.trust)) as gateway:
        member = Member(device, key, gateway, held, folder)
        try:
            await member.renew()
        except (Refused, Unreachable) as error:  # the network may come later than the person signs in
            logging.getLogger("leadglass_agent").warning("%s; viewers are answered once it is", error)
        door = Loopback(
            member, tokens, port, secret=folder.door_secret(), uids=(user,), origins=settings.viewer_origins
        )
        await door.start()
        try:
            sys.stdout.write(f"DICOMweb for viewers on this machine: {door.base}/dicom-web\n")
            sys.stdout.flush()
            if announce is not None:
                state_module.write(announce, {"base": door.base}, None if user == os.geteuid() else user)
            await asyncio.Event().wait()
        finally:
            if announce is not None:
                state_module.remove(announce)
            await door.close()


def _user(name: str) -> int:
    if not name:
        return os.getuid()
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise settings_module.SettingsError(f"viewer_user: there is no user {name} on this machine") from None


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
