"""The device of a browser's session: what its page needs to ask the agent, and what becomes of the agent's answer."""

from collections.abc import Mapping
from typing import Any

from leadglass.devices.proof import ProofDesk
from leadglass.limits import NONCE_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.sessions.bindings import Bindings
from leadglass.sessions.session import Session
from leadglass.sessions.sessions import Sessions


class Proving:
    """Joins sessions, their bindings and the desk that judges proofs."""

    def __init__(self, sessions: Sessions, bindings: Bindings, desk: ProofDesk) -> None:
        self._sessions, self._bindings, self._desk = sessions, bindings, desk

    @property
    def agent(self) -> str:
        """The origin of the agent on the person's machine."""
        return self._sessions.settings.agent

    def device(self, peer: PeerFacts) -> dict[str, Any] | None:
        """Return what people see of the device of the browser's session."""
        return self._bindings.shown(peer.session) if peer.session else None

    def state(self, peer: PeerFacts) -> dict[str, Any]:
        """Return how it is with the device of the browser's session, with a challenge. Raises Refusal."""
        session = self._session(peer)
        return {
            "device": self._bindings.shown(session.id),
            "renew_in": self._bindings.due(session),
            "challenge": self._desk.challenge(session.id),
            "expires_in": NONCE_SECONDS,
            "agent": f"{self.agent}/v1/proof",
        }

    async def prove(self, form: Mapping[str, Any], peer: PeerFacts) -> dict[str, Any]:
        """Take a proof. Raises StatementRefused, Refusal."""
        session = self._session(peer)
        device = self._desk.take(form, session.id, peer.origin)
        await self._bindings.prove(session.id, device.named(), peer)
        return {"device": self._bindings.shown(session.id), "renew_in": self._bindings.due(session)}

    def _session(self, peer: PeerFacts) -> Session:
        session = self._sessions.one(peer.session) if peer.session else None
        if session is None:
            raise refuse(Code.USER_UNAUTHENTICATED, "no session")
        return session
