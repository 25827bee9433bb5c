"""`leadglass backup` and `leadglass restore`."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from leadglass.cli.audit import printable
from leadglass.cli.bar import bar
from leadglass.cli.passphrase import PassphraseOption, passphrase
from leadglass.cli.voice import Exit, fail, spoken

if TYPE_CHECKING:
    from leadglass.recovery.archive import Head
    from leadglass.recovery.places import Places
    from leadglass.recovery.restore import Restored

_CONFIG: Final = Path("leadglass.yaml")
ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it says where all is kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _places(config: Path) -> "Places":
    from leadglass.config.load import load  # late: `--help` needs none of these
    from leadglass.recovery.places import Places

    with spoken():
        settings = load(config)
    return Places(settings.store, settings.audit.file)


def _put(document: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def _give_way() -> None:
    """Let the gateway come first from here on: not before, since who holds up its store must be quick."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def _tidily() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: with nothing left behind that holds what the store holds."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def backup(
    to: Annotated[Path, typer.Argument(metavar="OUT", help="File to write (0600). It must not exist.")],
    config: ConfigOption = _CONFIG,
    passphrase_file: PassphraseOption = None,
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Also the files of the record, which name patients.")
    ] = False,
    json: Json = False,
) -> None:
    """Write store, keys and the head of the record into one file, encrypted under a passphrase. The gateway may run."""
    from leadglass.clock import SystemClock  # late: `--help` needs none of these
    from leadglass.recovery import archive
    from leadglass_agent import __version__

    places = _places(config)
    if to.exists():
        fail(f"{to} exists", "name another file", Exit.NO)
    secret = passphrase(passphrase_file, confirm=True)
    try:
        with spoken(), _tidily(), bar("backing up", archive.size_of(places, record=record)) as progress:

            def done(count: int) -> None:
                _give_way()
                progress(count)

            manifest = archive.write(
                places, to, secret, now=SystemClock().now(), version=__version__, record=record, progress=done
            )
    except ValueError as error:
        fail(f"no backup: {error}", "choose a longer passphrase", Exit.NO)
    except OSError as error:
        fail(
            f"no backup: {error.strerror} ({error.filename or to})",
            "run it as the user of the gateway, where there is room",
        )
    if json:
        _put({"file": str(to), "bytes": to.stat().st_size, **asdict(manifest)})
        return
    head = manifest.head
    at = f"line {head.seq} of the record" if head else "no line of a record yet"
    lines = "with" if record else "without"
    sys.stdout.write(
        f"wrote {to}: store (schema {manifest.schema}), {len(manifest.files) - 1} other files, {lines} the record; {at}\n"
        "keep it and its passphrase apart\n"
    )


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file that `leadglass backup` wrote.")],
    config: ConfigOption = _CONFIG,
    passphrase_file: PassphraseOption = None,
    *,
    older: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Why an older backup replaces what stands; it goes to the record."),
    ] = None,
    json: Json = False,
) -> None:
    """Put a backup back where the configuration says: all of it or nothing. The gateway must not run."""
    from leadglass.clock import SystemClock  # late: `--help` needs none of these
    from leadglass.hazmat.sealedfile import Unopenable
    from leadglass.recovery.restore import Older
    from leadglass.recovery.restore import restore as put_back

    places = _places(config)
    there = next(path for path in (places.store, *places.store.parents) if path.exists())
    owner = there.stat().st_uid
    if os.geteuid() == 0 != owner:  # what root puts there the gateway cannot use
        fail(f"{there} belongs to another user than root", f"sudo -u '#{owner}' leadglass restore ...", Exit.USAGE)
    if older is not None and not older.strip():
        fail("--older needs a reason", "say why; it goes to the record", Exit.USAGE)
    secret = passphrase(passphrase_file, confirm=False)
    try:
        with spoken(), _tidily(), bar("restoring", source.stat().st_size) as progress:
            done = put_back(places, source, secret, now=SystemClock().now(), older=older, progress=progress)
    except Older as why:
        fail(f"not restored: {why}", "say --older REASON to restore it all the same", Exit.NO)
    except Unopenable as error:
        fail(f"cannot open {source}: {error}", "is it the file, and is it its passphrase? Nothing was changed", Exit.NO)
    except ValueError as error:
        fail(f"cannot open {source}: {error}", "nothing was changed", Exit.NO)
    except OSError as error:
        fail(
            f"not restored: {error.strerror} ({error.filename or places.store.parent})",
            "run it as the user of the gateway; nothing was changed",
        )
    if json:
        _put(asdict(done))
        return
    sys.stdout.write("".join(f"{line}\n" for line in _told(done)))


def _lacks(head: "Head", standing: "Head | None") -> str | None:
    """Say what the record that the gateway goes on with lacks of that of the backup; None when it is all there."""
    if standing is None:
        return "no record stands here"
    if standing.chain != head.chain:
        return "the record that stands here is another one"
    return f"the record that stands here ends with line {standing.seq}" if standing.seq < head.seq else None


def _told(done: "Restored") -> Iterator[str]:
    """Say what was done, what is lost, and what is left to do."""
    manifest, standing, since = done.manifest, done.standing, done.since
    yield f"restored the backup of {manifest.made} (leadglass {printable(manifest.version)})"
    here = None if manifest.head is None else _lacks(manifest.head, standing)
    if manifest.head is not None and here is not None:
        yield f"the backup knows the record up to line {manifest.head.seq}, and {here}:"
        yield "  put its files back before the first start, or `leadglass audit verify` will say what is lost"
    for kind, count in since.again.items():
        yield f"  {count} x {kind} since the backup: done again"
    for kind, count in since.missed.items():
        yield f"  {count} x {kind} since the backup: do it again by hand; `leadglass audit tail` shows them"
    if not since.known:
        yield "  what happened after the backup is in no record here: revoke again what was revoked since, withdraw"
        yield "  emergency codes that were used since (ask the receivers of the record for both)"
    if since.sessions:
        yield f"  {since.sessions} sessions were not put back: these people sign in again"
    yield "start the gateway; the record gets an event"
