"""`leadglass deid verify`: a look for what copies should not hold."""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from leadglass.cli.audit import printable
from leadglass.cli.bar import bar
from leadglass.cli.deid import ProfilesOption, chosen
from leadglass.cli.voice import Exit, fail, spoken

if TYPE_CHECKING:
    from leadglass.copies.originals import Originals
    from leadglass.copies.scan import Finding


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A copy, or a folder with copies, whoever made them.")],
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="PROFILE", help="What they were made with. Default: what OUT says, else basic."
        ),
    ] = None,
    profiles: ProfilesOption = None,
    against: Annotated[
        Path | None, typer.Option(metavar="IN", help="The originals: their values are looked for in every byte.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for survivors: say in which file what is left that should not be, and why. Values are not shown."""
    from leadglass.copies.bounds import SCAN_FINDINGS
    from leadglass.copies.found import look  # late: `--help` needs none of these
    from leadglass.copies.scan import OURS, originals, scan
    from leadglass.deid.rules import Rules

    with spoken():
        rules = Rules(chosen(profile or _profile_of(out), profiles))
        values: Originals | None = None
        if against is not None:
            source = look(against)
            with bar("reading originals", sum(found.size for found in source)) as progress:
                values = originals(source, rules, progress)
        files = look(out)
        kept: list[Finding] = []
        more = 0
        with bar("looking", sum(found.size for found in files)) as progress:
            for finding in scan(files, rules, values, progress):
                if len(kept) < SCAN_FINDINGS:
                    kept.append(finding)
                else:
                    more += 1
    looked = sum(found.name not in OURS for found in files)
    if not looked:
        fail(f"nothing to look at in {out}", "name the folder of the copies", Exit.COULD_NOT)
    if json:
        document = {
            "files": looked, "profile": rules.profile.name, "findings": [asdict(one) for one in kept], "more": more,
            "too_short": values.short if values else 0,
        }  # fmt: skip
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _tell(kept, more, looked, rules.profile.name, values)
    if kept:
        raise SystemExit(Exit.NO)


def _profile_of(out: Path) -> str:
    """Return the profile that a folder of copies was made with, as its journal says; else the Basic Profile."""
    from leadglass.copies.journal import profile_in

    return profile_in(out) or "basic"


def _tell(kept: "list[Finding]", more: int, looked: int, profile: str, values: "Originals | None") -> None:
    for one in kept:
        sys.stdout.write(f"{printable(one.file)}: {one.where}: {one.why}\n")
    if more:
        sys.stdout.write(f"and {more} more\n")
    if values is not None and values.short:
        sys.stdout.write(f"{values.short} values of originals are too short to be looked for\n")
    counts = ", ".join(f"{count} x {code}" for code, count in Counter(one.code for one in kept).most_common())
    found = (
        f"{len(kept) + more} survivors in {len({one.file for one in kept})} files ({counts})"
        if kept
        else "no survivors"
    )
    sys.stdout.write(f"{looked} files looked at by the profile {profile}: {found}\n")
