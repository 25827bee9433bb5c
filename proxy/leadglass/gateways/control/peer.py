"""What the door has established about a peer, carried to the public control app in a header that nobody else can write.

The header is MACed with a key of this start and bound to method and path. The relay builds its requests anew, so a
client's copy of the header never travels; if one did, its MAC would not verify.
"""

from dataclasses import asdict
from typing import Final

import orjson

from leadglass.hazmat.mac import b64u, from_b64u, mac, new_key, verified
from leadglass.model.control import PeerFacts

HEADER: Final = "Leadglass-Peer"


class Forged(ValueError):
    """The header is missing or was not made by this process for this request."""


class PeerSeal:
    """Seals facts about a peer, and opens what it sealed. One for the relay and the public app of a process."""

    def __init__(self) -> None:
        self._key = new_key()

    def seal(self, facts: PeerFacts, method: str, path: str) -> str:
        """Return the header's value for one request."""
        body = b64u(orjson.dumps(asdict(facts)))
        return f"{body}.{b64u(mac(self._key, _message(body, method, path)))}"

    def open(self, value: str | None, method: str, path: str) -> PeerFacts:
        """Return the facts in the header's value. Raises Forged."""
        body, dot, tag = (value or "").partition(".")
        try:
            genuine = bool(dot) and verified(self._key, _message(body, method, path), from_b64u(tag))
        except ValueError:
            genuine = False
        if not genuine:
            raise Forged("peer header")
        facts = orjson.loads(from_b64u(body))
        return PeerFacts(**{**facts, "query": tuple((name, value) for name, value in facts["query"])})


def _message(body: str, method: str, path: str) -> bytes:
    return f"{method} {path}\n{body}".encode("utf-8", "surrogateescape")
