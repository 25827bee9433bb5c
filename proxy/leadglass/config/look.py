"""What `leadglass config check` finds, and the look at one file that its parts share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leadglass.clock import Clock
from leadglass.config.load import Document
from leadglass.config.settings import Settings
from leadglass.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `where` is file:line and the dotted path of the setting.

    `said` is what an archive was found to do and what the gateway chose to do about it, for scripts.
    """

    level: Literal["ok", "warning", "error"]
    where: str
    problem: str
    fix: str = ""
    said: Mapping[str, str] | None = None


class Look:
    """Collects findings about the settings of one file."""

    def __init__(self, document: Document, settings: Settings, clock: Clock) -> None:
        self._document, self.settings, self.clock = document, settings, clock

    def at(self, *path: str | int) -> str:
        """Return file:line: path of a setting."""
        return f"{self._document.file}:{self._document.line(path)}: {'.'.join(map(str, path))}"

    def good(self, text: str, *path: str | int) -> Finding:
        """Return that all is well with a setting."""
        return Finding("ok", self.at(*path), text)

    def bad(self, error: ConfigurationError, *path: str | int) -> list[Finding]:
        """Return what an error says of a setting, each fault with its fix."""
        where, named = self.at(*path), ".".join(map(str, path))
        return [
            Finding(
                "error",
                where,
                one.problem if one.where == named else str(one),
                one.hint or "mend what is named, and check again",
            )
            for one in error.each
        ]

    def secrets(self) -> Iterator[tuple[tuple[str | int, ...], Path]]:
        """Yield the settings that name a file with a secret, and the file."""
        return self._document.secrets()
