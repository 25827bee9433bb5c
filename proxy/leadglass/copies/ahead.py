"""What a file says of its patient, read before its first byte is changed: Study Description stands before Patient's Name.

Every file is walked first, within the gateway's bounds. Only what holds together is read by pydicom, whose parser follows
a nested file into its own end and inflates whatever it is given.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from leadglass.codec.part10 import HeaderReader
from leadglass.copies.bounds import COPY_PIECE_BYTES
from leadglass.deid.known import PEOPLE, PLACES, Known
from leadglass.deid.pseudonyms import Patient
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_ID, _ISSUER, _STUDY, _CHARSET = 0x00100020, 0x00100021, 0x0020000D, 0x00080005
_READ: Final = [_CHARSET, _ID, _ISSUER, _STUDY, *PEOPLE, *PLACES]


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file, COPY_PIECE_BYTES at a time. Raises OSError."""
    while piece := file.read(COPY_PIECE_BYTES):
        yield piece


def walk(path: Path) -> None:
    """Walk a file to its end. Raises Refusal when it does not hold together, OSError."""
    reader, walker = HeaderReader(archived=True), None
    with path.open("rb") as file:
        for piece in pieces(file):
            if walker is not None:
                for _ in walker.steps(piece):
                    pass
            elif reader.feed(piece) is not None:
                walker = reader.rest()
                for _ in walker.steps(b""):
                    pass
    if walker is None:
        reader.finish()
    else:
        walker.finish()


def about(path: Path) -> tuple[Patient, Known]:
    """Return whose a walked file is, and what is known of them. Raises Refusal when pydicom cannot read it, OSError."""
    try:
        with quietly():
            read = dcmread(path, stop_before_pixels=True, specific_tags=_READ)
            values = {tag: _texts(read, tag) for tag in _READ}
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever it meets; nothing of it may quote the file
        raise refuse(Code.DEID_UNREADABLE, f"pydicom: {type(error).__name__}") from None
    first = {tag: found[0] if found else None for tag, found in values.items()}
    return Patient.of(first[_ISSUER], first[_ID], first[_STUDY] or ""), Known.of(values)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep pydicom from saying what it thinks of a file: its warnings quote values."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _texts(read: Dataset, tag: int) -> list[str]:
    if tag not in read:
        return []
    value = read[tag].value
    if value is None:
        return []
    each = value if isinstance(value, MultiValue | list) else [value]
    return [group for one in each for group in (str(one).split("=") if read[tag].VR == "PN" else [str(one)]) if group]
