"""Rotating the key that seals sessions: all are sealed anew at once, and the old key goes when no sign-in needs it.

A sign-in that was begun before is sealed under the old key, in the browser. So that opens for as long as a sign-in may
take, over a restart too: the file holds both meanwhile.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

from leadglass.clock import Clock, rfc3339
from leadglass.hazmat.aead import Box
from leadglass.limits import SIGN_IN_SECONDS
from leadglass.model.errors import ConfigurationError, Refusal, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.sessions.sessions import Sessions
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.sessions")


class KeyRotation:
    """Rotates the session key in `file`. One that a restart interrupted is finished by `resume`."""

    def __init__(
        self, box: Box, file: Path, sessions: Sessions, events: EventSink, *, clock: Clock, tasks: Tasks
    ) -> None:
        self._box, self._file, self._sessions, self._events = box, file, sessions, events
        self._clock, self._tasks = clock, tasks

    async def rotate(self, by: dict[str, str | int]) -> dict[str, Any]:
        """Let a new key follow.

        Raises ConfigurationError while a rotation is under way, Refusal `store-unavailable`, `audit-unavailable`.
        """
        if self._box.rotating:
            raise ConfigurationError(
                "the session key is being rotated", hint=f"that is done {SIGN_IN_SECONDS // 60} minutes after it began"
            )
        said = {"sessions": len(self._sessions), "until": rfc3339(self._clock.now() + SIGN_IN_SECONDS)}
        await self._events.record_event("session-key-rotated", {**said, "by": by})
        try:
            self._box.rotate(self._file)
        except OSError as error:
            raise refuse(Code.STORE_UNAVAILABLE, f"the session key: {error.strerror}") from None
        self.resume()
        await self._sessions.reseal()
        return said

    def resume(self) -> None:
        """Let go of old keys when no sign-in needs them any more."""
        if self._box.rotating:
            self._tasks.spawn(self._forget(), name="forget the old session key")

    async def _forget(self) -> None:
        while self._box.rotating:  # a store that is busy now must not keep a key that leaked till the next start
            await asyncio.sleep(SIGN_IN_SECONDS)
            await self.forget()

    async def forget(self) -> None:
        """Let go of old keys now, unless a session is still sealed under one."""
        try:
            await self._sessions.reseal()  # a crash may have come between the new key and the sealing
            self._box.forget(self._file)
        except (Refusal, OSError) as error:
            _log.error("the old session key is kept, and tried again: %s", error)
