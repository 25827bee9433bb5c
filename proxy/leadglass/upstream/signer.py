"""Who signs assertions: the keys, made when an archive is first to be told, and their rotation.

Nobody has to be quick: the next key is published minutes before it signs, the last one for as long as what it signed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from leadglass.clock import Clock, rfc3339
from leadglass.hazmat.assertion import AssertionKeys
from leadglass.limits import ASSERTION_KEPT_SECONDS
from leadglass.model.errors import ConfigurationError, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code

ASSERTION_KEY: Final = "assertion.key"  # beside the store


class Signer:
    """The keys of assertions in `file`. `events` is where a rotation is recorded; without it no key is ever made."""

    def __init__(self, file: Path, clock: Clock, events: EventSink | None = None) -> None:
        self._file, self._clock, self._events = file, clock, events
        self._keys: AssertionKeys | None = None

    def keys(self) -> AssertionKeys:
        """Return the keys. Raises ConfigurationError."""
        if self._keys is None:
            self._keys = AssertionKeys.load(self._file)
        if self._keys is None:
            if self._events is None:
                raise ConfigurationError(
                    f"there is no key of assertions at {self._file}", hint="start the gateway once: it makes it"
                )
            self._keys = AssertionKeys.make(self._file, self._clock.now())
        return self._keys

    def jwks(self) -> list[dict[str, object]]:
        """Return the public keys to be published; none before an archive is told anything."""
        return [] if self._keys is None else self._keys.jwks(self._clock.now())

    async def rotate(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """Let a new key follow. Raises ConfigurationError while none is used or one is announced, and Refusal."""
        if self._keys is None or self._events is None:
            raise ConfigurationError("no archive is told by assertions", hint="set upstreams.*.auth.assertion")
        new = self._keys.following(self._clock.now())
        said = {
            "from": new.before,
            "to": new.kid,
            "since": rfc3339(new.since),
            "until": rfc3339(new.since + ASSERTION_KEPT_SECONDS),
        }
        await self._events.record_event("assertion-key-rotated", {**said, "by": by})
        try:
            new.take_place()
        except OSError as error:
            raise refuse(Code.STORE_UNAVAILABLE, f"the key of assertions: {error.strerror}") from None
        return said
