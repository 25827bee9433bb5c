"""Is the record whole? Every line's own hash, the chain from line to line and over rotated files, every signed head.

It names the first line that does not fit. What no chain can show by itself is a tail cut off between two heads that
nobody else holds; a head collected from stdout (`--head`) shows it.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from leadglass.audit.feed import PROGRESS_LINES, lines, open_in_order
from leadglass.audit.past import Past
from leadglass.hazmat.hashchain import GENESIS, BrokenLine, HeadKeys, Link, check
from leadglass.limits import RECORD_LINE_BYTES

_HEAD = b'"type":"head",'
_HEAD_WITHIN = 96  # bytes from the start of a line in which its type stands
_RETRIES = 20


class BrokenRecord(Exception):
    """The record is not whole. `file` and `line` (1-based) say where, `why` in words."""

    def __init__(self, file: Path, line: int, why: str) -> None:
        super().__init__(f"{file}:{line}: {why}")
        self.file, self.line, self.why = file, line, why


@dataclass(frozen=True, slots=True)
class GivenHead:
    """A head that somebody else kept: the line it is, and the line it signs."""

    chain: str
    timestamp: str
    pins: tuple[tuple[int, str], ...]  # (seq, hash)
    file: Path
    line: int
    document: dict[str, Any] | None = None  # of one whose key is not known yet: the record may tell of it


@dataclass(slots=True)
class Verdict:
    """What was found whole."""

    files: int = 0
    lines: int = 0
    heads: int = 0
    chain: str = ""
    seq: int = 0
    hash: str = GENESIS
    last_head: str | None = None
    after_head: int = 0  # lines behind the last signed head
    lost: list[str] = field(default_factory=list)  # what restores left behind, in words


def _read_head(line: bytes, link: Link, keys: HeadKeys) -> tuple[str, str]:
    """Return the time and the key of a head whose signature holds. Raises BrokenLine."""
    document = _head_document(line)
    if document is None:
        raise BrokenLine("it is a head that cannot be read")
    signed = document["signed"]
    if (signed["seq"], signed["hash"]) != (link.seq - 1, link.prev):
        raise BrokenLine("its signed head speaks of another line than the one before it")
    _check_signature(document, link.chain, keys)
    return str(document["timestamp"]), str(document["key"])


def _head_document(line: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(line)
        signed = document["signed"]
        fits = isinstance(signed["seq"], int) and isinstance(signed["hash"], str) and document["type"] == "head"
        fits = fits and all(isinstance(document[name], str) for name in ("timestamp", "key", "signature", "chain"))
    except (ValueError, KeyError, TypeError):
        return None
    return document if fits else None


def _check_signature(document: dict[str, Any], chain: str, keys: HeadKeys) -> None:
    key, signed = document["key"], document["signed"]
    if key not in keys.keys:
        raise BrokenLine(f"its signed head is by the key {key}, which is not among the public keys given")
    if not keys.verify(key, document["signature"], (chain, signed["seq"], signed["hash"], document["timestamp"])):
        raise BrokenLine("the signature of its head does not hold")


def given_heads(file: Path, keys: HeadKeys) -> list[GivenHead]:
    """Read the heads in `file`: what was collected from stdout, other lines among them.

    Raises OSError, and BrokenRecord for a head that is not what the key signed.
    """
    found = []
    with file.open("rb") as stream:
        for number, line in enumerate(lines(stream), 1):
            document = _head_document(line)
            if document is None:
                continue
            try:
                link = check(line.rstrip(b"\r\n") + b"\n")
                known = document["key"] in keys.keys
                if known:
                    _check_signature(document, link.chain, keys)
            except BrokenLine as broken:
                raise BrokenRecord(file, number, str(broken)) from None
            signed = document["signed"]
            pins = ((signed["seq"], signed["hash"]), (link.seq, link.hash))
            found.append(GivenHead(link.chain, document["timestamp"], pins, file, number, None if known else document))
    return found


class _Pins:
    """What given heads say of single lines."""

    def __init__(self, heads: Iterable[GivenHead]) -> None:
        self._heads = tuple(heads)
        self._wanted: dict[int, dict[str, tuple[str, str]]] = {}  # seq -> chain -> hash, time
        for head in self._heads:
            for seq, digest in head.pins:
                self._wanted.setdefault(seq, {})[head.chain] = digest, head.timestamp
        self._faults: list[tuple[str, int, str, Path, int, str]] = []

    def see(self, link: Link, path: Path, number: int) -> None:
        """Compare a line with what is known of it."""
        for chain, (digest, timestamp) in self._wanted.pop(link.seq, {}).items():
            if chain != link.chain:
                fault = f"it belongs to the chain {link.chain}, the given head to {chain}"
            elif digest != link.hash:
                fault = f"the head given, of {timestamp}, knows another line {link.seq}: it has been rewritten"
            else:
                continue
            self._faults.append((chain, link.seq, timestamp, path, number, fault))

    def end(self, verdict: Verdict, past: Past, path: Path, number: int) -> None:
        """Raise BrokenRecord for what does not fit and no restore explains."""
        for head in self._heads:
            if head.document is not None:
                try:
                    _check_signature(head.document, head.chain, past.keys)
                except BrokenLine as broken:
                    raise BrokenRecord(head.file, head.line, str(broken)) from None
        for seq in sorted(self._wanted, reverse=True):
            for chain, (_, timestamp) in self._wanted[seq].items():
                fault = f"the record ends with line {verdict.seq}; the head given, of {timestamp}, knows line {seq}: the tail has been cut off"
                self._faults.append((chain, seq, timestamp, path, number, fault))
        for chain, seq, timestamp, where, line, fault in self._faults:
            if not past.explains(chain, seq, timestamp):
                raise BrokenRecord(where, line, fault)


class _Walk:
    """The state from line to line."""

    def __init__(self, keys: HeadKeys, pins: _Pins) -> None:
        self.verdict, self.past, self._pins = Verdict(), Past(keys), pins

    def line(self, line: bytes, rotated: str, path: Path, number: int) -> None:
        """Take the next line; `rotated` names the rotated file that it is the first of. Raises BrokenLine."""
        verdict, link = self.verdict, check(line)
        if rotated and not rotated.endswith(f".{link.seq:012d}"):
            raise BrokenLine(f"it is line {link.seq}, which is not what the name of its file says")
        if verdict.lines == 0:
            if link.seq != 1 or link.prev != GENESIS:
                raise BrokenLine(f"the record begins with line {link.seq}: the files before it are missing")
            verdict.chain = link.chain
        elif link.chain != verdict.chain:
            raise BrokenLine(f"it belongs to the chain {link.chain}, the line before it to {verdict.chain}")
        elif link.seq != verdict.seq + 1:
            raise BrokenLine(
                f"it is line {link.seq} of the chain and follows line {verdict.seq}: lines are missing or moved"
            )
        elif link.prev != verdict.hash:
            raise BrokenLine("it does not follow the line before it: one of them has been replaced")
        if line.find(_HEAD, 0, _HEAD_WITHIN) >= 0:
            (verdict.last_head, key), verdict.after_head = _read_head(line, link, self.past.keys), -1
            verdict.heads += 1
            self.past.head(key)
        else:
            self.past.line(line, link)
        self._pins.see(link, path, number)
        verdict.lines += 1
        verdict.after_head += 1
        verdict.seq, verdict.hash = link.seq, link.hash


def _whole(line: bytes, stream: BinaryIO, wait: Callable[[float], None]) -> bytes:
    """Wait for the rest of the last line of a file that is being written."""
    tries = _RETRIES
    while not line.endswith(b"\n") and len(line) <= RECORD_LINE_BYTES and tries:
        wait(0.01)
        line += stream.readline(RECORD_LINE_BYTES)
        tries -= 1
    return line


def verify(
    file: Path,
    keys: HeadKeys,
    heads: Iterable[GivenHead] = (),
    progress: Callable[[int], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Verify the whole record, oldest file first, and return what was found.

    `progress` is told how many bytes more have been read; `wait` passes the time while the last line of a record in
    use is being written. Raises OSError, and BrokenRecord for the first line that does not fit.
    """
    pins = _Pins(heads)
    walk = _Walk(keys, pins)
    path, number = file, 0
    for path, stream in open_in_order(file):
        walk.verdict.files += 1
        read, number = 0, 0
        for number, raw in enumerate(lines(stream), 1):
            line = raw if raw.endswith(b"\n") or path != file else _whole(raw, stream, wait)
            try:
                walk.line(line, "" if path == file or number > 1 else path.name, path, number)
            except BrokenLine as broken:
                raise BrokenRecord(path, number, str(broken)) from None
            read += len(line)
            if number % PROGRESS_LINES == 0:
                progress(read)
                read = 0
        progress(read)
        if number == 0 and path != file:
            raise BrokenRecord(path, 1, "the file is empty: its lines are missing")
    pins.end(walk.verdict, walk.past, path, number)
    walk.verdict.lost = walk.past.lost
    if walk.verdict.lines == 0:
        raise BrokenRecord(path, 1, "there is no record: no line at all")
    return walk.verdict
