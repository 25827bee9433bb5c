"""The elements of a data set (PS3.5 section 7), each done with as its act says, as they stream.

What stays leaves as slices of what came, as long as it goes on; what is replaced is made once and remembered. Sequences and
items that stay lose their lengths for delimiters, since what is in them may change its own. What is removed is stepped over.
An element is held until it is whole, except where nobody looks at its value.
"""

from typing import Final, Protocol

from leadglass.codec.charset import is_known
from leadglass.codec.dataset import BRACKETS, DELIMITERS, SEQUENCES, SHORT_VRS, UNDEFINED
from leadglass.deid.forms import NUMBERS, SPELLED, TEXTS, Form, values_of
from leadglass.deid.handling import CHARACTER_SET, PIXELS, Replacer, looks, named
from leadglass.deid.nesting import HEAD, WITHOUT_VR, Frame, Head, Holds, Nesting, Rest
from leadglass.deid.pixeldata import Taker
from leadglass.deid.refused import unreadable
from leadglass.deid.rules import Act, Rules
from leadglass.limits import DEID_REMEMBERED_BYTES, DEID_SEQUENCE_BYTES

NEVER: Final = 1 << 32
_CREATORS: Final = range(0x10, 0x100)  # elements that name who owns a block of a private group (PS3.5 section 7.8.1)
_PRIVATE: Final = 0x10000
_ESCAPE: Final = 0x1B
_BRACKET: Final = 4  # bytes of the tag of an item or delimiter
_CREATOR_BYTES: Final = 256  # LO has 64 characters
_NOT_TOLD: Final[tuple[tuple[bytes, ...], bool]] = ((), False)
_UNREAD: Final = frozenset({Act.REMOVE, Act.EMPTY, Act.DUMMY})
_INTO: Final = frozenset({Act.KEEP, Act.UID, Act.CLEAN})


class Top(Protocol):
    """Who writes the file that the data set is of.

    `reach` is called before an element of a tag that is `next` or greater, `found` with each attribute that is `special`
    in place of writing it, those that are `replaced` are left out, and `pixels` when pixel data begins.
    """

    next: int
    special: frozenset[int]
    replaced: frozenset[int]

    def reach(self, tag: int) -> None:
        """An element of this tag comes next."""

    def found(self, tag: int, vr: bytes, raw: bytes, made: bytes) -> None:
        """Take the value of a special element, and what is made of the element."""

    def pixels(self, tag: int, vr: bytes, length: int) -> Taker:
        """Return who takes the value of pixel data; its head is not written."""


class Elements(Nesting):
    """Walks a data set. What may leave is appended to `out`. Raises Refusal `deid-unreadable`; after that, feed no more."""

    def __init__(
        self, rules: Rules, replacers: tuple[Replacer, Replacer], form: Form, top: Top, out: list[bytes]
    ) -> None:
        """`replacers` are those for most levels, and for those that are cleaned."""
        super().__init__(looks(rules, top.special | top.replaced), replacers, form, out)
        self._rules, self._top = rules, top
        self._pieces: list[bytes] = []
        self._missing = 0
        self._private_act = 0 if rules.keeps_private else _PRIVATE

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data, self._pieces = b"".join(self._pieces), []
        at, end, self._need = 0, len(data), 0
        while not self._need:
            if self._taker is not None:
                at += self._taker.take(data, at)
                if not self._taker.done:
                    break
                self._taker = None
            self._close(at)
            if at == end:
                break
            frame = self._frames[-1]
            if frame.holds is Holds.ELEMENTS:
                at = self._elements(data, at, frame)
            elif frame.holds is Holds.ITEMS:
                at = self._item(data, at, frame)
            else:
                at = self._gone(data, at, frame)
        self._base += at
        if at < end:
            self._pieces, self._missing = [data[at:]], self._need - (end - at)

    def finish(self) -> None:
        """Say that the data set has ended."""
        self._close(0)
        if self._pieces or self._taker is not None or len(self._frames) > 1:
            raise unreadable("the file ends within an element")
        self._top.reach(NEVER)

    def _elements(self, data: bytes, at: int, frame: Frame) -> int:  # noqa: C901, PLR0912, PLR0915 - one tight loop
        """Walk on in one data set or item, and return where it stopped: the fast lane of short elements that are whole."""
        bound = len(data) if frame.bound is None else min(len(data), frame.bound - self._base)
        keep, gone, private, write = frame.look.keep.get, frame.look.gone, self._private_act, self._out.append
        explicit, unpack, bare = frame.form.explicit, frame.form.unpack, frame.form.unpack_bracket
        made, fixed = frame.replacer.made.get, frame.replacer.fixed[explicit].get
        top, start, before = frame is self._frames[0], at, frame.before
        limit = self._top.next if top else NEVER
        if at >= bound:
            raise unreadable("an item without an end in a sequence that ends")
        while at < bound:
            if at + HEAD <= bound:
                if explicit:
                    group, number, vr, length = unpack(data, at)
                else:
                    group, number, length = bare(data, at)
                    vr = b"UI"  # of those that are short
                tag, after = group << 16 | number, at + HEAD + length
                new: bytes | None = None
                if before < tag < limit and after <= bound and not length & 1:
                    vrs = keep(tag)
                    if vrs is not None:
                        if not explicit and vrs:
                            vr = vrs[0]
                        if vr in vrs and (
                            vr in NUMBERS or ((raw := data[at + 8 : after]).isascii() and _ESCAPE not in raw)
                        ):
                            at, before = after, tag
                            continue
                        if top and tag in self._top.special:
                            if start < at:
                                write(data[start:at])
                                start = at
                            new = self._fact(tag, vr, data[at:after], frame)
                    elif vr in SHORT_VRS:
                        if tag in gone or tag & private:
                            new = b""
                        elif (new := fixed(tag)) is None and length < DEID_REMEMBERED_BYTES:
                            new = made(data[at:after])
                    if new is not None:
                        if start < at:
                            write(data[start:at])
                        if new:
                            write(new)
                        at = start = after
                        before = tag
                        continue
            if start < at:
                write(data[start:at])
            frame.before = before
            at = start = self._one(data, at, frame)
            if self._need or self._taker is not None or self._frames[-1] is not frame:
                return at
            before = frame.before
            if top:
                limit = self._top.next
        if start < at:
            write(data[start:at])
        frame.before = before
        return at

    def _fact(self, tag: int, vr: bytes, element: bytes, frame: Frame) -> bytes | None:
        """Tell of a short special element that is what it should be and becomes what is known; nothing is left of it to write."""
        vrs, stays = frame.look.told.get(tag, _NOT_TOLD)
        if not frame.form.explicit and vrs:
            vr = vrs[0]
        raw, made = element[HEAD:], element if stays else frame.replacer.made.get(element)
        if vr not in vrs or made is None or (vr in TEXTS and not (raw.isascii() and _ESCAPE not in raw)):
            return None
        self._top.found(tag, vr, raw, made)
        return b""

    def _one(self, data: bytes, at: int, frame: Frame) -> int:
        """Do one element, whatever it is, and return where what is in it or behind it begins; `at` when bytes are missing."""
        head = self._head(data, at, frame)
        if head is None:
            return at
        tag, vr, length, size = head
        if tag >> 16 == DELIMITERS:
            return self._delimit(at, tag, length, frame)
        if tag <= frame.before:
            raise unreadable("an element twice or out of order")
        if length != UNDEFINED:
            self._within(at + size, length, frame)
        if frame is self._frames[0]:
            if tag >= self._top.next:
                self._top.reach(tag)
            if tag in PIXELS and frame.look.acts.get(tag) is Act.KEEP:
                frame.before, self._taker = tag, self._top.pixels(tag, vr, length)
                return at + size
        return self._judged(data, at, frame, head)

    def _judged(self, data: bytes, at: int, frame: Frame, head: Head) -> int:
        """Do an element by its act."""
        decided = self._decide(data, at, frame, head)
        opens = None if decided is None else self._opens(data, at, frame, head)
        if decided is None or opens is None:
            return at
        act, meant = decided
        if opens and not (head[0] in self._top.special and frame is self._frames[0]):
            return self._sequence(data, at, frame, head, act)
        if head[2] == UNDEFINED:
            raise unreadable("undefined length where there is no sequence")
        return self._value(data, at, frame, head, act, meant)

    # --- What an element is -------------------------------------------------------------------------------------------

    def _decide(self, data: bytes, at: int, frame: Frame, head: Head) -> tuple[Act, bytes] | None:
        """Return the act, and the VR that the value is to be read and replaced in."""
        tag, vr, _, _ = head
        act = frame.look.acts.get(tag)
        if act is None:
            if tag & _PRIVATE:
                found = self._private(data, at, frame, head)
                if found is None:
                    return None
                act = found
            else:
                act = self._rules.act(tag)
        if tag in PIXELS or (tag in self._top.replaced and frame is self._frames[0]):
            return Act.REMOVE, vr  # pixels in items are of pictures that nobody has judged
        return _meant(Act.KEEP if tag == CHARACTER_SET else act, vr, named(tag))

    def _private(self, data: bytes, at: int, frame: Frame, head: Head) -> Act | None:
        """Return the act of a private element, by whoever has reserved its block in this data set or item."""
        tag, vr, length, size = head
        rules = self._rules
        if not rules.keeps_private:
            return Act.REMOVE
        if tag & 0xFFFF in _CREATORS:
            if length > _CREATOR_BYTES:
                return Act.REMOVE
            if not self._whole(data, at, frame, head):
                return None
            names = values_of(data[at + size : at + size + length], b"LO", frame.character_set) or []
            named_by = names[0] if len(names) == 1 else ""  # of two values, the second would stay unseen
            frame.creators = {**(frame.creators or {}), tag: named_by}
            return rules.act(tag, named_by)
        creator = (frame.creators or {}).get(tag & 0xFFFF0000 | tag >> 8 & 0xFF)
        act = rules.act(tag, creator)
        return Act.CLEAN if act is Act.KEEP and frame.look is self._levels.cleaned and vr in SPELLED else act

    def _opens(self, data: bytes, at: int, frame: Frame, head: Head) -> bool | None:
        """Return whether an element is a sequence. One without VR is, if it is known to be or begins like one."""
        tag, vr, length, size = head
        if vr != b"UN":
            return vr == b"SQ"
        if length == UNDEFINED or tag in SEQUENCES:
            if frame.form.order == ">":
                raise unreadable("UN of undefined length in Big Endian")
            return True
        if length < _BRACKET or named(tag) is not None:
            return False
        if not self._has(data, at, size + _BRACKET, frame):
            return None
        return data[at + size : at + size + _BRACKET] in BRACKETS

    # --- What becomes of it -------------------------------------------------------------------------------------------

    def _sequence(self, data: bytes, at: int, frame: Frame, head: Head, act: Act) -> int:
        tag, vr, length, size = head
        frame.before = tag
        form = frame.form
        if act in _INTO and length:
            after, key = at + size + length, None
            if length <= DEID_SEQUENCE_BYTES and after <= len(data) and frame is self._frames[0]:
                key = (frame.character_set, data[at:after])
                found = frame.replacer.sequences.get(key)
                if found is not None:
                    self._out.append(found)
                    return after
            begun = len(self._out)
            self._out.append(form.opened(tag, vr))
            look = self._levels.inside(self._rules, act, frame.look)
            self._push(Holds.ITEMS, at + size, length, frame, look, WITHOUT_VR if vr == b"UN" else form)
            if key is not None:
                self._frames[-1].key, self._frames[-1].begun = (frame.replacer, key), begun
            return at + size
        if act is not Act.REMOVE:
            self._out.append(frame.replacer.sequence(act, tag, form))
        return self._over(data, at + size, length, frame, vr)

    def _value(self, data: bytes, at: int, frame: Frame, head: Head, act: Act, vr: bytes) -> int:
        tag, _, length, size = head
        special = frame is self._frames[0] and tag in self._top.special
        if not special and act in _UNREAD:
            frame.before = tag
            if act is not Act.REMOVE:
                self._out.append(frame.replacer.fix(act, tag, head[1], vr, frame.form))
            return self._over(data, at + size, length, frame, vr)
        if not special and act is Act.KEEP and vr not in TEXTS:
            frame.before = tag
            self._out.append(frame.form.head(tag, head[1], length))
            self._taker = Rest(length, self._out.append)
            return at + size
        if not self._whole(data, at, frame, head):
            return at
        frame.before = tag
        after = at + size + length
        raw = data[at + size : after]
        made = self._made(frame, data[at:after], head, act, vr, raw)
        if special:
            self._top.found(tag, vr, raw, made)
        else:
            self._out.append(made)
        return after

    def _made(self, frame: Frame, element: bytes, head: Head, act: Act, vr: bytes, raw: bytes) -> bytes:
        """Return what an element becomes, of which all bytes are there."""
        tag, written, length, _ = head
        form, replacer = frame.form, frame.replacer
        if tag == CHARACTER_SET:
            frame.character_set = raw if is_known(raw) else b""
            return form.element(tag, vr, frame.character_set)
        if act is Act.KEEP:
            sound = vr not in TEXTS or values_of(raw, vr, frame.character_set) is not None
            return form.head(tag, written, length) + raw if sound else form.element(tag, vr, b"")
        if act is Act.REMOVE:
            return b""
        found = replacer.made.get(element)
        if found is not None:
            return found
        return replacer.remember(element, replacer.replace(act, tag, vr, raw, form, frame.character_set))


def _meant(act: Act, vr: bytes, vrs: tuple[bytes, ...] | None) -> tuple[Act, bytes]:
    """Return the act and the VR for an element that is written as `vr`, when the dictionary has `vrs` for it.

    What stays is what the dictionary says it is, or goes: numbers that are called text are no numbers.
    """
    if vrs is None or vr in vrs:
        return act, vr
    if vr == b"UN":
        return act, vrs[0]
    if vr == b"SQ" or b"SQ" in vrs:
        return Act.REMOVE, vr
    if act is not Act.KEEP:
        return act, vrs[0]
    return (act, vr) if vr in TEXTS and vrs[0] in TEXTS else (Act.REMOVE, vr)
