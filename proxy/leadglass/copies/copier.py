"""One file copied: walked, rewritten, compared with what it was, and only then given its name.

A copy is named for what is in it, pseudonyms, and for nothing of the original: STUDY/SERIES/INSTANCE.dcm.
"""

import contextlib
import filecmp
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import Dataset

from leadglass.codec.uid import is_uid
from leadglass.copies.ahead import about, pieces, walk
from leadglass.copies.bounds import COPY_PATIENTS
from leadglass.copies.found import Found
from leadglass.copies.journal import Done
from leadglass.copies.seen import changes, read
from leadglass.deid.instance import PixelFilters
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.hazmat.pseudonym import Pseudonymiser
from leadglass.model.errors import Refusal

DRAFT: Final = ".draft-"
_SOURCE: Final = "source-file"


@dataclass(frozen=True)
class Making:
    """What copies are made with. `pixels` says what is done to pixels; None lets them pass."""

    rules: Rules
    key: bytes
    pixels: PixelFilters | None = None


class Copier:
    """Copies files into one folder."""

    def __init__(self, making: Making, out: Path) -> None:
        self._making, self._out = making, out
        self._names = Pseudonymiser(making.key)
        self._of = lru_cache(maxsize=COPY_PATIENTS)(self._pseudonyms)

    def source(self, found: Found) -> str:
        """Return what the journal knows a file by: nothing that can be turned back without the key."""
        return self._names.name(_SOURCE, found.name, str(found.size), str(found.changed))

    def copy(self, found: Found) -> Done:
        """Copy one file, or say why not. Raises OSError when the folder of the copies cannot be written."""
        source = self.source(found)
        try:
            return self._copy(found, source)
        except Refusal as no:
            cause = no.causes[0]
            return Done(source, "refused", code=cause.reason.code, why=no.detail or cause.params.get("why", ""))
        except OSError as error:
            if error.filename is not None and Path(error.filename) == found.path:
                return Done(source, "refused", code="unreadable", why=error.strerror or "")
            raise
        except Exception as error:  # noqa: BLE001 - whatever a file provokes ends with this file, and gives no copy
            return Done(source, "refused", code="internal-fault", why=type(error).__name__)

    def _copy(self, found: Found, source: str) -> Done:
        walk(found.path)
        patient, known = about(found.path)
        values = Values(self._making.rules, self._of(patient), known)
        with self._draft() as (draft, file):
            with found.path.open("rb") as original:
                rewriter = Part10Rewriter(values, self._making.pixels)
                for piece in pieces(original):
                    file.writelines(rewriter.feed(piece))
            file.writelines(rewriter.finish())
            file.flush()
            size = os.fstat(file.fileno()).st_size
            after = read(draft)
            study, series, instance = (str(after.get(name, "")) for name in _UIDS)
            if not all(map(is_uid, (study, series, instance))):
                return Done(source, "refused", code="deid-unreadable", why="a UID that is none")
            shape = changes(read(found.path), after)
            name = f"{study}/{series}/{instance}.dcm"
            said = Done(source, "written", name, size, study, series, _modality(after), shape=shape)
            if self._settle(draft, name):
                return said
            if filecmp.cmp(draft, self._out / name, shallow=False):
                return replace(said, status="double")
            return Done(source, "refused", code="same-uid")

    def _pseudonyms(self, patient: Patient) -> Pseudonyms:
        profile = self._making.rules.profile
        return Pseudonyms(self._making.key, patient, profile.shift_days)

    @contextlib.contextmanager
    def _draft(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Open a file that only we can read, and that is gone afterwards unless it was given a name."""
        draft = self._out / f"{DRAFT}{secrets.token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield draft, file
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()

    def _settle(self, draft: Path, name: str) -> bool:
        """Give a draft its name, unless another file has it. Raises OSError."""
        target = self._out / name
        for folder in (target.parent.parent, target.parent):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        try:
            os.link(draft, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without links; the journal's lock keeps other runs out
            if target.exists():
                return False
            draft.replace(target)
        return True


_UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def _modality(after: Dataset) -> str:
    text = str(after.get("Modality", ""))
    return text if text.isascii() and text.isalnum() else ""
