"""`leadglass keys`: the keys that the gateway made and that a backup must hold."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from leadglass.cli.passphrase import PassphraseOption, passphrase
from leadglass.cli.voice import Exit, fail, spoken

app = typer.Typer(help="The gateway's own keys.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look after the gateway's own keys."""


ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")]


def _files(config: Path) -> list[Path]:
    """Return where the configuration has the keys that are exported."""
    from leadglass.audit.chain import beside  # late: `--help` needs none of these
    from leadglass.config.load import load

    with spoken():
        settings = load(config)
    folder = settings.store.parent / "device-ca"
    return [folder / "ca.key", folder / "ca.pem", *(beside(settings.audit.file, end) for end in ("key", "pub"))]


@app.command()
def export(
    to: Annotated[Path, typer.Argument(help="File to write (0600). It must not exist.")],
    config: ConfigOption = Path("leadglass.yaml"),
    passphrase_file: PassphraseOption = None,
) -> None:
    """Write the device CA and the record's key, encrypted under a passphrase, for safe keeping.

    Without the device CA every device has to enrol anew.
    """
    from leadglass.hazmat.backup import seal  # late: `--help` needs none of it

    files = _files(config)
    secret = passphrase(passphrase_file, confirm=True)
    try:
        sealed = seal({str(file): file.read_bytes() for file in files if file.exists()}, secret)
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(sealed, option=orjson.OPT_INDENT_2))
    except FileExistsError:
        fail(f"{to} exists", "name another file", Exit.NO)
    except ValueError as error:
        fail(f"cannot export: {error}", "start the gateway once, and choose a longer passphrase", Exit.NO)
    except OSError as error:
        fail(f"cannot export: {error.strerror}", "run it as the user of the gateway")
    sys.stdout.write(f"wrote {to}; keep it and its passphrase apart\n")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A file that `leadglass keys export` wrote.")],
    config: ConfigOption = Path("leadglass.yaml"),
    passphrase_file: PassphraseOption = None,
) -> None:
    """Put exported keys back where they were. A file that exists is never overwritten. Start the gateway afterwards."""
    from leadglass.hazmat.backup import unseal  # late: `--help` needs none of it
    from leadglass.hazmat.files import write_private

    known = {str(file) for file in _files(config)}
    try:
        files = unseal(orjson.loads(source.read_bytes()), passphrase(passphrase_file, confirm=False))
    except OSError as error:
        fail(f"cannot read {source}: {error.strerror}", "name the file that `leadglass keys export` wrote")
    except (ValueError, TypeError) as error:
        fail(f"cannot open {source}: {error}", "is it the file, and is it its passphrase?", Exit.NO)
    if others := sorted(files.keys() - known):
        fail(
            f"{others[0]} is no place of a key", "the configuration must name the folders it was exported from", Exit.NO
        )
    if there := [name for name in files if Path(name).exists()]:
        fail(f"{there[0]} exists", "move it away first; nothing was written", Exit.NO)
    for name, data in files.items():
        try:
            Path(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(Path(name), data)
        except OSError as error:
            fail(f"cannot write {name}: {error.strerror}", "run it as the user of the gateway")
        sys.stdout.write(f"wrote {name}\n")


class Kind(StrEnum):
    """The keys that the gateway made."""

    RECORD = "record"
    DEVICE_CA = "device-ca"
    SESSION = "session"
    ASSERTION = "assertion"
    PROJECTS = "projects"


@app.command()
def rotate(
    kind: Annotated[Kind, typer.Argument(help="Which key.")],
    config: ConfigOption = Path("leadglass.yaml"),
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let a new key follow one of the running gateway's; what rests on the old one stays good for its time."""
    from leadglass.cli.admin import asked, put, settings_of  # late: `--help` needs none of it

    said = asked(settings_of(config), "POST", f"/keys/{kind}/rotate")
    if json:
        put(said)
        return
    words = {
        Kind.RECORD: "heads are signed by {to} from now on; those by {from} go on to verify",
        Kind.DEVICE_CA: "certificates are issued by a new CA; those of the old one are good until {until}, "
        "and {codes_void} open enrolment codes are void",
        Kind.ASSERTION: "{to} is published from now on and signs assertions from {since}; that by {from} is until {until}",
        Kind.SESSION: "{sessions} sessions are sealed anew; sign-ins under way have until {until}",
        Kind.PROJECTS: "{keys} keys of projects are sealed anew; pseudonyms stay as they are "
        "(`leadglass project rotate` gives a project another key)",
    }
    sys.stdout.write(words[kind].format(**said) + "\nmake a backup now: the one before does not hold the new key\n")
