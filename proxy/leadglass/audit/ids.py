"""Decision ids: ULIDs that only grow (https://github.com/ulid/spec, section "Monotonicity").

48 bits of Unix milliseconds and 80 bits that are random when a millisecond begins and count up within it. When the
clock steps back the last millisecond is kept, so an id made later always sorts later. An id names a decision; knowing
one gives nobody anything.
"""

import secrets

from leadglass.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]  # 10 bits at a time
_COUNTER_BITS = 20
_BYTES = 10  # of randomness for a millisecond: 60 bits, and the counter's start
_DRAWN = 100 * _BYTES  # at once: asking the system costs as much for 10 bytes as for 1,000


def _encode(value: int, pairs: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 0x3FF] for shift in range((pairs - 1) * 10, -1, -10)])


class Ulids:
    """Makes ids for one process. Not for use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now
        self._millisecond = -1
        self._prefix = ""
        self._counter = 0
        self._drawn = b""

    def __call__(self) -> str:
        """Return the next id: 26 characters, greater than every one before."""
        millisecond = int(self._now() * 1000)
        if millisecond > self._millisecond:
            self._begin(millisecond)
        else:
            self._counter += 1
            if self._counter >> _COUNTER_BITS:
                self._begin(self._millisecond + 1)
        counter = self._counter
        return self._prefix + _PAIRS[counter >> 10] + _PAIRS[counter & 0x3FF]

    def _begin(self, millisecond: int) -> None:
        self._millisecond = millisecond
        drawn = self._drawn or secrets.token_bytes(_DRAWN)
        self._drawn = drawn[_BYTES:]
        bits = int.from_bytes(drawn[:_BYTES], "big")
        # 60 random bits, then a counter that starts in its lower half and has room for half a million ids.
        self._prefix = _encode(millisecond, 5) + _encode(bits >> _COUNTER_BITS, 6)
        self._counter = bits & ((1 << (_COUNTER_BITS - 1)) - 1)


def milliseconds(ulid: str) -> int:
    """Return the Unix milliseconds that an id begins with. Raises ValueError when it is no ULID."""
    if len(ulid) != 26:  # noqa: PLR2004 - the length of a ULID
        raise ValueError("not a ULID")
    value = 0
    for character in ulid[:10]:
        value = value * 32 + _ALPHABET.index(character)
    return value
