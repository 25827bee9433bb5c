"""`leadglass deid run`: files and folders de-identified without gateway or store."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from leadglass.cli.audit import printable
from leadglass.cli.bar import bar
from leadglass.cli.deid import ProfilesOption, chosen
from leadglass.cli.voice import Exit, fail, spoken

if TYPE_CHECKING:
    from leadglass.copies.copier import Making
    from leadglass.copies.found import Found
    from leadglass.copies.journal import Binding
    from leadglass.copies.report import About
    from leadglass.copies.run import Result
    from leadglass.deid.profile import Profile

_LISTED: Final = 50  # files without a copy named on a terminal; --json names all
_FEW: Final = 64  # files for which other processes take longer to start than to help
ProfileOption = Annotated[
    str, typer.Option("--profile", metavar="PROFILE", help="Name of a profile, or a file: `research`, `ours.yaml`.")
]


def run(  # noqa: PLR0913, PLR0917 - the options of a verb
    source: Annotated[Path, typer.Argument(metavar="IN", help="A DICOM file, or a folder with files and folders.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the copies: new, or of a run to go on with.")],
    profile: ProfileOption,
    profiles: ProfilesOption = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key of the pseudonyms (0600), made when absent. Default OUT.key."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where devices write on their pictures (YAML).")
    ] = None,
    before: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also a report with pictures of the originals: for you alone, not in OUT."),
    ] = None,
    *,
    jobs: Annotated[int, typer.Option(min=0, max=64, help="Processes; 0 takes one for each core.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write de-identified copies of files. Interrupted, it goes on where it was when run again."""
    from leadglass.copies.found import look  # late: `--help` needs none of these
    from leadglass.copies.journal import Journal
    from leadglass.copies.run import run as copy_all

    _apart(source, out, before)
    with spoken(), _tidily():
        one = chosen(profile, profiles)
        keyfile = key or out.with_name(f"{out.name}.key")
        making, binding, made = _making(one, keyfile, masks)
        files = look(source)
        _begun(out)
        try:
            with Journal.open(out, binding) as journal:
                with bar("de-identifying", sum(found.size for found in files)) as progress:
                    processes = _processes(jobs, files)
                    result = copy_all(making, files, out, journal, jobs=processes, progress=progress)
                report = _reports(result, one, out, before)
        except OSError as error:
            fail(f"cannot write {error.filename or out}: {error.strerror}", "see to room and rights, and run it again")
    if json:
        sys.stdout.write(orjson.dumps(_document(result, report, keyfile), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _told(result, source, out, report, one)))
        if made:
            sys.stdout.write(
                f"key: {keyfile}, made now. Who has it can try out whose a pseudonym is: keep it apart, or destroy it\n"
            )
    if result.counts["refused"]:
        raise SystemExit(Exit.NO)


def _apart(source: Path, out: Path, before: Path | None) -> None:
    """Refuse what would mix originals and copies."""
    originals, copies = source.resolve(), out.resolve()
    if originals == copies or originals in copies.parents or copies in originals.parents:
        fail(f"{out} and {source} lie in each other", "name a folder for the copies that is apart", Exit.USAGE)
    if before is not None and (copies == before.resolve() or copies in before.resolve().parents):
        fail(f"{before} would travel with the copies", "it shows originals: name a file outside of OUT", Exit.USAGE)


def _begun(out: Path) -> None:
    """Make the folder of the copies, or see that it is one."""
    from leadglass.copies.journal import NAME

    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (out / NAME).exists() and any(out.iterdir()):
            fail(f"{out} holds other files", "name a new folder, so that nothing but copies is in it", Exit.USAGE)
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}", "name another folder")


def _making(profile: "Profile", keyfile: Path, masks: Path | None) -> "tuple[Making, Binding, bool]":
    from leadglass.copies.copier import Making
    from leadglass.copies.journal import Binding
    from leadglass.copies.keyfile import key_in
    from leadglass.deid.masks import Masks, load_masks
    from leadglass.deid.pixels import Pixels
    from leadglass.deid.rules import Rules
    from leadglass.hazmat.mac import sha256
    from leadglass.hazmat.pseudonym import Pseudonymiser

    regions = load_masks(masks) if masks is not None else Masks()
    key, made = key_in(keyfile, make=True)
    binding = Binding(
        profile.name,
        sha256(profile.model_dump_json().encode()).hex(),
        Pseudonymiser(key).name("fingerprint", ""),
        sha256(masks.read_bytes()).hex() if masks is not None else "",
    )
    return Making(Rules(profile), key, Pixels(profile.pixels, regions)), binding, made


def _processes(jobs: int, files: "list[Found]") -> int:
    from leadglass.copies.run import cores

    if jobs:
        return jobs
    return cores() if sum(found.kind == "dicom" for found in files) >= _FEW else 1


def _reports(result: "Result", profile: "Profile", out: Path, before: Path | None) -> Path:
    """Write the report, and the one with pictures of originals where it was asked for."""
    from leadglass.clock import SystemClock, rfc3339
    from leadglass.copies.bounds import REPORT_PICTURES
    from leadglass.copies.pictures import picture
    from leadglass.copies.report import About, render
    from leadglass.copies.scan import REPORT
    from leadglass.hazmat.files import write_private
    from leadglass_agent import __version__

    shown = [
        series.shown
        for series in sorted(result.series.values(), key=lambda one: (one.study, one.uid))[:REPORT_PICTURES]
    ]
    pictures: dict[str, str] = {}
    earlier: dict[str, str] = {}
    with bar("taking pictures", len(shown)) as progress:
        for name in shown:
            if uri := picture(out / name):
                pictures[name] = uri
            if before is not None and name in result.sources and (uri := picture(result.sources[name])):
                earlier[name] = uri
            progress(1)

    def about(of: dict[str, str] | None) -> "About":
        made = rfc3339(SystemClock().now())[:10]
        return About(profile.title, profile.name, made, __version__, pictures, of)

    write_private(out / REPORT, render(result, about(None)).encode())
    if before is not None:
        write_private(before, render(result, about(earlier)).encode())
    return out / REPORT


def _told(result: "Result", source: Path, out: Path, report: Path, profile: "Profile") -> Iterator[str]:
    from leadglass.copies.report import reason, size

    studies = len({series.study for series in result.series.values()})
    yield (
        f"{_counted(result.counts['written'], 'instance')} of {len(result.series)} series and "
        f"{_counted(studies, 'study', 'studies')} in {out} "
        f"({size(result.copied)})" + (f", {result.before} of them of an earlier run" if result.before else "")
    )
    if result.counts["double"]:
        yield f"{result.counts['double']} files were there twice, and have one copy"
    if result.left:
        yield f"{_counted(len(result.left), 'file')} without a copy:"
    for left in result.left[:_LISTED]:
        yield f"  {printable(left.name)}: {reason(left.code)}{f': {printable(left.why)}' if left.why else ''}"
    if len(result.left) > _LISTED:
        yield f"  and {len(result.left) - _LISTED} more (--json names all)"
    yield f"report: {report}"
    yield f"now look for survivors: leadglass deid verify {out} --profile {profile.name} --against {source}"


def _counted(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or f'{one}s'}"


def _document(result: "Result", report: Path, keyfile: Path) -> dict[str, Any]:
    return {
        "written": result.counts["written"],
        "before": result.before,
        "doubles": result.counts["double"],
        "bytes": result.copied,
        "series": [
            {"study": one.study, "series": one.uid, "modality": one.modality, "instances": len(one.copies)}
            for one in result.series.values()
        ],
        "attributes": {tag: dict(ways) for tag, ways in sorted(result.attributes.items())},
        "left": [asdict(left) for left in result.left],
        "report": str(report),
        "key": str(keyfile),
    }


@contextmanager
def _tidily() -> Iterator[None]:
    """Let SIGTERM end the program as Ctrl-C does: what is half written goes, what is done is in the journal."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
