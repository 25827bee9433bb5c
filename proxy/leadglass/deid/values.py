"""What a value becomes: the one place that knows, for Part 10, DICOM JSON and DICOM XML alike."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from leadglass.codec.dictionary import VRS
from leadglass.codec.uid import is_uid
from leadglass.deid.acts import BINARY, Act
from leadglass.deid.cleaning import clean, zip3
from leadglass.deid.dummies import dummy
from leadglass.deid.known import Known, Words
from leadglass.deid.options import Option
from leadglass.deid.pseudonyms import ACCESSION_NUMBER, Pseudonyms, plain
from leadglass.deid.rules import ACCESSION, PATIENT_ID, PATIENT_NAME, Rules
from leadglass.limits import DEID_CLEANED_CHARS

_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?")
_ZONE: Final = re.compile(r"[+-](?:0[0-9]|1[0-4])[0-5][0-9]")
_MOMENTS: Final = frozenset({"DA", "DT", "TM", "SH"})
_AGE: Final = re.compile(r"[0-9]{3}[DWMY]")
_OLD: Final = "089Y"  # the oldest that stays; 999 months are 83 years
_CODE: Final = re.compile(r"[A-Z0-9 _]{0,16}")
_CHARS: Final = {"SH": 16, "LO": 64, "PN": 64, "ST": 1024, "LT": 10_240}  # PS3.5 section 6.2
_REGISTERED: Final = "1.2.840.10008"  # of DICOM itself; what only begins like one may name a person


class Values:
    """Replaces values of one study in one view."""

    def __init__(self, rules: Rules, pseudonyms: Pseudonyms, known: Known) -> None:
        self.rules, self.pseudonyms = rules, pseudonyms
        profile = rules.profile
        self._known = known
        self._ages, self._zips = profile.ages_over_89, profile.zip3
        self._each: Mapping[Act, Callable[[int, str, str], str]] = {
            Act.UID: self._uid, Act.IDENTIFIER: self._identifier, Act.SHIFT: self._shift, Act.CLEAN: self._clean,
            Act.AGE: self._age, Act.POSTCODE: self._postcode,
        }  # fmt: skip

    def replace(self, act: Act, tag: int, vr: str, values: list[str]) -> list[str] | None:
        """Return what stands in place of `values` under `act`, None when nothing does: the attribute is then empty.

        `vr` is that of the data set; values are text in Unicode without padding, numbers written out; of bytes (OB and the
        like) none need be given, and a dummy comes back as text of Latin-1. Where nothing is left and the attribute must
        not be empty, a dummy stands. REMOVE gives None, too: whether it goes is for who writes the data set.
        """
        if act is Act.KEEP:
            return values
        each = self._each.get(act)
        if each is None:
            return dummy(tag, vr) if act is Act.DUMMY else None
        if not values or values == [""] or vr in BINARY:
            return self._none(tag, vr)
        done = [each(tag, vr, value) for value in values]
        return done if any(done) else self._none(tag, vr)

    def _none(self, tag: int, vr: str) -> list[str] | None:
        return dummy(tag, vr) if tag in self.rules.required else None

    def _uid(self, _tag: int, _vr: str, value: str) -> str:
        uid = plain(value)
        return "" if uid.startswith(_REGISTERED) and not is_uid(uid) else self.pseudonyms.uid(uid)

    def _identifier(self, tag: int, _vr: str, value: str) -> str:
        if tag in {PATIENT_NAME, PATIENT_ID}:
            return self.pseudonyms.patient_id
        return self.pseudonyms.identifier(ACCESSION_NUMBER if tag == ACCESSION else f"tag-{tag:08x}", value)

    def _shift(self, tag: int, vr: str, value: str) -> str:
        kind = vr if vr in _MOMENTS else VRS.get(f"{tag:08X}", "")
        value = plain(value)
        if kind in {"DA", "DT"}:
            try:
                return self.pseudonyms.moved(value)
            except ValueError:
                return ""
        if kind == "TM":
            return value if _TIME.fullmatch(value) else ""
        return value if kind == "SH" and _ZONE.fullmatch(value) else ""

    def _clean(self, _tag: int, vr: str, value: str) -> str:
        if not self._known.enough or len(value) > DEID_CLEANED_CHARS:
            return ""  # nothing is known that could be looked for, or too much to be looked through
        text = clean(value, self._words, ages=self._ages, zips=self._zips)
        if vr == "CS":
            return text if _CODE.fullmatch(text) else ""
        return text[: _CHARS.get(vr)].rstrip()

    @cached_property
    def _words(self) -> Words:
        return self._known.words(places=Option.RETAIN_INSTITUTION not in self.rules.profile.options)

    def _age(self, _tag: int, _vr: str, value: str) -> str:
        value = plain(value)
        if not _AGE.fullmatch(value):
            return ""
        return "090Y" if self._ages and value[3] == "Y" and value > _OLD else value

    def _postcode(self, _tag: int, _vr: str, value: str) -> str:
        return zip3(value)
