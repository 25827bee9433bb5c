"""Whether the gateway's clock is right, by the word of those whose times it judges.

Identity providers say in every reply what time it is (`Date`, RFC 9110 section 6.6.1). Each word is kept as the difference
between their time and our monotonic clock, so that a later step of our clock shows at once, without asking anybody. One
source that is wrong says nothing against ours: the median of those heard decides, and none heard is no verdict.

The kernel's own state (adjtimex) was not taken: it tells whether something disciplines the clock, not whether the clock is
right, and says `unsynchronised` on the many virtual machines whose hypervisor keeps the time.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Final

from leadglass.clock import Clock
from leadglass.limits import CLOCK_OFF_SECONDS, CLOCK_SOURCES, CLOCK_WORD_SECONDS

_GRAIN: Final = 1.0  # Date has whole seconds: the truth lies within the next one


class Skew:
    """What others say of the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._words: OrderedDict[str, tuple[float, float, float]] = OrderedDict()  # source -> least, most, when heard

    def monotonic(self) -> float:
        """Return what `note` is to be told as the time of sending."""
        return self._clock.monotonic()

    def note(self, source: str, fields: Mapping[str, str], sent: float) -> None:
        """Hear what the head of a reply to a question `sent` then says of the time.

        One out of a cache (`Age`) says when it was made, and is not heard.
        """
        said = fields.get("Date")
        if said is None or "Age" in fields:
            return
        try:
            date = parsedate_to_datetime(said)
        except (ValueError, TypeError):
            return
        told, heard = date.replace(tzinfo=date.tzinfo or UTC).timestamp(), self._clock.monotonic()
        # It was said at some moment between sending and hearing.
        self._words.pop(source, None)
        self._words[source] = (told - heard, told + _GRAIN - sent, heard)
        if len(self._words) > CLOCK_SOURCES:
            self._words.popitem(last=False)

    def off(self) -> float | None:
        """Return by how many seconds our clock is off at least (fast is positive); None when nobody was heard of late."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        by = [
            _beyond(now - monotonic, least, most)
            for least, most, heard in self._words.values()
            if monotonic - heard < CLOCK_WORD_SECONDS
        ]
        return median(by) if by else None

    def wrong(self) -> bool:
        """Return whether our clock is off by more than is borne."""
        off = self.off()
        return off is not None and abs(off) > CLOCK_OFF_SECONDS


def _beyond(ours: float, least: float, most: float) -> float:
    """Return how far `ours` lies outside of the span in which the truth is."""
    if ours > most:
        return ours - most
    return ours - least if ours < least else 0.0
