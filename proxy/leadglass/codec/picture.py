"""Compressed pictures without what people and programs wrote beside the pixels, as they stream.

A cleaner takes a picture in pieces, gives back what may leave, and raises PictureError for what it cannot read. It opens no pixels.
"""

from typing import Protocol


class PictureError(ValueError):
    """A picture that is not of the form it should be; what is left of it must not leave."""


class Cleaner(Protocol):
    """Cleans one picture, or several one behind the other."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that may leave. Raises PictureError."""

    def finish(self) -> bytes:
        """Say that it has ended, and return the last bytes. Raises PictureError."""
