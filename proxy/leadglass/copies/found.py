"""What lies in a file or folder: told by content, never by name."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from leadglass.copies.bounds import COPY_FILES, NESTING_FOLDERS
from leadglass.model.errors import ConfigurationError

_LOOKED_AT: Final = 512
_PREAMBLE, _MAGIC = 128, b"DICM"
_DICOMDIR: Final = b"1.2.840.10008.1.3.10"
_BARE: Final = (b"\x02\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x00\x00", b"\x08\x00\x16\x00")

Kind: TypeAlias = Literal[
    "dicom",
    "dicomdir",
    "bare",
    "pdf",
    "archive",
    "picture",
    "document",
    "link",
    "special",
    "empty",
    "unreadable",
    "unknown",
]
KINDS: Final[dict[str, str]] = {
    "dicomdir": "a DICOMDIR, which names patients and files",
    "bare": "a data set without the head of a DICOM file; give it one with dcmtk's dcmconv",
    "pdf": "a PDF",
    "archive": "an archive; unpack it first",
    "picture": "a picture that is no DICOM",
    "document": "text or a document",
    "link": "a symbolic link, which is not followed",
    "special": "no file",
    "empty": "empty",
    "unreadable": "cannot be read",
    "unknown": "no DICOM",
}
"""What is not copied, in words."""
_BEGINNINGS: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"%PDF", "pdf"),
    (b"PK\x03\x04", "archive"), (b"PK\x05\x06", "archive"), (b"\x1f\x8b", "archive"), (b"7z\xbc\xaf", "archive"),
    (b"BZh", "archive"), (b"\xfd7zXZ", "archive"), (b"Rar!", "archive"), (b"\x28\xb5\x2f\xfd", "archive"),
    (b"\xff\xd8\xff", "picture"), (b"\x89PNG", "picture"), (b"GIF8", "picture"), (b"II*\0", "picture"),
    (b"MM\0*", "picture"), (b"BM", "picture"), (b"\0\0\0\x0cjP", "picture"),
    (b"\xd0\xcf\x11\xe0", "document"), (b"{\\rtf", "document"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One file: where it is, from the folder that was given, what it is and how long."""

    path: Path
    name: str
    kind: Kind
    size: int = 0
    changed: int = 0


def kind_of(beginning: bytes) -> Kind:
    """Return what a file is, from its first 512 bytes."""
    if not beginning:
        return "empty"
    if beginning[_PREAMBLE : _PREAMBLE + 4] == _MAGIC:
        return _part10(beginning)
    for start, kind in _BEGINNINGS:
        if beginning.startswith(start):
            return kind
    if beginning.startswith(_BARE):
        return "bare"
    return "document" if b"\0" not in beginning and _is_text(beginning) else "unknown"


def _part10(beginning: bytes) -> Kind:
    """Return whether the media storage class in the file meta is that of a DICOMDIR."""
    at = beginning.find(b"\x02\x00\x02\x00UI")
    if at < 0:
        return "dicom"
    length = int.from_bytes(beginning[at + 6 : at + 8], "little")
    return "dicomdir" if beginning[at + 8 : at + 8 + length].rstrip(b"\0 ") == _DICOMDIR else "dicom"


def _is_text(beginning: bytes) -> bool:
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        return error.start > len(beginning) - 4
    return True


def look(root: Path) -> list[Found]:
    """Return all that lies at `root`, in the order of their names. Links are not followed.

    Raises ConfigurationError when there is nothing, or more than COPY_FILES.
    """
    if not root.exists():
        raise ConfigurationError(f"there is no {root}", hint="name a file or a folder")
    if root.is_file():
        return [_found(root, root.name)]
    found = []
    for path, name in _walk(root, "", 0):
        found.append(_found(path, name))
        if len(found) > COPY_FILES:
            raise ConfigurationError(f"more than {COPY_FILES} files in {root}", hint="take a part of them at a time")
    return found


def _walk(folder: Path, name: str, depth: int) -> Iterator[tuple[Path, str]]:
    if depth > NESTING_FOLDERS:
        raise ConfigurationError(f"folders nested deeper than {NESTING_FOLDERS} in {folder}", hint="take them apart")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise ConfigurationError(f"cannot read {folder}: {error.strerror}", hint="let this user read it") from None
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{name}{entry.name}/", depth + 1)
        else:
            yield Path(entry.path), f"{name}{entry.name}"


def _found(path: Path, name: str) -> Found:
    try:
        state = path.lstat()
        if stat.S_ISLNK(state.st_mode):
            return Found(path, name, "link")
        if not stat.S_ISREG(state.st_mode):
            return Found(path, name, "special")
        with path.open("rb") as file:
            return Found(path, name, kind_of(file.read(_LOOKED_AT)), state.st_size, state.st_mtime_ns)
    except OSError:
        return Found(path, name, "unreadable")
