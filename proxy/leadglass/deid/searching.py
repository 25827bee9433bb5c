"""Searches in a pseudonymous view: what may be matched there, how the archive is asked, and which rows match after all.

A key matches what the archive holds, and the number of matches tells. So only a key whose values are shown in the view may be
used, and it means what is shown there. Values that stay are asked for as they are. UIDs are mapped back before this. An
identifier is mapped back, whole. A date is asked for in a range that is wider by the largest shift, since every patient has
another; which rows match is seen when their dates are moved. All other keys are refused, and so are wildcards in
identifiers: the pseudonym tells nothing of what it stands for, but what begins with a letter does.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from leadglass.codec.dicomjson import Row
from leadglass.codec.dictionary import KEYWORDS, vr
from leadglass.codec.query import Search, refused
from leadglass.deid.acts import Act
from leadglass.deid.jsonset import text
from leadglass.deid.pseudonyms import plain
from leadglass.deid.rules import Rules
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

Original: TypeAlias = Callable[[int, str], Awaitable[str | None]]
"""What an identifier stands for: its tag and its pseudonym in, the identifier or None (nobody's) out."""

NOBODY: Final = "LEADGLASS-NOBODY"
"""What is asked for in place of an identifier that stands for nothing."""

_RANGE: Final = re.compile(r"(?P<low>[0-9]{8})?(?P<to>-)?(?P<high>[0-9]{8})?")  # PS3.4 section C.2.2.2.5
_WILD: Final = re.compile(r"[*?\\,]")


@dataclass(frozen=True, slots=True)
class Dates:
    """A range of dates, both ends in it; the first and the last day of all where it is open."""

    low: dt.date
    high: dt.date

    @classmethod
    def of(cls, key: str, value: str) -> Self:
        """Read the value of a key. Raises Refusal `query-refused`."""
        found = _RANGE.fullmatch(value)
        if found is None or not (found["low"] or found["high"]):
            raise refused(key, "neither a date nor a range of dates")
        low = _date(key, found["low"]) if found["low"] else dt.date.min
        high = _date(key, found["high"]) if found["high"] else dt.date.max if found["to"] else low
        return cls(low, high)

    def wider(self, days: int) -> Self:
        """Return the range that is wider by so many days at either end."""
        low = dt.date.fromordinal(max(self.low.toordinal() - days, dt.date.min.toordinal()))
        high = dt.date.fromordinal(min(self.high.toordinal() + days, dt.date.max.toordinal()))
        return type(self)(low, high)

    def __str__(self) -> str:
        low = "" if self.low == dt.date.min else f"{self.low:%Y%m%d}".zfill(8)
        high = "" if self.high == dt.date.max else f"{self.high:%Y%m%d}".zfill(8)
        return f"{low}-{high}"

    def holds(self, value: str) -> bool:
        """Whether a value of a row lies in the range; what is no date does not."""
        try:
            return self.low <= dt.datetime.strptime(value, "%Y%m%d").date() <= self.high  # noqa: DTZ007 - a date has no zone
        except ValueError:
            return False


def _date(key: str, value: str) -> dt.date:
    try:
        return dt.datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        raise refused(key, "no date of the calendar") from None


@dataclass(frozen=True, slots=True)
class Matching:
    """What of a search is matched in the view itself: ranges of dates and identifiers, by tag, as the client wrote them."""

    dates: dict[str, Dates]
    identifiers: dict[str, str]

    @classmethod
    def of(cls, search: Search, rules: Rules) -> Self:
        """Read a search as the client spelt it. Raises Refusal `search-key-hidden`, `query-refused`."""
        dates: dict[str, Dates] = {}
        identifiers: dict[str, str] = {}
        for path, values in search.matching.items():
            acts = [rules.act(int(tag, 16)) for tag in path.split(".")]
            act = acts[-1]
            value = ",".join(values)
            if any(outer is not Act.KEEP for outer in acts[:-1]) or (len(acts) > 1 and act is not Act.KEEP):
                raise hidden(path)
            if act is Act.SHIFT and vr(path) == "DA":
                if value:
                    dates[path] = Dates.of(path, value)
            elif act is Act.IDENTIFIER:
                if value and _WILD.search(value):
                    raise refused(path, "a wildcard or a list in an identifier")
                if value:
                    identifiers[path] = plain(value)
            elif not (act in {Act.KEEP, Act.UID} or (act is Act.SHIFT and vr(path) == "TM")):
                raise hidden(path)
        return cls(dates, identifiers)

    async def asked(
        self, search: Search, rules: Rules, shift_days: int, original: Original, *, inside: bool = False
    ) -> Search:
        """Return the search as the archive is asked. `inside` says that it is one within a study.

        What takes longer tells, too. So an identifier that stands for nothing is not asked for, or a real one would be found
        and dropped; and where few can match, their dates are looked at here alone: whether the archive found something in a
        range that is wider by a number of days that is known would tell by how many those of a patient moved.
        """
        few = inside or bool(self.identifiers) or any(vr(path) == "UI" for path in search.matching)
        for path, dates in self.dates.items():
            wider = str(dates.wider(shift_days))
            search = search.without(path) if few or wider == "-" else search.keyed(path, (wider,))
        for path, pseudonym in self.identifiers.items():
            found = await original(int(path, 16), pseudonym)
            asked = KEYWORDS["PatientID"] if path == KEYWORDS["PatientName"] else path  # one pseudonym stands for both
            search = search.without(path).keyed(asked, (NOBODY if found is None else found,))

        def stays(path: str) -> bool:
            return all(rules.act(int(tag, 16)) is not Act.REMOVE for tag in path.split("."))

        return search.including(stays).literal().asking(*self.dates, *self.identifiers)

    def holds(self, row: Row) -> bool:
        """Whether a row matches as it is shown."""
        return all(dates.holds(_value(row, tag)) for tag, dates in self.dates.items()) and all(
            _value(row, tag) == pseudonym for tag, pseudonym in self.identifiers.items()
        )


def hidden(path: str) -> Refusal:
    """Return the refusal for a key whose values are not shown."""
    return refuse(Code.SEARCH_KEY_HIDDEN, key=path)


def _value(row: Row, tag: str) -> str:
    values = row.get(tag, {}).get("Value")
    return plain(text(values[0])) if isinstance(values, list) and values else ""
