"""What a backup holds, by names that are no paths: an archive never says where on this machine a file goes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Final

from leadglass import locks
from leadglass.audit.chain import beside, segments

STORE: Final = "store"
PUBLIC: Final = "record/pub"
LINES: Final = "record/lines"
_KEYS: Final = (
    "session.key",
    "projects.key",
    "assertion.key",
    "device-ca/ca.key",
    "device-ca/ca.pem",
    "record/key",
    PUBLIC,
)
_RETIRED: Final = re.compile(r"device-ca/retired-[0-9]{10}\.pem")
_ROTATED: Final = re.compile(r"record/lines\.[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a gateway keeps what a backup holds: `store` and `record` are the files that its settings name."""

    store: Path
    record: Path

    @property
    def journal(self) -> Path:
        """The file that says that a restore is decided and not finished."""
        return self.store.with_name(f"{self.store.name}.restoring")

    def turn(self) -> int:
        """Take the turn of whoever backs up or restores; closing the descriptor ends it. Raises ConfigurationError."""
        file = self.store.with_name(f"{self.store.name}.recovery.lock")
        return locks.take(file, "another backup or restore is under way", "wait until it is done")

    @property
    def note(self) -> Path:
        """The file that tells the next start of a restore, for the record."""
        return beside(self.record, "restored")

    @property
    def authority(self) -> Path:
        """The folder of the device CA."""
        return self.store.parent / "device-ca"

    def path(self, name: str) -> Path:
        """Return where the file of this name goes. Raises ValueError for a name that no backup has."""
        if name == STORE:
            return self.store
        if name == "record/restored":
            return self.note
        if name in {"record/key", PUBLIC}:
            return beside(self.record, name.removeprefix("record/"))
        if name in _KEYS or _RETIRED.fullmatch(name):
            return self.store.parent / name
        if name == LINES or _ROTATED.fullmatch(name):
            return self.record.with_name(self.record.name + name.removeprefix(LINES))
        raise ValueError(f"no backup holds {name!r}")

    def draft(self, name: str) -> Path:
        """Return where the file of this name is written before it is put in its place."""
        path = self.path(name)
        return path.with_name(f".{path.name}.restore")

    def drafts(self) -> Iterator[Path]:
        """Yield the drafts that are there, with what SQLite keeps beside one."""
        for path in (*map(self.path, (STORE, LINES, *_KEYS)), self.authority / "retired"):
            yield from path.parent.glob(f".{escape(path.name)}*.restore*")

    def keys(self) -> Iterator[str]:
        """Yield the names of the keys and certificates that are there."""
        yield from (name for name in _KEYS if self.path(name).exists())
        if self.authority.is_dir():
            for path in sorted(self.authority.iterdir()):
                if _RETIRED.fullmatch(f"device-ca/{path.name}"):
                    yield f"device-ca/{path.name}"

    def lines(self) -> dict[str, Path]:
        """Return the files of the record by name, oldest first."""
        if not self.record.parent.is_dir():
            return {}
        return {LINES + path.name.removeprefix(self.record.name): path for path in segments(self.record)}

    def standing(self) -> bool:
        """Whether anything stands here that a restore would replace."""
        return self.store.exists() or any(True for _ in self.keys()) or bool(self.lines())
