"""`leadglass audit`: read the record, prove that it is whole, and find who saw what."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from leadglass.audit.chain import beside, segments
from leadglass.audit.feed import Gap
from leadglass.audit.search import OUTCOMES, Hit, Outcome, Query, member
from leadglass.audit.search import search as search_record
from leadglass.audit.tail import tail as tail_record
from leadglass.audit.verify import BrokenRecord, GivenHead, Verdict, given_heads
from leadglass.audit.verify import verify as verify_record
from leadglass.cli.bar import bar
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.config.load import load
from leadglass.hazmat.hashchain import HeadKeys

app = typer.Typer(help="The record: read it, prove it, search it.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("-c", "--config", help="The configuration; it names the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
_CONFIG = Path("leadglass.yaml")


@app.callback()
def _group() -> None:
    """Read the record, prove that it is whole, and find who saw what."""


def record_of(config: Path) -> Path:
    """Return the record that the configuration names; ends the program when there is none."""
    with spoken():
        file = load(config).audit.file
    return there(file)


def there(file: Path) -> Path:
    """Return the record `file`; ends the program when there is none."""
    try:
        found = segments(file)
    except OSError as error:
        fail(f"cannot read the record {file}: {error.strerror}", "the gateway makes it when it first starts")
    if not found:
        fail(f"there is no record at {file}", "the gateway makes it when it first starts")
    return file


def printable(value: object) -> str:
    """Return a text that a terminal shows and never obeys: control and format characters are spelled out."""
    text = "-" if value is None else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def place(ip: str | None, country: str | None, city: str | None) -> str | None:
    """Return an address, and where it is as far as that is known."""
    known = ", ".join(name for name in (city, country) if name)
    return f"{ip} ({known})" if ip and known else ip


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """End the program in words when the record cannot be read."""
    try:
        yield
    except OSError as error:
        fail(f"cannot read {error.filename or file}: {error.strerror}", "run it as the user that owns the record")


def size_of(file: Path) -> int:
    """Return how many bytes the record has, over all its files."""
    return sum(path.stat().st_size for path in segments(file))


def put_line(document: object) -> None:
    """Print a document as one line of JSON."""
    sys.stdout.write(orjson.dumps(document).decode() + "\n")


def _decision(document: dict[str, Any]) -> str:
    words = [
        "let through while observing, else refused"
        if document.get("observed") == "refuse"
        else "allowed"
        if member(document, "decision", "allow") is True
        else "refused",
        member(document, "subject", "id") or "somebody unknown",
        f"at {place(*(member(document, 'client', name) for name in ('ip', 'country', 'city'))) or '?'}",
        member(document, "action", "transaction") or member(document, "request", "path"),
        member(document, "resource", "instance_uid") or member(document, "resource", "study_uid"),
        ", ".join(str(reason.get("code")) for reason in member(document, "decision", "reasons") or ()),
    ]
    return " ".join(str(word) for word in words if word)


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "decision": _decision,
    "use": lambda d: (
        f"allowed {d.get('transaction')} {d.get('sop_uid') or d.get('series_uid') or ''} under {d.get('leased_from')}"
    ),
    "completion": lambda d: (
        f"lease of {d.get('leased_from')} ended: {d.get('uses')} requests, {d.get('bytes')} bytes"
        if "uses" in d
        else f"{d.get('decision_id')} ended: status {d.get('status')}, {d.get('bytes')} bytes in {d.get('ms')} ms"
        + (f", cut by {d.get('cut_by')}" if d.get("cut_by") else "")
    ),
    "event": lambda d: f"{d.get('kind')} {orjson.dumps(d.get('fields')).decode()}",
    "head": lambda d: f"signed head of line {member(d, 'signed', 'seq')} by {d.get('key')}",
}


def sentence(line: bytes) -> str:
    """Return one line of the record in words."""
    try:
        document = orjson.loads(line)
        words = _SENTENCES[document["type"]](document)
        return printable(f"{document['seq']:>8}  {document.get('timestamp') or '':27}  {words}")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "unreadable line: " + printable(line[:120].decode("utf-8", "backslashreplace"))


@app.command()
def tail(
    config: Config = _CONFIG,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines are written.")] = False,
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many lines to begin with.")] = 20,
    json: Json = False,
) -> None:
    """Show the last lines of the record."""
    file = record_of(config)
    try:
        with reading(file):
            for line in tail_record(file, count, follow=follow):
                sys.stdout.write(line.decode("utf-8", "backslashreplace") if json else sentence(line) + "\n")
                sys.stdout.flush()
    except Gap as gap:
        fail(str(gap), "the record was moved away or begun anew; start again")
    except KeyboardInterrupt:
        raise typer.Exit(Exit.OK) from None


def _keys(file: Path, key: Path | None) -> HeadKeys:
    path = key if key is not None else beside(file, "pub")
    try:
        keys = HeadKeys.from_pem(path.read_bytes())
    except OSError as error:
        fail(f"cannot read the public key {path}: {error.strerror}", "name a copy of it with --key")
    except ValueError as error:
        fail(f"cannot use the public key {path}: {error}", "name a copy of it with --key")
    if not keys.keys:
        fail(f"there is no public key in {path}", "name a copy of it with --key")
    return keys


def _whole(verdict: Verdict, heads: list[GivenHead]) -> str:
    head = (
        f"the last of {verdict.heads} signed heads is of {verdict.last_head}" if verdict.heads else "no signed head yet"
    )
    given = f"; all {len(heads)} heads given fit" if heads else ""
    return (
        f"The record is whole: {verdict.lines} lines in {verdict.files} files, chain {verdict.chain}, "
        f"up to line {verdict.seq}; {head}, {verdict.after_head} lines before the end{given}."
    )


@app.command()
def verify(
    config: Config = _CONFIG,
    *,
    head: Annotated[
        Path | None, typer.Option(help="Heads collected from the gateway's stdout; they show a tail that was cut off.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="A copy of the public key, kept elsewhere.")] = None,
    json: Json = False,
) -> None:
    """Check every line, the chain and the signed heads; name the first line that does not fit."""
    file = record_of(config)
    keys = _keys(file, key)
    try:
        with reading(file):
            heads = given_heads(head, keys) if head is not None else []
            if head is not None and not heads:
                fail(f"there is no signed head in {head}", "collect the gateway's stdout; a head is written every 10 s")
            with bar("verifying", size_of(file)) as progress:
                verdict = verify_record(file, keys, heads, progress)
    except BrokenRecord as broken:
        if json:
            put_line({"whole": False, "file": str(broken.file), "line": broken.line, "why": broken.why})
            raise typer.Exit(Exit.NO) from None
        fail(
            f"the record is not whole: {broken}",
            "keep the files as they are, and compare them with what the sinks received",
            Exit.NO,
        )
    if json:
        put_line({"whole": True, "file": str(file), "lines": verdict.lines, "files": verdict.files, "chain": verdict.chain,
              "seq": verdict.seq, "hash": verdict.hash, "heads": verdict.heads, "last_head": verdict.last_head,
              "lost": verdict.lost})  # fmt: skip
    else:
        sys.stdout.write(_whole(verdict, heads) + "\n")
        for lost in verdict.lost:
            sys.stdout.write(f"Lost: {printable(lost)}\n")


def seconds(value: str | None) -> float | None:
    """Return the time that an option names, in epoch seconds. Ends the program when it names none."""
    if value is None:
        return None
    try:
        said = datetime.fromisoformat(value)
    except ValueError:
        fail(f"not a time: {printable(value)}", "write it as 2026-11-23 or 2026-11-23T18:00:00Z (UTC)", Exit.USAGE)
    return (said if said.tzinfo is not None else said.replace(tzinfo=UTC)).timestamp()


def _document(hit: Hit) -> dict[str, Any]:
    names = [name for name in Hit.__dataclass_fields__ if name != "seconds"]
    return {name: getattr(hit, name) for name in names}


def _line(hit: Hit, uses: int) -> Text:
    colour = {"allowed": "green", "observed": "magenta", "refused": "red"}[hit.outcome]
    what = f"{hit.transaction or hit.action or '-'} {hit.resource or ''}".strip()
    if uses > 1:
        what = f"{hit.transaction} and {uses - 1} more requests under one lease"
    if hit.type == "completion":
        what = f"ended: status {hit.status}, {hit.bytes} bytes, {len(hit.studies)} studies"
        what += " (and others, not listed)" if hit.incomplete else ""
        what += f", cut by {hit.cut_by}" if hit.cut_by else ""
    parts = [hit.timestamp, hit.subject, hit.device, place(hit.ip, hit.country, hit.city), what]
    if hit.patients:
        parts.append("patient " + (hit.patients[0] if len(hit.patients) == 1 else f"{len(hit.patients)} listed"))
    text = Text("  ".join(printable(part) for part in parts[:1]) + "  ")
    text.append(hit.outcome, style=colour)
    text.append("  " + "  ".join(printable(part) for part in parts[1:]))
    if hit.reasons:
        text.append("  " + printable(", ".join(hit.reasons)), style="yellow")
    return text


def _folded(hits: Iterator[Hit]) -> Iterator[tuple[Hit, int]]:
    """Put uses of one lease that follow each other into one."""
    held: Hit | None = None
    count = 0
    for hit in hits:
        if held is not None and hit.type == "use" and hit.leased_from == held.leased_from:
            count += 1
            continue
        if held is not None:
            yield held, count
        held, count = (hit, 1) if hit.type == "use" else (None, 0)
        if hit.type != "use":
            yield hit, 1
    if held is not None:
        yield held, count


@app.command()
def search(  # noqa: PLR0913 - each parameter is an option of the verb
    config: Config = _CONFIG,
    *,
    patient: Annotated[str | None, typer.Option(help="Patient ID: who saw this patient, in lists too.")] = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID.")] = None,
    subject: Annotated[str | None, typer.Option(help="Person or service: what did they do.")] = None,
    device: Annotated[str | None, typer.Option(help="Device id.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on (RFC 3339; UTC when it names no zone).")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="allowed, refused, or observed: let through though the decision is a no.")
    ] = None,
    country: Annotated[str | None, typer.Option(help="Country of the client address, as in DE.")] = None,
    decision: Annotated[str | None, typer.Option(help="Decision id, as replies and refusals carry it.")] = None,
    json: Json = False,
) -> None:
    """Find who saw a patient or a study, and what a person or device did."""
    outcomes: dict[str | None, Outcome | None] = {None: None, **{name: name for name in OUTCOMES}}
    if outcome not in outcomes:
        fail(f"not an outcome: {printable(outcome)}", "use allowed, refused or observed", Exit.USAGE)
    query = Query(patient, study, subject, device, seconds(since), seconds(until), outcomes[outcome], decision, country)
    file = record_of(config)
    console, found = Console(highlight=False, soft_wrap=True), 0
    with reading(file), bar("searching", size_of(file)) as progress:
        hits = search_record(file, query, progress)
        if json:
            for hit in hits:
                found += 1
                put_line(_document(hit))
        else:
            for hit, uses in _folded(hits):
                found += uses
                console.print(_line(hit, uses))
    if not json:
        sys.stdout.write(f"{found} found\n" if found else "nothing found\n")
    raise typer.Exit(Exit.OK if found else Exit.NO)
