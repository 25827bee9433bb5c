"""Reading the record while it is written: whole lines from a position on, over rotated files.

A position is the `seq` of a file's first line and an offset in that file, so it survives the file being renamed by
rotation. It names the chain too: a record that was moved away and begun anew is not read from the middle.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from leadglass.audit.chain import first_seq, rotated_name, segments
from leadglass.limits import KIB, RECORD_LINE_BYTES

PROGRESS_LINES = 2_000  # read between two looks at how far a reader is

_EVENT = b'"type":"event","kind":"'
_EVENT_WITHIN = 160  # bytes from the start of a line in which that stands
_OPENING = re.compile(rb'\{"seq":([0-9]{1,19}),"v":1,"chain":"([0-9a-z]{1,32})",')


@dataclass(frozen=True, slots=True)
class Position:
    """The end of what has been read. `first` 0 is the beginning of the record, wherever that is."""

    chain: str = ""
    first: int = 0
    offset: int = 0


class Gap(Exception):
    """The file that a position is in is gone, or is another one. The message says so."""


def opening(file: BinaryIO) -> tuple[int, str] | None:
    """Return `seq` and chain of the first line of an open file, None while there is none."""
    file.seek(0)
    match = _OPENING.match(file.read(96))
    return (int(match[1]), match[2].decode()) if match else None


def open_in_order(file: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yield the files of the record in order, open; a rotation meanwhile leaves none out. Raises OSError."""
    done: set[str] = set()
    while True:
        waiting = [path for path in segments(file) if path.name not in done]
        if not waiting:
            return
        path = waiting[0]
        done.add(path.name)
        with path.open("rb") as stream:
            if path == file and any(older.name not in done for older in segments(file)):
                done.discard(path.name)  # it was rotated between the look and the opening: older lines first
                continue
            yield path, stream
        if path == file:
            return


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of an open file; one without newline, or longer than any line may be, is the last."""
    stream.seek(0)
    while line := stream.readline(RECORD_LINE_BYTES + 1):
        yield line
        if not line.endswith(b"\n"):
            return


def event_kind(line: bytes) -> str:
    """Return which event a line is, without parsing it; empty for one that is none."""
    at = line.find(_EVENT, 0, _EVENT_WITHIN)
    return line[at + len(_EVENT) :].split(b'"', 1)[0].decode("ascii", "replace") if at >= 0 else ""


def every_line(file: Path, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """Yield the lines of the record, over its files; `progress` is told how many bytes more have been read. Raises OSError."""
    for _, stream in open_in_order(file):
        read = 0
        for number, line in enumerate(lines(stream), 1):
            read += len(line)
            if number % PROGRESS_LINES == 0:
                progress(read)
                read = 0
            yield line
        progress(read)


class Feed:
    """Lines from a position on. `read` returns what there is; a later call goes on from there.

    `ceiling` tells how far may be read: the `first` of a file and a size in it, such as what is on disk already.
    """

    def __init__(self, file: Path, position: Position, ceiling: Callable[[], tuple[int, int] | None]) -> None:
        self._file, self.position, self._ceiling = file, position, ceiling

    def _open(self) -> tuple[Path, BinaryIO] | None:
        """Open the file that the position is in. Raises Gap."""
        position = self.position
        if position.first == 0:
            found = segments(self._file)
            if not found or (first := first_seq(found[0])) is None:
                return None
            self.position = position = Position("", first, 0)
        for path in (rotated_name(self._file, position.first), self._file):
            try:
                stream = path.open("rb")
            except FileNotFoundError:
                continue
            match = opening(stream)
            if match is not None and match[0] == position.first:
                if position.chain not in {"", match[1]}:
                    stream.close()
                    raise Gap(f"{path.name} belongs to another chain")
                self.position = Position(match[1], position.first, position.offset)
                return path, stream
            stream.close()
        raise Gap(f"the file that began with line {position.first} is gone")

    def read(self, most_bytes: int, most_lines: int) -> list[bytes]:
        """Return whole lines, at most that many; empty when there is nothing more for now. Raises Gap, OSError."""
        while True:
            found = self._open()
            if found is None:
                return []
            path, stream = found
            with stream:
                data = self._chunk(stream, most_bytes)
            if data:
                taken = data.splitlines(keepends=True)[:most_lines] if data.count(b"\n") > most_lines else None
                result = taken if taken is not None else data.splitlines(keepends=True)
                offset = self.position.offset + sum(map(len, result))
                self.position = Position(self.position.chain, self.position.first, offset)
                return result
            following = None if path == self._file else self._next()
            if following is None:
                return []
            self.position = Position(self.position.chain, following, 0)

    def _chunk(self, stream: BinaryIO, most: int) -> bytes:
        offset, limit = self.position.offset, stream.seek(0, 2)
        if offset > limit:
            raise Gap("the record is shorter than what has been read of it")
        ceiling = self._ceiling()
        if ceiling is not None and ceiling[0] <= self.position.first:
            limit = min(limit, ceiling[1]) if ceiling[0] == self.position.first else offset
        stream.seek(offset)
        data = stream.read(max(0, min(most, limit - offset)))
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == most:  # one line longer than a batch
            data += stream.read(max(0, min(RECORD_LINE_BYTES, limit - offset - len(data))))
            end = data.find(b"\n") + 1
        return data[:end]

    def _next(self) -> int | None:
        """Return the first line of the file after the one in hand, None while there is none."""
        for path in segments(self._file):
            first = first_seq(path)
            if first is not None and first > self.position.first:
                return first
        return None

    def behind(self) -> int:
        """Return how many bytes of the record lie behind the position. Raises OSError."""
        total = 0
        for path in segments(self._file):
            first = first_seq(path)
            if first is not None and first >= self.position.first:
                total += path.stat().st_size - (self.position.offset if first == self.position.first else 0)
        return max(0, total)


def last_lines(file: Path, count: int) -> tuple[list[bytes], Position]:
    """Return the last `count` lines of the file in use, and the position behind them. Raises OSError."""
    with file.open("rb") as stream:
        start = opening(stream)
        size = stream.seek(0, 2)
        window = 64 * KIB
        while True:
            begin = max(0, size - window)
            stream.seek(begin)
            data = stream.read(size - begin)
            if begin == 0 or data.count(b"\n") > count or window > RECORD_LINE_BYTES:
                break
            window *= 4
    end = data.rfind(b"\n") + 1
    found = data[:end].splitlines(keepends=True)
    if begin > 0:
        found = found[1:]
    position = Position(start[1], start[0], begin + end) if start is not None else Position()
    return found[max(0, len(found) - count) :], position
