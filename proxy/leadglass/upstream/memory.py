"""The memory that replies are read into: one piece for all connections, because one read is passed on before the next.

A body that goes straight out to a client is never copied by us so, and the piece stays in the processor's cache. What
must be kept is copied out of it, and so is what is small; what a client has not taken at once of the rest keeps the
piece, and the next read gets another. So a client that takes nothing holds at most three.
"""

from leadglass.limits import UPSTREAM_READ_BYTES, UPSTREAM_START_BYTES


class Memory:
    """`whole` is to be read into, or `start`, its beginning, while a head is awaited."""

    __slots__ = ("start", "whole")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Give the piece away to whoever holds a part of it."""
        self.whole = memoryview(bytearray(UPSTREAM_READ_BYTES))
        self.start = self.whole[:UPSTREAM_START_BYTES]
