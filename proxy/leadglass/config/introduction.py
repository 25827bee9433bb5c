"""What `config check` says of a gateway that only observes, before it starts."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from leadglass.clock import rfc3339
from leadglass.config.look import Finding, Look
from leadglass.migrations.copy import opened
from leadglass.model.errors import ConfigurationError
from leadglass.observation import window

_PATH: Final = ("mode", "observe_until")


def mode(look: Look) -> Iterator[Finding]:
    """Look at the date until which refusals are let through."""
    until, now = look.settings.mode.observe_until, look.clock.now()
    if until is None:
        return
    try:
        window.check(look.settings.mode, _began(look.settings.store), now)
    except ConfigurationError as error:
        yield from look.bad(error, *_PATH)
        return
    if until <= now:
        problem, fix = f"was {rfc3339(until)}: it is over, and the gateway enforces", "remove it"
    else:
        problem = f"until {rfc3339(until)} nothing is enforced: what policy refuses passes and is written down"
        fix = "`leadglass audit readiness` says what would be refused; remove the setting once nobody would notice"
    yield Finding("warning", look.at(*_PATH), problem, fix)


def _began(store: Path) -> float | None:
    """Return when this store first observed, None when it has not, or is yet to be made or migrated."""
    if not store.is_file():
        return None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(opened(store)) as connection:
        row = connection.execute("SELECT began FROM observation").fetchone()
        return None if row is None else float(row[0])
    return None
