"""The voice of `leadglass`, which is that of the agent."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

from leadglass.model.errors import ConfigurationError
from leadglass_agent import voice


class Exit(IntEnum):
    """Exit codes of every verb."""

    OK = 0
    NO = voice.NO  # refused, chain broken, case failed
    USAGE = voice.USAGE
    COULD_NOT = voice.COULD_NOT  # file unreadable, gateway not there


def fail(problem: str, hint: str = "", code: int = Exit.COULD_NOT) -> NoReturn:
    """Say what is wrong and how to mend it on stderr, and end the program."""
    voice.fail("leadglass", problem, hint, int(code))


@contextmanager
def spoken() -> Iterator[None]:
    """Turn a ConfigurationError that escapes the block into words and exit code 3."""
    try:
        yield
    except ConfigurationError as error:
        fail(str(error), error.hint)
