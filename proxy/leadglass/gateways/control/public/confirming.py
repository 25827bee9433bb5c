"""Where a person confirms that somebody is told who a pseudonym stands for (docs/projects.md). A form without script."""

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import TypeAlias

from aiohttp import web

from leadglass.access.reidentify import Reidentify
from leadglass.access.signin import device_path, sign_in_path
from leadglass.access.ways import with_query
from leadglass.clock import rfc3339
from leadglass.codec.control import REIDENTIFY
from leadglass.gateways.control.problems import reply
from leadglass.gateways.control.public.pages import form_of, page
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

Answer: TypeAlias = Callable[[PeerFacts, web.Request], Awaitable[web.Response]]


class Confirming:
    """The endpoints."""

    def __init__(self, reidentify: Reidentify) -> None:
        self._reidentify = reidentify

    def endpoints(self) -> Mapping[tuple[str, str], Answer]:
        """Return method and path -> endpoint."""
        return {("GET", REIDENTIFY): self.look, ("POST", REIDENTIFY): self.decide}

    async def look(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Show what is asked, by whom and why."""
        name = dict(peer.query).get("request", "")
        try:
            asked = await self._reidentify.look(name, peer)
        except Refusal as refusal:
            _then_back(refusal, name)
            raise
        if not peer.page:
            return reply({**asked.named(), "reason": asked.reason, "ends": rfc3339(asked.ends)})
        rows = {
            "Project": asked.project,
            "Pseudonym": asked.pseudonym,
            "Reason": asked.reason,
            "Asked by": str(asked.by.get("user", "")),
            "Until": rfc3339(asked.ends)[:19] + " UTC",
        }
        shown = "".join(f"<dt>{label}</dt><dd>{escape(said)}</dd>" for label, said in rows.items())
        content = (
            "<p>Somebody at the gateway asks who a pseudonym stands for. If you confirm it, they are told, and it is recorded "
            f"in your name.</p>\n<dl>{shown}</dl>\n"
            f'<form method="post" action="{REIDENTIFY}"><input type="hidden" name="request" value="{escape(asked.id)}">'
            '<button class="go" name="answer" value="yes">Confirm</button> '
            '<button name="answer" value="no">Refuse</button></form>'
        )
        return page("Who is it?", content)

    async def decide(self, peer: PeerFacts, request: web.Request) -> web.Response:
        """Take the person's word."""
        form = await form_of(request)
        name, yes = form.get("request", ""), form.get("answer") == "yes"
        if form.get("answer") not in {"yes", "no"}:
            raise refuse(Code.HTTP_MALFORMED, "the answer is yes or no")
        try:
            await (self._reidentify.confirm if yes else self._reidentify.refuse)(name, peer)
        except Refusal as refusal:
            _then_back(refusal, name)
            raise
        if not peer.page:
            return reply({"answer": "yes" if yes else "no"})
        said = "Whoever asked is told now." if yes else "Nobody is told."
        return page("It is recorded", f"<p>{said}</p>")


def _then_back(refusal: Refusal, name: str) -> None:
    """Let whoever must sign in first, or show their device, come back to the form."""
    back = with_query(REIDENTIFY, request=name)
    code = refusal.causes[0].reason.code
    if refusal.step_up is not None or code == Code.USER_UNAUTHENTICATED:
        refusal.sign_in = sign_in_path(back, refusal.step_up)
    elif code == Code.DEVICE_REQUIRED:
        refusal.sign_in = device_path(back)
