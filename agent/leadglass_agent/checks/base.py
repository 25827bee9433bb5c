"""What a check is: a specification, a parser that is pure, and a collector that asks the machine.

A check answers `pass`, `fail` or `unknown`, and never guesses: what cannot be read is `unknown` with the reason. It
judges only what its specification says; whether that is enough for an act is for the gateway's policy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from leadglass_agent.commands import Unavailable

Status = Literal["pass", "fail", "unknown"]

# The bounds of docs/device-protocol.md. A lone surrogate (a name that is not UTF-8) has no place in JSON either.
_TEXT = 256
_LIST = 64
_UNFIT = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of one check. `reason` is one sentence; `value` is plain JSON, rounded to what matters."""

    status: Status
    value: Any = None
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """Return the form that goes into a statement."""
        document: dict[str, Any] = {"status": self.status}
        if self.value is not None:
            document["value"] = _fit(self.value)
        if self.reason:
            document["reason"] = _fit(self.reason)
        return document


def _fit(value: Any) -> Any:  # noqa: ANN401 - plain JSON
    """Bring a value within the bounds of a statement: names of mounts, interfaces and programs are anybody's text."""
    if isinstance(value, str):
        return _UNFIT.sub("?", value)[:_TEXT]
    if isinstance(value, list | tuple):
        return [_fit(item) for item in value[:_LIST]]
    if isinstance(value, dict):
        return {name: _fit(item) for name, item in value.items()}
    return value


def unknown(reason: str, value: Any = None) -> Result:  # noqa: ANN401 - plain JSON
    """Make the answer for what cannot be told."""
    return Result("unknown", value, reason)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What collectors may look at: the file system's root (another one in tests), the clock, the agent's settings."""

    now: Callable[[], float]
    root: Path = Path("/")
    forbidden: tuple[str, ...] = ()

    def path(self, absolute: str) -> Path:
        """Return `absolute` under the root."""
        return self.root / absolute.lstrip("/")


Collector = Callable[[Surroundings], Result]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `interval` is seconds between two runs, so that the costly ones stay cheap."""

    id: str
    title: str
    passes: str
    reads: str
    values: str
    interval: float
    collect: Collector = field(repr=False)

    def run(self, surroundings: Surroundings) -> Result:
        """Run the check. Never raises: what goes wrong is `unknown`, with the reason."""
        try:
            return self.collect(surroundings)
        except Unavailable as error:
            return unknown(str(error))
        except PermissionError:
            return unknown("the agent may not read what this check needs; run it as root")
        except (OSError, ValueError, LookupError) as error:
            return unknown(f"could not be read ({type(error).__name__})")
