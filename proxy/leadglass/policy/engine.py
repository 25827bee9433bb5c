"""What an engine is: a policy input in, one document out, or one of three ways to have none.

Every way to have none is a denial: the caller never falls back to an older answer, nor to another engine but for
emergency codes (docs/adr/0013-emergency-without-opa.md).
"""

from typing import Protocol


class NoAnswer(Exception):
    """The engine gave no document. The message is for the record alone."""


class Undefined(NoAnswer):
    """The rules gave nothing, or something that is no decision (`decision-undefined`)."""


class OutOfTime(NoAnswer):
    """The rules used up what one evaluation may cost (`decision-timeout`)."""


class Unavailable(NoAnswer):
    """The engine cannot be asked, or answers for another policy set (`decision-unavailable`)."""


class Engine(Protocol):
    """Rules with their data, ready to be asked."""

    @property
    def name(self) -> str:
        """`wasm` or `opa`, as it stands in the record."""
        ...

    async def evaluate(self, document: bytes) -> object:
        """Return what the rules say to this input (JSON), parsed and not yet judged. Raises NoAnswer."""
        ...

    async def close(self) -> None:
        """Give back what the engine holds."""
        ...
