"""What the record itself tells of its past: restores that left lines behind, and head keys that followed each other.

A restore is an event, so what it left behind is no secret and no fault: it is said. A key that follows another is an
event, too, and is believed once a head by a key that is known already covers that event. From its first head on the key
before it signs nothing more: rotating a key that leaked is the end of it.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

import orjson

from leadglass.audit.feed import event_kind
from leadglass.hazmat.hashchain import BrokenLine, HeadKeys, Link
from leadglass.hazmat.mac import from_b64u


@dataclass(frozen=True, slots=True)
class _Fork:
    """A restore: lines of `chain` behind line `after`, written before `at`, are not in the record."""

    chain: str
    after: int
    at: str


class Past:
    """Learns from the lines of a record. `lost` says in words what restores left behind."""

    def __init__(self, keys: HeadKeys) -> None:
        self.keys = keys
        self.lost: list[str] = []
        self._forks: list[_Fork] = []
        self._announced: dict[str, str] = {}  # old key -> the next one
        self._follows: dict[str, str] = {}  # a key that was vouched for -> the one before it
        self._over: set[str] = set()  # keys that another has followed
        self._back: str | None = None  # when a restore may have brought one of them back

    def line(self, line: bytes, link: Link) -> None:
        """Take a line whose hash is right."""
        kind = event_kind(line)
        if kind == "restored":
            self._restored(_fields(line), link, str(orjson.loads(line)["timestamp"]))
        elif kind == "record-key-rotated":
            said = _fields(line)
            if isinstance(said.get("from"), str) and isinstance(said.get("public"), str):
                self._announced[said["from"]] = said["public"]

    def head(self, key: str) -> None:
        """Take a head whose signature by `key` holds: what it announced before is believed from here on.

        Raises BrokenLine when another key has followed that one, and no restore brought it back.
        """
        if key in self._over:
            said = f"the key {key}, which another had followed"
            if self._back is None:
                raise BrokenLine(f"its signed head is by {said} before")
            self.lost.append(f"{said}, signs heads again since the restore of {self._back}")
            self._over.discard(key)
        if (before := self._follows.pop(key, None)) is not None:
            self._over.add(before)
            self._back = None
        if (public := self._announced.pop(key, None)) is not None:
            with contextlib.suppress(ValueError):
                new = HeadKeys.from_raw(from_b64u(public))
                self.keys |= new
                self._follows |= dict.fromkeys(new.keys, key)

    def _restored(self, said: dict[str, Any], link: Link, at: str) -> None:
        self._back = at
        head, standing = _head(said.get("head")), _head(said.get("standing"))
        if head is None:
            return
        when = f"the restore of {at} (backup of {said.get('made')})"
        chain, seq = head
        if chain != link.chain:
            self._forks.append(_Fork(chain, 0, at))
            self.lost.append(
                f"{when} began this record anew: the chain {chain}, up to line {seq} at least, is not in it"
            )
            return
        after = seq if standing is None else standing[1]
        self._forks.append(_Fork(chain, after, at))
        if seq > after:
            self.lost.append(f"{when} left lines {after + 1} to {seq} at least behind")

    def explains(self, chain: str, seq: int, timestamp: str) -> bool:
        """Return whether a restore left the line behind that somebody's head of `timestamp` knows."""
        for fork in self._forks:
            if fork.chain == chain and seq > fork.after and timestamp <= fork.at:
                self.lost.append(
                    f"line {seq} of the chain {chain}, known by a head of {timestamp}, was left behind by the restore of {fork.at}"
                )
                return True
        return False


def _fields(line: bytes) -> dict[str, Any]:
    found = orjson.loads(line)["fields"]
    return found if isinstance(found, dict) else {}


def _head(value: object) -> tuple[str, int] | None:
    """Return chain and line of a head in an event."""
    if isinstance(value, dict) and isinstance(value.get("chain"), str) and isinstance(value.get("seq"), int):
        return value["chain"], value["seq"]
    return None
