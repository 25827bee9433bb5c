"""`leadglass deid`: de-identification at the desk: what a profile does, and doing it to files."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from leadglass.cli.audit import printable
from leadglass.cli.tables import print_whole
from leadglass.cli.voice import Exit, fail, spoken
from leadglass_agent.voice import Speaking

if TYPE_CHECKING:
    from leadglass.deid.explain import Line
    from leadglass.deid.profile import Profile

app = typer.Typer(cls=Speaking, no_args_is_help=True, help="De-identify files, and see what a profile does.")

ProfileArgument = Annotated[str, typer.Argument(help="Name of a profile, or a file: `research`, `ours.yaml`.")]
ProfilesOption = Annotated[
    Path | None,
    typer.Option("--profiles", help="The site's own folder of profiles. Default: that of the configuration."),
]
ConfigOption = Annotated[
    Path, typer.Option("-c", "--config", help="The configuration; it names the folder of profiles, where there is one.")
]
_DEFAULT = Path("leadglass.yaml")


@app.callback()
def _group() -> None:
    """Keep `explain` a verb of the group even where it is the only one."""


def chosen(name: str, folder: Path | None) -> "Profile":
    """Return the profile by its name, or the one in a file. Ends the program with words when there is none."""
    from leadglass.deid.profile import load_profiles, parse  # with the dictionary: not for `--help`

    with spoken():
        if name.endswith((".yaml", ".yml")):
            try:
                return parse(name, Path(name).read_bytes())
            except OSError as error:
                fail(f"cannot read {name}: {error.strerror}")
        profiles = load_profiles(folder)
    if name not in profiles:
        fail(f"there is no profile {printable(name)}", f"there are {', '.join(sorted(profiles))}", Exit.NO)
    return profiles[name]


def _folder(config: Path) -> Path | None:
    """Return the folder that the configuration names, None where there is no configuration: profiles need no gateway."""
    if config == _DEFAULT and not config.exists():
        return None
    from leadglass.config.load import load  # late: `--help` needs none of it

    with spoken():
        return load(config).deid.profiles


@app.command("explain")
def explained(
    profile: ProfileArgument,
    profiles: ProfilesOption = None,
    config: ConfigOption = _DEFAULT,
    attribute: Annotated[
        str | None, typer.Option("--attribute", help="One attribute: `StudyDate`, `00080020` or `(0008,0020)`.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also list what nothing but the dictionary names.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON, with every attribute.")] = False,
) -> None:
    """Print what happens to every attribute under a profile, and why."""
    from leadglass.deid.explain import explain, find  # with the dictionary: not for `--help`

    one = chosen(profile, profiles or _folder(config))
    lines = explain(one)
    if attribute is not None:
        found = find(lines, attribute)
        if found is None:
            fail(f"the dictionary has no {printable(attribute)}, so it is removed", code=Exit.NO)
        lines = [found]
    if json:
        document = {
            "profile": one.name,
            "title": one.title,
            "conformant": one.conformant,
            "options": list(one.options),
            "attributes": [asdict(line) for line in lines],
        }
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return
    if attribute is not None:
        (line,) = lines
        sys.stdout.write(f"{line.tag} {line.name} {line.says} ({line.why})\n")
        return
    _print(one, lines, everything=everything)


def _print(profile: "Profile", lines: "list[Line]", *, everything: bool) -> None:
    from leadglass.deid.options import DONE  # with the dictionary: not for `--help`

    shown = [line for line in lines if line.named or everything]
    sys.stdout.write(f"{profile.name}: {profile.title}\n")
    if profile.description:
        sys.stdout.write(f"  {' '.join(profile.description.split())}\n")
    for option in profile.options:
        sys.stdout.write(f"  {option}: {DONE[option]}\n")
    if not profile.conformant:
        sys.stdout.write("  not conformant to PS3.15 Annex E\n")
    listed = Table(box=None, pad_edge=False)
    for head in ("tag", "attribute", "what happens", "why"):
        listed.add_column(head, no_wrap=True)
    for line in shown:
        listed.add_row(line.tag, escape(line.name), line.says, line.why)
    print_whole(listed)
    if len(shown) < len(lines):
        sys.stdout.write(f"{len(lines) - len(shown)} more are named by nothing but the dictionary; --all lists them\n")
