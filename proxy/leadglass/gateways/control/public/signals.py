"""What transmitters of security events reach: one path that takes one SET (RFC 8935)."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from leadglass.access.signals import Signals
from leadglass.access.signin import BASE
from leadglass.gateways.control.problems import problem, reply, tell
from leadglass.gateways.control.public.people import Answer
from leadglass.identity.transmitters import TYPE
from leadglass.limits import TOKEN_BYTES
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.model.signals import SignalRefused

PATH: Final = BASE + "signals"
_ACCEPTED: Final = 202


class Receiver:
    """The endpoint."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def endpoints(self) -> Mapping[tuple[str, str], Answer]:
        """Return method and path -> endpoint."""
        return {("POST", PATH): self.take}

    async def take(self, peer: PeerFacts, request: web.Request) -> web.Response:
        """Take a SET, and answer as RFC 8935 sections 2.2 and 2.3 ask."""
        try:
            token = await _body(request)
            authorization = None if peer.authorization is None else bytes.fromhex(peer.authorization)
            await self._signals.receive(token, authorization, peer)
        except SignalRefused as refused:
            answer = reply({"err": refused.error, "description": refused.cause}, 400)
            answer.headers["Content-Language"] = "en"
            return tell(answer, Code.SIGNAL_REFUSED, str(refused))
        except Refusal as refusal:
            return problem(refusal, peer.decision_id, {})
        return web.Response(status=_ACCEPTED)


async def _body(request: web.Request) -> str:
    if request.content_type != f"application/{TYPE}":
        raise SignalRefused("invalid_request", f"the body is not application/{TYPE}")
    body = await request.content.read(TOKEN_BYTES + 1)
    while len(body) <= TOKEN_BYTES and not request.content.at_eof():
        body += await request.content.read(TOKEN_BYTES + 1 - len(body))
    try:
        return body.decode("ascii")  # one that is too long is refused for that where it is read
    except UnicodeDecodeError:
        raise SignalRefused("invalid_request", "the body is not ASCII") from None
