"""The files of one record: which there are, in which order, and where the chain stands after a stop or a crash.

The file in use has the configured name. A rotated one has the `seq` of its first line behind it, twelve digits, so
that names sort as lines do. Beside them stand `.key` and `.pub` (head key), `.lock`, `.cursor-*` (sinks) and `.torn-*`
(what a crash left behind the last whole line).
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from leadglass import locks
from leadglass.hazmat.hashchain import BrokenLine, Link, check
from leadglass.limits import KIB
from leadglass.model.errors import ConfigurationError

_ROTATED = re.compile(r"\.([0-9]{12})")
_FIRST = re.compile(rb'\{"seq":([0-9]{1,19}),')
_WINDOW = 64 * KIB


def beside(file: Path, suffix: str) -> Path:
    """Return the path of a companion of the record, such as `decisions.jsonl.key`."""
    return file.with_name(f"{file.name}.{suffix}")


def rotated_name(file: Path, first: int) -> Path:
    """Return the name that the file whose first line is `first` gets when it is rotated."""
    return beside(file, f"{first:012d}")


def segments(file: Path) -> list[Path]:
    """Return the files of the record in the order of their lines; the one in use is last. Raises OSError."""
    found = [
        path
        for path in file.parent.iterdir()
        if path.name.startswith(file.name) and _ROTATED.fullmatch(path.name[len(file.name) :])
    ]
    found.sort(key=lambda path: path.name)
    return [*found, file] if file.exists() else found


def first_seq(path: Path) -> int | None:
    """Return the `seq` of the first line, None when there is no whole one. Raises OSError."""
    with path.open("rb") as file:
        match = _FIRST.match(file.read(32))
    return int(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Torn:
    """What stood behind the last whole line, and where it was put."""

    bytes: int
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the record stands: its last line (None when there is none), and the size of the file in use."""

    last: Link | None
    size: int
    first: int  # seq of the first line of the file in use; 0 when it is empty or missing
    torn: tuple[Torn, ...] = ()


def last_whole(path: Path) -> tuple[Link | None, int, int]:
    """Return the last whole line of `path`, where it ends, and the size of the file. Raises OSError, ConfigurationError.

    Looked for from the end, further back each time: a crash may leave all that no fsync covered as zeros.
    """
    window = _WINDOW
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            start = max(0, size - window)
            file.seek(start)
            data = file.read(size - start)
            if (found := _whole_in(data, first=start == 0)) is not None:
                link, end = found
                return link, start + end, size
            if start == 0:
                break
            window *= 4
    if b"\n" in data:
        raise ConfigurationError(
            f"{path} holds no whole line of a record",
            hint="move it away to begin a new record, and find out what wrote to it",
        )
    return None, 0, size


def last_link(file: Path) -> Link | None:
    """Return the last whole line of the record, changing nothing; None when there is none. Raises OSError."""
    if file.parent.is_dir():
        for path in reversed(segments(file)):
            try:
                link = last_whole(path)[0]
            except ConfigurationError:  # no line of it is whole: the start of a gateway says so
                continue
            if link is not None:
                return link
    return None


def take_lock(file: Path) -> int:
    """Take the record for this process and return the descriptor; closing it lets go. Raises ConfigurationError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot open the record {file}: {error.strerror}") from error
    return locks.take(
        beside(file, "lock"),
        f"another process writes the record {file}",
        "one gateway, one record: stop the other one, or give this one a file of its own under audit.file",
    )


def _whole_in(data: bytes, *, first: bool) -> tuple[Link, int] | None:
    """Return the last whole line in `data` and where it ends. `first` says that a line begins where `data` does."""
    end = data.rfind(b"\n") + 1
    while end > 0:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if begin > 0 or first:
            try:
                return check(data[begin:end]), end
            except BrokenLine:
                pass
        end = begin
    return None


def _set_aside(file: Path, end: int, last: Link | None, *, of: Path | None = None) -> Torn:
    """Move what stands behind `end` of `file`, or of the rotated file `of`, into a file of its own, and cut it off here."""
    target = beside(file, f"torn-{last.seq if last else 0:012d}")
    count = 0
    while target.exists():
        count += 1
        target = beside(file, f"torn-{last.seq if last else 0:012d}-{count}")
    with (of or file).open("r+b") as source:
        source.seek(end)
        tail = source.read()
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as copy:
            copy.write(tail)
            copy.flush()
            os.fsync(copy.fileno())
        source.truncate(end)
        os.fsync(source.fileno())
    return Torn(len(tail), hashlib.sha256(tail).hexdigest(), target)


def recover(file: Path) -> Standing:
    """Find where the chain stands and set a torn tail aside.

    Whatever follows the last line whose own hash is right is moved into a `.torn-*` file, so nothing is lost and the
    chain goes on from a line that is whole. Without one in the file in use that line is sought in the rotated one before
    it, which no fsync may have covered either. Raises OSError, and ConfigurationError for a file that is no record.
    """
    torn: tuple[Torn, ...] = ()
    if file.exists():
        last, end, size = last_whole(file)
        torn = (_set_aside(file, end, last),) if end < size else ()
        if last is not None:
            return Standing(last, end, first_seq(file) or 0, torn)
    older = [path for path in segments(file) if path != file]
    if not older:
        return Standing(None, 0, 0, torn)
    before = older[-1]
    last, end, size = last_whole(before)
    if last is None:
        raise ConfigurationError(
            f"{before} holds no whole line of a record",
            hint="restore it from a copy, or move the record away to begin a new one",
        )
    if end < size:
        torn = (_set_aside(file, end, last, of=before), *torn)
    return Standing(last, 0, 0, torn)
