"""One thing that `config check` found out about an archive, and the patience it has with it."""

import asyncio
from dataclasses import dataclass

from leadglass.limits import PROBE_SECONDS


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, what was found and what the gateway chose to do about it.

    When it is not `ok`, the problem and the way to fix it; a `warning` is none that keeps the gateway from its work.
    """

    name: str
    ok: bool = True
    problem: str = ""
    hint: str = ""
    found: str = ""
    chosen: str = ""
    warning: bool = False

    @property
    def words(self) -> str:
        """What is said of it when it is well."""
        told = f"{self.name}: {self.found}" if self.found else self.name
        return f"{told}; {self.chosen}" if self.chosen else told


def patient() -> asyncio.Timeout:
    """Wait for one answer, and no longer."""
    return asyncio.timeout(PROBE_SECONDS)
