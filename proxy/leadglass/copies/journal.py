"""What a run has done so far, so that an interrupted one goes on: one line of JSON a file, in the folder of the copies.

It travels with them, so it names no original: a source is known by an HMAC of its name, size and time under the key of the
run. What happened to attributes is written once for all instances to which the same happened.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias

import orjson

from leadglass.copies.bounds import COPY_JOURNAL_BYTES, JOURNAL_HEAD_BYTES
from leadglass.model.errors import ConfigurationError

NAME: Final = ".leadglass-copies"
_FORM: Final = 1

Status: TypeAlias = Literal["written", "refused", "double"]
Shape: TypeAlias = Mapping[str, str]
"""What became of attributes: tag (GGGGEEEE) -> how."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one file. `out` is where its copy lies; `code` and `why` say why there is none."""

    source: str
    status: Status
    out: str = ""
    size: int = 0
    study: str = ""
    series: str = ""
    modality: str = ""
    code: str = ""
    why: str = ""
    shape: Shape = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What all of a run is made with: a folder of copies is of one profile, one key and one file of masks."""

    profile: str
    digest: str
    key: str
    masks: str = ""


class Journal:
    """The journal of one folder, locked as long as it is open. Made by `Journal.open`."""

    def __init__(self, handle: int, binding: Binding) -> None:
        self._handle, self.binding = handle, binding
        self._shapes: list[Shape] = []
        self._numbers: dict[bytes, int] = {}
        self.done: dict[str, Done] = {}

    @classmethod
    @contextlib.contextmanager
    def open(cls, folder: Path, binding: Binding) -> Iterator[Self]:
        """Open the journal of a folder, or begin it. Raises ConfigurationError when the folder was begun otherwise."""
        file = folder / NAME
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigurationError(f"cannot write {file}: {error.strerror}", hint="name another folder") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ConfigurationError(f"another run writes to {folder}", hint="wait until it has ended") from None
            journal = cls(handle, binding)
            journal._read(folder)
            yield journal
        finally:
            os.close(handle)

    def put(self, done: Done) -> None:
        """Write down what became of a file."""
        number = self._number(done.shape) if done.shape else None
        line = {name: getattr(done, name) for name in Done.__slots__ if name != "shape" and getattr(done, name)}
        self._write({**line, **({} if number is None else {"shape": number})})
        self.done[done.source] = done

    def _number(self, shape: Shape) -> int:
        key = orjson.dumps(dict(shape), option=orjson.OPT_SORT_KEYS)
        if key not in self._numbers:
            self._numbers[key] = len(self._shapes)
            self._shapes.append(dict(shape))
            self._write({"attributes": dict(shape)})
        return self._numbers[key]

    def _write(self, line: Mapping[str, Any]) -> None:
        os.write(self._handle, orjson.dumps(line) + b"\n")

    def _read(self, folder: Path) -> None:
        if os.fstat(self._handle).st_size > COPY_JOURNAL_BYTES:
            raise ConfigurationError(f"the journal in {folder} is too long", hint="name another folder")
        with open(self._handle, "rb", closefd=False) as file:
            text = file.read()
        whole = text.rfind(b"\n") + 1  # a line that was being written when the last run ended is written anew
        os.ftruncate(self._handle, whole)
        os.lseek(self._handle, whole, os.SEEK_SET)
        lines = text[:whole].splitlines()
        if not lines:
            self._write({"form": _FORM, **{name: getattr(self.binding, name) for name in Binding.__slots__}})
            return
        try:
            self._take([orjson.loads(line) for line in lines], folder)
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            raise ConfigurationError(f"the journal in {folder} cannot be read", hint="name another folder") from None

    def _take(self, lines: list[dict[str, Any]], folder: Path) -> None:
        head = lines[0]
        if head.pop("form") != _FORM:
            raise ConfigurationError(f"{folder} is of another version", hint="name another folder")
        begun = Binding(**head)
        for name, what in (("digest", f"profile ({begun.profile})"), ("key", "key"), ("masks", "file of masks")):
            if getattr(begun, name) != getattr(self.binding, name):
                raise ConfigurationError(
                    f"{folder} was begun with another {what}", hint="give the same, or name another folder"
                )
        for line in lines[1:]:
            if "attributes" in line:
                self._numbers[orjson.dumps(line["attributes"], option=orjson.OPT_SORT_KEYS)] = len(self._shapes)
                self._shapes.append(line["attributes"])
                continue
            number = line.pop("shape", None)
            done = Done(**line, shape={} if number is None else self._shapes[number])
            self.done[done.source] = done


def profile_in(folder: Path) -> str | None:
    """Return the name of the profile that a folder of copies was begun with, None where nothing says so."""
    try:
        with (folder / NAME).open("rb") as file:
            head = orjson.loads(file.readline(JOURNAL_HEAD_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return None
    name = head.get("profile") if isinstance(head, dict) else None
    return name if isinstance(name, str) else None
