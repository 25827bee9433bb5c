"""The values of originals, to be looked for in the bytes of copies, wherever they went and in whatever encoding."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from pydicom.dataset import Dataset

from leadglass.copies.attributes import FILLED, texts
from leadglass.copies.bounds import SCAN_VALUES
from leadglass.deid.acts import Act
from leadglass.deid.known import PEOPLE, PLACES
from leadglass.deid.rules import Rules
from leadglass.model.errors import ConfigurationError

_HEAD: Final = 4  # bytes that a value is found by
_LONG: Final = 8  # bytes that a value must have to be looked for among pixels, where shorter ones stand by chance
_WHOLE: Final = 6  # characters of a text that is looked for as a whole
_WORDS: Final = re.compile(r"(?!\d{4,5}(?![^\W_]))[^\W_]{4,}")  # four or five digits stand anywhere by chance
_UIDS: Final = re.compile(rb"[0-9][0-9.]{6,62}[0-9]")
_PRINTED: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{8,}")
_REGISTERED: Final = "1.2.840.10008"
_CODECS: Final = (
    "utf-8",
    "latin-1",
    "iso8859-2",
    "iso8859-5",
    "iso8859-7",
    "shift_jis",
    "iso2022_jp",
    "gb18030",
    "euc_kr",
)
_SEARCHED: Final = frozenset({"AE", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"})
# What a copy may keep in part: texts that are cleaned are looked into for the words of other attributes.
_LEFT: Final = frozenset({Act.SHIFT, Act.CLEAN, Act.AGE, Act.POSTCODE})
# Not looked for as words: they describe what was done, in the words of everybody.
_TEXTS: Final = frozenset({"LT", "ST", "UT", "UC"})


class Originals:
    """What originals say of people and places, and their UIDs. Values that a copy may keep are not looked for."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._uids: set[bytes] = set()
        self._values: dict[str, str] = {}
        self._kept: set[str] = set()
        self._heads: dict[bytes, list[tuple[bytes, str]]] | None = None
        self.names: set[str] = set()
        self.short = 0
        """Values too short to be looked for."""

    def add(self, found: Dataset, name: str) -> None:
        """Take in the values of an original and its name. Raises ConfigurationError when there are too many."""
        self._take(found, "")
        for part in PurePosixPath(name).parts:
            self.names.update(word.lower() for word in _WORDS.findall(part.rpartition(".")[0] or part))
        self._heads = None
        if len(self._uids) + len(self._values) > SCAN_VALUES:
            raise ConfigurationError(f"more than {SCAN_VALUES} values to look for", hint="verify one project at a time")

    def _take(self, found: Dataset, above: str) -> None:
        for element in found:
            tag = int(element.tag)
            if element.VR == "SQ":
                for item in element.value or ():
                    self._take(item, above)
                continue
            if element.VR not in _SEARCHED:
                continue
            act = self._rules.act(tag)
            if act is Act.KEEP:
                for one in texts(element):
                    self._kept.update((one.lower(), *(word.lower() for word in _WORDS.findall(one))))
            elif act not in _LEFT:
                for one in texts(element):
                    self._value(one, tag, element.VR, element.name)

    def _value(self, value: str, tag: int, vr: str, name: str) -> None:
        if FILLED.fullmatch(value):
            return
        if vr == "UI":
            if value and not value.startswith(_REGISTERED):
                self._uids.add(value.encode("ascii", "replace"))
            return
        people = vr == "PN" or tag in PEOPLE or tag in PLACES
        if vr == "PN" or (people and vr not in _TEXTS and vr not in {"DA", "DT"}):
            words = _WORDS.findall(value)
            for word in words:
                self._values.setdefault(word.lower(), name)
            self.short += not words and 0 < len(value) < _WHOLE
        if len(value) >= _WHOLE and not value.isspace():
            self._values.setdefault(value.lower(), name)

    def found_in(self, data: bytes) -> Iterator[str]:
        """Yield whose values are among bytes that are no pixels: names of attributes."""
        for part in (data, data.replace(b"\0", b"")) if b"\0" in data else (data,):
            if any(uid in self._uids for uid in _UIDS.findall(part)):
                yield "a UID"
            yield from self._look(part.lower(), 0)

    def found_among_pixels(self, data: bytes) -> Iterator[str]:
        """Yield whose values are among pixels, where what is short stands by chance."""
        for run in _PRINTED.findall(data):
            if any(uid in self._uids for uid in _UIDS.findall(run)):
                yield "a UID"
            yield from self._look(run.lower(), _LONG)

    def _look(self, data: bytes, shortest: int) -> Iterator[str]:
        heads = self._heads if self._heads is not None else self._index()
        for at in range(len(data) - _HEAD + 1):
            for value, name in heads.get(data[at : at + _HEAD], ()):
                if len(value) >= shortest and data.startswith(value, at) and _apart(data, at, len(value)):
                    yield name

    def _index(self) -> dict[bytes, list[tuple[bytes, str]]]:
        heads: dict[bytes, set[tuple[bytes, str]]] = {}
        for value, name in self._values.items():
            if value in self._kept:
                continue
            for codec in _CODECS:
                for spelt in {value, value.upper()}:
                    try:
                        encoded = spelt.encode(codec).lower()
                    except UnicodeEncodeError:
                        continue
                    if len(encoded) >= _HEAD:
                        heads.setdefault(encoded[:_HEAD], set()).add((encoded, name))
        self._heads = {head: sorted(values) for head, values in heads.items()}
        return self._heads

    def in_name(self, name: str) -> bool:
        """Whether a name of a file or folder has a word of an original's name, or a value of an original."""
        words = {word.lower() for word in _WORDS.findall(name.rpartition(".")[0] or name)}
        return (
            bool(words & self.names)
            or bool(words & self._values.keys())
            or name.removesuffix(".dcm").encode() in self._uids
        )


def _apart(data: bytes, at: int, size: int) -> bool:
    """Whether a value stands for itself: a name within a longer word of letters is another word."""
    before, after = data[at - 1 : at], data[at + size : at + size + 1]
    alike = data[at : at + 1].isalpha(), data[at + size - 1 : at + size].isalpha()
    return not (alike[0] and before.isalpha()) and not (alike[1] and after.isalpha())
