"""A device that is enrolled: its certificate, renewed in time, and the calls that stand on it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from leadglass_agent.gateway import Gateway, Refused, Unreachable, tls
from leadglass_agent.keys import DeviceKey, SessionKey, certificate_ends, jws
from leadglass_agent.state import Folder, State

TYP = "leadglass-renewal+jwt"
_LIFETIME = 3600.0
_NONCE_SECONDS = 90.0  # the gateway keeps one for 120 s
_RETRY_SECONDS = 30.0
_log = logging.getLogger("leadglass_agent")


class Revoked(Exception):
    """An administrator withdrew the device."""


class Member:
    """The device of `state`, open to `gateway`. One certificate and one session key at a time, in memory.

    `now` counts seconds, suspended ones too, from whatever start: how long a certificate has been held must not depend
    on a clock that somebody sets. `folder`, when given, keeps what the gateway says to trust.
    """

    def __init__(
        self, state: State, key: DeviceKey, gateway: Gateway, now: Callable[[], float], folder: Folder | None = None
    ) -> None:
        self.state, self.key, self.gateway = state, key, gateway
        self._now, self._folder = now, folder
        self._nonce: tuple[str, float] | None = None
        self._lock = asyncio.Lock()
        self._renewed: float | None = None
        self._again = 0.0  # not to be renewed before, after a renewal that failed
        self._revoked: Revoked | None = None
        self.certificate_ends = 0.0  # epoch seconds, by the gateway's clock
        self.generation = 0  # counts the certificates

    @property
    def due(self) -> float:
        """Seconds until the certificate should be renewed: when half of its hour has passed."""
        return self._left - _LIFETIME / 2

    @property
    def _left(self) -> float:
        return 0.0 if self._renewed is None else self._renewed + _LIFETIME - self._now()

    async def nonce(self) -> str:
        """Return a nonce that is unused: the one of the last reply, or a fresh one. Raises Refused, Unreachable."""
        kept, self._nonce = self._nonce, None
        if kept is not None and self._now() - kept[1] < _NONCE_SECONDS:
            return kept[0]
        return await self._fresh_nonce(self.gateway)

    @staticmethod
    async def _fresh_nonce(gateway: Gateway) -> str:
        nonce = (await gateway.call("GET", "nonce")).get("nonce")
        if not isinstance(nonce, str):
            raise Unreachable(f"{gateway.url} gave no nonce; is it a Leadglass gateway?")
        return nonce

    def keep_nonce(self, reply: dict[str, Any]) -> None:
        """Remember the next nonce that a reply or a refusal carries."""
        nonce = reply.get("nonce")
        self._nonce = (nonce, self._now()) if isinstance(nonce, str) else None

    async def renew(self, seen: int | None = None) -> None:
        """Get the next certificate and show it from now on; not when there is a newer one than number `seen`.

        Raises Revoked, Refused, Unreachable.
        """
        async with self._lock:
            if seen is None or seen == self.generation:
                await self._renew()

    async def renew_if_due(self) -> None:
        """Renew when it is time. Raises what `renew` raises, unless the certificate at hand still serves."""
        if self._revoked is not None:
            raise self._revoked
        if self.due > 0:
            return
        async with self._lock:
            if self.due > 0 or (self._left > 0 and self._now() < self._again):
                return  # another exchange renewed, or tried to, while this one waited
            try:
                await self._renew()
            except (Refused, Unreachable) as error:
                if self._left <= 0:
                    raise
                self._again = self._now() + _RETRY_SECONDS
                _log.warning("certificate not renewed: %s (%.0f s are left)", error, self._left)

    async def _renew(self) -> None:
        if self._revoked is not None:
            raise self._revoked
        # On a connection that shows no certificate: one the gateway no longer knows would end in the handshake.
        async with Gateway(self.gateway.url, tls(self.state.trust)) as gateway:
            session_key, reply = await self._ask(gateway)
        try:
            certificate, trust = reply["certificate"], reply.get("trust", list(self.state.trust))
            if not isinstance(trust, list) or not all(isinstance(pem, str) for pem in trust):
                raise ValueError("trust")  # noqa: TRY301 - one answer for every fault of the reply
            ends = certificate_ends(certificate)
            context = tls(trust, (certificate, session_key))
        except (KeyError, ValueError, TypeError, AttributeError, OSError):
            raise Unreachable(f"{self.gateway.url} answered with a certificate that cannot be used") from None
        await self.gateway.present(context)
        self._renewed, self.certificate_ends = self._now(), ends
        self.generation += 1
        self._keep_trust(tuple(trust))

    async def _ask(self, gateway: Gateway) -> tuple[SessionKey, dict[str, Any]]:
        for _ in range(2):
            session_key = SessionKey()
            nonce = await self._fresh_nonce(gateway)
            claims = {"nonce": nonce, "session_jwk": session_key.public_jwk()}
            request = jws(self.key, claims, typ=TYP, kid=self.state.device_id)
            try:
                reply = await gateway.call("POST", "renew", {"request": request})
            except Refused as refusal:
                if refusal.error == "revoked":
                    self._revoked = Revoked(str(refusal))
                    raise self._revoked from None
                if refusal.error != "nonce":
                    raise
                continue  # the gateway started anew between the two
            self.keep_nonce(reply)
            return session_key, reply
        raise Unreachable(f"{gateway.url} takes none of its own nonces; is more than one gateway behind this address?")

    def _keep_trust(self, trust: tuple[str, ...]) -> None:
        if trust == self.state.trust:
            return
        before, self.state = self.state, replace(self.state, trust=trust)
        if self._folder is not None:
            try:
                self._folder.trust(before, trust)
            except OSError as error:
                _log.warning("what the gateway says to trust could not be kept: %s", error.strerror)
