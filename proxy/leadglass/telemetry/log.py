"""The log of the process: one line a message on stderr, as `key=value` words or as JSON, and no PHI in it.

What may identify a patient is handed to a logger as `phi(value)` and comes out as `[withheld]`, whatever the level.
The text of an exception may quote what it choked on, so of a traceback only types and places are written. The record
(`leadglass.audit`) is another thing: no level touches it.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import orjson

from leadglass.model.errors import ConfigurationError

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["text", "json"]

_WITHHELD: Final = "[withheld]"
_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+")


class Phi:
    """A value that no log shows. Every way to text gives `[withheld]`."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return _WITHHELD

    def __format__(self, spec: str) -> str:
        return _WITHHELD

    __repr__ = __str__


def phi(value: object) -> Phi:
    """Mark a value as identifying, for a logger's arguments."""
    return Phi(value)


class PhiFilter(logging.Filter):
    """Puts `[withheld]` in place of marked arguments before any handler, ours or foreign, sees the message."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the arguments; every record passes."""
        if isinstance(record.args, tuple):
            record.args = tuple(_WITHHELD if isinstance(value, Phi) else value for value in record.args)
        elif record.args:
            record.args = {k: _WITHHELD if isinstance(v, Phi) else v for k, v in record.args.items()}
        return True


def places(error: BaseException, trace: TracebackType | None) -> str:
    """Return the types and places of a traceback, without any message but those of the gateway's own errors."""
    frames = traceback.extract_tb(trace)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-12:]))
    said = f" ({error.problem})" if isinstance(error, ConfigurationError) else ""
    cause = error.__cause__
    after = f" caused by {places(cause, cause.__traceback__)}" if cause is not None else ""
    return f"{type(error).__name__}{said} at {where or '?'}{after}"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = places(record.exc_info[1], record.exc_info[2])
    return fields


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class TextFormatter(logging.Formatter):
    """`time=... level=... logger=... message="..."`: one line, quoted as JSON where a word is not plain."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return " ".join(
            f"{name}={value if value and _BARE.issuperset(value) else orjson.dumps(_clean(value)).decode()}"
            for name, value in _fields(record).items()
        )


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return orjson.dumps({name: _clean(value) for name, value in _fields(record).items()}).decode()


def configure(level: Level = "info", form: Form = "text", stream: TextIO | None = None) -> None:
    """Send the process's log to `stream` (stderr). May be called again; the last call holds."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(PhiFilter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if any(isinstance(f, PhiFilter) for f in old.filters)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # a migration is told of in our own words
