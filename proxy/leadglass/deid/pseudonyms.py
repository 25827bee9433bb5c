"""What stands for the UIDs, identifiers and dates of one patient in one project.

All of it follows from the key of the project and from what is replaced, so that requests, doors and replicas agree with
nothing shared but the key. What was made is handed over (`take`), so that the gateway can find the real thing again.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NamedTuple

from leadglass.hazmat.pseudonym import Pseudonymiser
from leadglass.limits import PSEUDONYMS_OF_ONE

UID: Final = "uid"
PATIENT_ID: Final = "patient-id"
ACCESSION_NUMBER: Final = "accession-number"

_PADDING: Final = " \t\r\n\0"
_REGISTERED: Final = re.compile(r"1\.2\.840\.10008(?:\.[0-9]+)*+")
_DATE: Final = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<month>[0-9]{2})(?:(?P<day>[0-9]{2})"
    r"(?P<time>[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)?)?)?(?P<zone>[+-][0-9]{4})?"
)
_OLD_DATE: Final = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})")  # ACR-NEMA's, PS3.5 section 6.2 note
_MIDDLE_MONTH: Final = 7
_MIDDLE_DAY: Final = 15


def plain(text: str) -> str:
    """Return `text` in the one form that counts: NFC, without the padding around it that DICOM has no meaning for."""
    return text.strip(_PADDING) if text.isascii() else unicodedata.normalize("NFC", text).strip(_PADDING)


@dataclass(frozen=True, slots=True)
class Patient:
    """Who a study is of. Made by `Patient.of`, from text in Unicode, whatever character set it came in.

    In a view it comes from the facts of the study, which are the same whatever is asked for, and never from a single
    reply: not every reply has the issuer.
    """

    issuer: str
    id: str
    study: str = ""  # for a patient without PatientID: one is not another only since both have none

    @classmethod
    def of(cls, issuer: str | None, patient_id: str | None, study_uid: str = "") -> "Patient":
        """Return the patient. `study_uid` tells those apart that have no PatientID."""
        identity = plain(patient_id or "")
        return cls(plain(issuer or ""), identity, "" if identity else plain(study_uid))


class Made(NamedTuple):
    """A mapping that was made: `pseudonym` stands for `original`. `issuer` is that of a PatientID."""

    kind: str
    pseudonym: str
    original: str
    issuer: str = ""


class Pseudonyms:
    """What stands for what, for one patient under the key of one project.

    `shift_days` is the largest shift of dates that the profile allows, 0 where it shifts none.
    Raises ValueError unless the key has 32 bytes.
    """

    def __init__(self, key: bytes, patient: Patient, shift_days: int) -> None:
        self._maker, self._patient = Pseudonymiser(key), patient
        self._known: dict[tuple[str, str], str] = {}
        self._patient_id = ""
        self._made: list[Made] = []
        self.largest_shift = shift_days
        self.shift = self._maker.days(shift_days, patient.issuer, patient.id, patient.study) if shift_days else 0
        self._delta = dt.timedelta(days=self.shift)

    def uid(self, uid: str) -> str:
        """Return the UID that stands for `uid`. Those that DICOM registered (1.2.840.10008) stay; nothing stays nothing."""
        known = self._known.get((UID, uid))
        if known is not None:
            return known
        text = plain(uid)
        if not text or _REGISTERED.fullmatch(text):
            return text
        return self._put(UID, uid, Made(UID, self._maker.uid(text), text))

    def identifier(self, kind: str, text: str) -> str:
        """Return what stands for an identifier of that kind, 16 letters and digits; nothing stays nothing.

        Equal text of another kind has another pseudonym. Raises ValueError unless `kind` is a name such as `accession-number`.
        """
        known = self._known.get((kind, text))
        if known is not None:
            return known
        original = plain(text)
        return self._put(kind, text, Made(kind, self._maker.name(kind, original), original)) if original else ""

    @property
    def patient_id(self) -> str:
        """What stands for the PatientID, of this issuer; nothing for a patient that has none."""
        patient = self._patient
        if not self._patient_id and patient.id:
            self._patient_id = self._maker.name(PATIENT_ID, patient.issuer, patient.id)
            self._made.append(Made(PATIENT_ID, self._patient_id, patient.id, patient.issuer))
        return self._patient_id

    def _put(self, kind: str, text: str, made: Made) -> str:
        if len(self._known) >= PSEUDONYMS_OF_ONE:  # what is made again is the same, and is kept but once
            self._known.clear()
        self._known[kind, text] = made.pseudonym
        self._made.append(made)
        return made.pseudonym

    def moved(self, value: str) -> str:
        """Return a date (DA) or a time with its date (DT) moved by this patient's shift; the time of day stays.

        A month or year alone is moved from its middle. Raises ValueError for what is no date, is out of the calendar,
        or when nothing is shifted. Ranges are for whoever asks.
        """
        text = plain(value)
        old = _OLD_DATE.fullmatch(text)
        found = _DATE.fullmatch("".join(old.groups()) if old else text)
        if found is None or not self.shift:
            raise ValueError("no date to move")
        year, month, day, time, zone = found.group("year", "month", "day", "time", "zone")
        try:
            start = dt.date(int(year), int(month or _MIDDLE_MONTH), int(day or (_MIDDLE_DAY if month else 1)))
            date = start + self._delta
        except (ValueError, OverflowError):
            raise ValueError("no date of the calendar") from None
        moved = f"{date.year:04}" + (f"{date.month:02}" if month else "") + (f"{date.day:02}" if day else "")
        return moved + (time or "") + (zone or "")

    @property
    def untold(self) -> bool:
        """Whether `take` has anything to return."""
        return bool(self._made)

    def take(self) -> list[Made]:
        """Return the mappings that were made since the last call."""
        made, self._made = self._made, []
        return made
