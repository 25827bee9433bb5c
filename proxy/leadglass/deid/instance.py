"""What of an instance is told to who judges and masks its pixels, and what they answer.

The rewriter reads the facts on the way and asks once, when group 0028 has passed and no byte has left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of one instance as the file has them, real UIDs among them. Text is without padding, and empty when absent.

    Numbers are None when absent. `frames` is 1 when the file does not say. `image_type` and the like keep their
    backslashes. `burned_in` is (0028,0301) as it stands.
    """

    transfer_syntax: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    modality: str = ""
    conversion_type: str = ""
    image_type: str = ""
    manufacturer: str = ""
    model: str = ""
    software: str = ""
    photometric: str = ""
    burned_in: str = ""
    recognizable: str = ""
    lossy: str = ""
    rows: int | None = None
    columns: int | None = None
    samples: int | None = None
    planar: int | None = None
    bits_allocated: int | None = None
    bits_stored: int | None = None
    high_bit: int | None = None
    signed: int | None = None
    frames: int = 1


class PixelFilter(Protocol):
    """Changes the pixels of one instance.

    `transfer_syntax` is that of what it gives back, None when it is the file's own; native data stays native, and
    encapsulated data encapsulated. `changes` are attributes of group 0028 that its work makes another value of, tag ->
    values as text, or None for an attribute that goes; numbers are written as text, too.
    """

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax of what comes out, None for the file's own."""

    @property
    def changes(self) -> Mapping[int, list[str] | None]:
        """Attributes of group 0028 that become something else."""

    def native(self, data: bytes) -> bytes:
        """Return the next bytes of native pixel data, as many as were given. Called in order; all of it passes here."""

    def frame(self, data: bytes) -> bytes:
        """Return one whole encapsulated frame. Called in order, once a frame. Raises Refusal."""


PixelFilters: TypeAlias = Callable[[Header], PixelFilter | None]
"""What is asked of the pixels of an instance: a filter, None when they pass as they are. Raises Refusal when they may not."""
