"""`leadglass project`: projects, whose people see the archive under pseudonyms. Speaks to the running gateway."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from leadglass.cli.admin import asked, put, settings_of
from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.hazmat.files import read_private
from leadglass.limits import BREAK_GLASS_CHARS, PROJECT_TITLE_CHARS, REIDENTIFY_SECONDS
from leadglass.model.project import NAME

app = typer.Typer(help="Projects, whose people see the archive under pseudonyms.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the admin socket.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the project: a-z, 0-9 and dashes.")]
_CONFIG = Path("leadglass.yaml")
_LOOK_SECONDS = 1.0  # a person is waited for, and the admin socket tells nothing by itself
_OVER = frozenset({"confirmed", "refused"})


@app.callback()
def _group() -> None:
    """Projects, whose people see the archive under pseudonyms."""


def checked(name: str) -> str:
    """Return a name of a project; ends the program for what cannot be one."""
    if NAME.fullmatch(name) is None:
        fail("that is no name of a project", "1 to 32 letters a-z, digits and dashes", Exit.USAGE)
    return name


def _brought(file: Path) -> str:
    try:
        with spoken():
            return read_private(file).decode("ascii", "replace").strip()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", "name the file of the key")


@app.command()
def create(
    name: Name,
    title: Annotated[str, typer.Option(help="What it is, for people.")],
    profile: Annotated[str, typer.Option(help="Profile: how it is de-identified.")],
    config: Config = _CONFIG,
    *,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key, brought from elsewhere: 64 hexadecimal digits (0600).")
    ] = None,
    json: Json = False,
) -> None:
    """Make a project, with a key of its own. Policy says who sees the archive through it."""
    if not (0 < len(title.strip()) <= PROJECT_TITLE_CHARS and title.isprintable()):
        fail("that is no title", f"at most {PROJECT_TITLE_CHARS} printable characters", Exit.USAGE)
    form = {"name": checked(name), "title": title, "profile": profile, "key": None if key is None else _brought(key)}
    made = asked(settings_of(config), "POST", "/projects", form)
    if json:
        put(made)
        return
    sys.stdout.write(f"project {made['name']} is open\nmake a backup now: without its key nobody finds who is who\n")


@app.command(name="list")
def list_projects(config: Config = _CONFIG, *, json: Json = False) -> None:
    """List all projects, closed ones too."""
    held = asked(settings_of(config), "GET", "/projects")["projects"]
    if json:
        put(held)
        return
    table = Table("NAME", "STATE", "KEY", "PROFILE", "CREATED", "BY", "TITLE", box=None, pad_edge=False)
    for one in held:
        key = f"{one['generation']}" if one["key_destroyed"] is None else "destroyed"
        cells = (one["name"], one["state"], key, one["profile"], one["created"][:10], one["created_by"], one["title"])
        table.add_row(*map(printable, cells))
    print_whole(table if held else "no projects; `leadglass project create` makes one")


@app.command()
def rotate(name: Name, config: Config = _CONFIG, *, json: Json = False) -> None:
    """Give a project a new key: everybody and everything in it has other pseudonyms from now on.

    Those of before open nothing any more. Who they stand for can still be asked (`leadglass project reidentify`).
    """
    said = asked(settings_of(config), "POST", f"/projects/{checked(name)}/rotate")
    if json:
        put(said)
        return
    sys.stdout.write(
        f"project {said['name']} has key {said['generation']}: all pseudonyms are other ones from now on, dates move by other "
        "days,\nand those of before open nothing any more; who they stand for can still be asked\n"
        "make a backup now: the one before does not hold the new key\n"
    )


@app.command()
def close(
    name: Name,
    config: Config = _CONFIG,
    *,
    destroy_key: Annotated[
        bool, typer.Option("--destroy-key", help="Destroy its keys too: nobody can ever tell again who is who.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The name once more, where nobody can be asked. Only with --destroy-key.")
    ] = None,
    json: Json = False,
) -> None:
    """Close a project: nobody sees anything through it any more. Who its pseudonyms stand for can still be asked.

    With `--destroy-key` that ends too, and nothing brings it back: the keys and all mappings are destroyed.
    """
    checked(name)
    if destroy_key:
        if confirm is None and sys.stdin.isatty():
            sys.stderr.write(
                f"Nobody, with whatever reason, will be able to tell who the pseudonyms of {name} stand for.\n"
            )
            confirm = typer.prompt("Name of the project", err=True)
        if confirm != name:
            fail("nothing was destroyed", f"say the name once more: --confirm {name}", Exit.USAGE)
    said = asked(settings_of(config), "POST", f"/projects/{name}/close", {"destroy": destroy_key})
    if json:
        put(said)
        return
    sys.stdout.write(f"project {said['name']} is closed\n")
    if destroy_key:
        sys.stdout.write(
            "its keys and mappings are destroyed here; backups made before still hold them: destroy those too\n"
        )


@app.command()
def reidentify(
    pseudonym: Annotated[
        str, typer.Argument(help="A UID, PatientID or accession number as people of the project see it.")
    ],
    project: Annotated[str, typer.Option(metavar="NAME", help="Name of the project.")],
    reason: Annotated[str, typer.Option(help="Why; whoever confirms it sees it, and it goes to the record.")],
    config: Config = _CONFIG,
    *,
    json: Json = False,
) -> None:
    """Ask who a pseudonym stands for. A person has to confirm it in a browser, freshly signed in with a second factor.

    Policy says who may (the role `privacy-officer`, as shipped). The record has who asked, who confirmed, why and which
    pseudonym, and never the answer.
    """
    if not (0 < len(reason.strip()) <= BREAK_GLASS_CHARS and reason.isprintable()):
        fail("that is no reason", f"at most {BREAK_GLASS_CHARS} printable characters", Exit.USAGE)
    settings = settings_of(config)
    form = {"pseudonym": pseudonym, "reason": reason}
    asking = asked(settings, "POST", f"/projects/{checked(project)}/reidentify", form)
    sys.stderr.write(
        f"to be confirmed within {REIDENTIFY_SECONDS / 60:.0f} minutes, by a person who may, at\n"
        f"    {settings.public_url[0]}{asking['confirm']}\nwaiting...\n"
    )
    while (said := asked(settings, "GET", f"/reidentifications/{asking['request']}"))["state"] not in _OVER:
        time.sleep(_LOOK_SECONDS)  # until the person has answered
    if said["state"] == "refused":
        fail("whoever was asked to confirm it refused", "it is recorded", Exit.NO)
    if json:
        put(said["found"])
    elif not said["found"]:
        fail("nobody: it was never shown, or its key is gone", "is it spelt rightly, and of this project?", Exit.NO)
    else:
        for one in said["found"]:
            issuer = f" (issuer {printable(one['issuer'])})" if "issuer" in one else ""
            sys.stdout.write(f"{one['kind']}: {printable(one['original'])}{issuer}\n")
