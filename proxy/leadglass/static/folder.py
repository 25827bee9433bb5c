"""A folder of files as it was when it was listed: what is not in the list does not exist.

A request never becomes a path of the file system: its path is looked up in the list, so there is nothing to traverse.
The list holds plain files under names that need no encoding, none that begins with a dot, and none that a symbolic link
takes out of the folder. A file is opened as the one that was listed, or not at all.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from leadglass.limits import STATIC_DEPTH, STATIC_FILES
from leadglass.model.errors import ConfigurationError

INDEX: Final = "index.html"
_NAME: Final = re.compile(r"[A-Za-z0-9_~@:+=,-](?:[A-Za-z0-9._~@:+=,-]*[A-Za-z0-9_~@:+=,-])?")


@dataclass(frozen=True, slots=True)
class Listed:
    """One file as it was listed. `real` has no symbolic link in it; `mark` tells this file from any that takes its place."""

    real: str
    size: int
    mark: tuple[int, int, int, int]

    @property
    def etag(self) -> str:
        """A validator of the content (RFC 9110 section 8.8.3), as servers make it: of time and size."""
        return f"{self.mark[3]:x}-{self.size:x}"


class Changed(Exception):
    """The file is no longer the one that was listed."""


def _mark(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def listing(root: Path) -> Mapping[str, Listed]:
    """Return the files of a folder by their path in it. Raises ConfigurationError."""
    try:
        real = os.path.realpath(root, strict=True)
        found = dict(islice(_walk(real, real, "", STATIC_DEPTH), STATIC_FILES + 1))
    except OSError as error:
        raise ConfigurationError(f"cannot read {root}: {error.strerror}", hint="the folder with index.html") from None
    if len(found) > STATIC_FILES:
        raise ConfigurationError(f"more than {STATIC_FILES} files in {root}", hint="name the viewer's own folder")
    if INDEX not in found:
        raise ConfigurationError(f"{root} holds no {INDEX}", hint="unpack the viewer there; docs/viewers.md says how")
    return found


def _walk(root: str, folder: str, prefix: str, depth: int) -> Iterator[tuple[str, Listed]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if _NAME.fullmatch(entry.name) is None or ".." in entry.name:
                continue
            real = os.path.realpath(entry.path)
            if os.path.commonpath((root, real)) != root:
                continue  # a symbolic link that leads out
            if os.path.isdir(real):  # noqa: PTH112 - strings throughout: thousands of them
                if depth and not entry.is_symlink():  # a linked folder might be one of its own parents
                    yield from _walk(root, real, f"{prefix}{entry.name}/", depth - 1)
            elif os.path.isfile(real):  # noqa: PTH113 - likewise
                found = os.stat(real)  # noqa: PTH116 - likewise
                yield f"{prefix}{entry.name}", Listed(real, found.st_size, _mark(found))


def check(listed: Listed) -> None:
    """Raise Changed unless the file is still the one that was listed."""
    try:
        found = os.lstat(listed.real)
    except OSError:
        raise Changed from None
    if _mark(found) != listed.mark:
        raise Changed


def open_listed(listed: Listed) -> int:
    """Return a file descriptor of a listed file. Raises Changed."""
    try:
        descriptor = os.open(listed.real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise Changed from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or _mark(found) != listed.mark:
        os.close(descriptor)
        raise Changed
    return descriptor


def read_whole(listed: Listed) -> bytes:
    """Return the content of a small file. Raises Changed."""
    descriptor = open_listed(listed)
    try:
        content = os.read(descriptor, listed.size + 1)
    finally:
        os.close(descriptor)
    if len(content) != listed.size:
        raise Changed
    return content
