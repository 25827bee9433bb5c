"""What browsers reach when it is urgent: emergency codes, breaking the glass, and why something was refused.

Plain forms without script, since nothing else may be up (docs/emergency.md, docs/break-glass.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Final, TypeAlias

from aiohttp import web

from leadglass.access.emergency import Emergency, token
from leadglass.access.glass import BreakGlass
from leadglass.access.signin import BASE, LOGIN, Turn, sign_in_path
from leadglass.access.ways import with_query
from leadglass.access.why import Why
from leadglass.clock import rfc3339
from leadglass.codec import cookies
from leadglass.codec.control import BREAK_GLASS, EMERGENCY, WHY
from leadglass.codec.landing import landing
from leadglass.gateways.control.problems import reply
from leadglass.gateways.control.public.pages import form_of, go_to, page
from leadglass.gateways.shell import go
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal

Answer: TypeAlias = Callable[[PeerFacts, web.Request], Awaitable[web.Response]]

_CREATED: Final = 201
_SESSION: Final = BASE + "session"


class Urgent:
    """The endpoints."""

    def __init__(self, emergency: Emergency, glass: BreakGlass, why: Why) -> None:
        self._emergency, self._glass, self._why = emergency, glass, why

    def endpoints(self) -> Mapping[tuple[str, str], Answer]:
        """Return method and path -> endpoint."""
        return {
            ("GET", EMERGENCY): self.emergency_page,
            ("POST", EMERGENCY): self.begin,
            ("GET", BREAK_GLASS): self.glass_page,
            ("POST", BREAK_GLASS): self.break_glass,
            ("GET", WHY): self.explain,
        }

    async def emergency_page(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Ask for a code."""
        content = (
            "<p>A sealed code opens reading for emergency treatment, for 4 hours and in your name. Everything is recorded, "
            "and somebody will ask.</p>\n"
            f'<form method="post" action="{EMERGENCY}" autocomplete="off">'
            + _field("Your name", "name", 64)
            + _field("Code", "code", 64, ' autocapitalize="characters" spellcheck="false"')
            + _field("Reason", "reason", 256)
            + _back(peer)
            + '<button class="go">Begin</button></form>'
        )
        return page("Emergency code", content)

    async def begin(self, peer: PeerFacts, request: web.Request) -> web.Response:
        """Take a code: a browser goes on with a cookie, a script is given a token."""
        form = await form_of(request)
        try:
            secret, session = await self._emergency.begin(
                form.get("code", ""), form.get("name", ""), form.get("reason", ""), peer
            )
        except Refusal as refusal:
            refusal.ways = ((EMERGENCY, "Try again"),)
            raise
        if peer.page:
            return go_to(_on(form, _SESSION, (cookies.setting(cookies.SESSION, secret),)))
        said = {"token": token(secret), "token_type": "Bearer", "session": session.id, "ends": rfc3339(session.ends)}
        return reply(said, _CREATED)

    async def glass_page(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Ask for a reason."""
        if peer.session is None:
            return page("You are not signed in", go(LOGIN, "Sign in"))
        asked = {"return": landing(dict(peer.query).get("return"))}
        try:
            await self._glass.ask(peer)
        except Refusal as refusal:
            _then_back(refusal, asked)
            raise
        content = (
            "<p>In an emergency, what a rule hides may be seen for a few minutes after a fresh sign-in. Everything is "
            "recorded, and somebody will ask.</p>\n"
            f'<form method="post" action="{BREAK_GLASS}">'
            + _field("Reason", "reason", 256)
            + _back(peer)
            + '<button class="go">Break the glass</button></form>'
        )
        return page("Break the glass", content)

    async def break_glass(self, peer: PeerFacts, request: web.Request) -> web.Response:
        """Break the glass, or make it whole."""
        form = await form_of(request)
        if "end" in form:
            await self._glass.mend(peer)
            return go_to(Turn(_SESSION)) if peer.page else reply({"glass": None})
        try:
            glass = await self._glass.smash(form.get("reason", ""), peer)
        except Refusal as refusal:
            _then_back(refusal, {"return": landing(form.get("return"))})
            raise
        if peer.page:
            return go_to(_on(form, _SESSION))
        return reply({"glass": {"reason": glass.reason, "ends": rfc3339(glass.ends)}})

    async def explain(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Say why something was refused, and what would help."""
        decision_id = dict(peer.query).get("decision", "")
        said = await self._why.explain(decision_id, peer)
        if not peer.page:
            return reply(
                {"decision_id": decision_id, "reasons": said.codes, "why": said.sentences, "helps": said.steps}
            )
        why = "".join(f"<li>{escape(sentence)}</li>" for sentence in said.sentences)
        helps = "".join(f"<li>{escape(step)}</li>" for step in said.steps)
        content = f"<ul>{why}</ul>\n" + (f"<h2>What would help</h2>\n<ul>{helps}</ul>\n" if helps else "")
        return page(
            "Why this was refused",
            f"{content}<dl><dt>Reason</dt><dd>{escape(', '.join(said.codes))}</dd>"
            f"<dt>Decision id</dt><dd>{escape(decision_id)}</dd></dl>",
        )


def _then_back(refusal: Refusal, asked: Mapping[str, str | None]) -> None:
    """Let whoever must sign in first come back to the form."""
    if refusal.step_up is not None:
        refusal.sign_in = sign_in_path(with_query(BREAK_GLASS, **asked), refusal.step_up)


def _field(label: str, name: str, most: int, more: str = "") -> str:
    return f'<label for="{name}">{label}</label><input id="{name}" name="{name}" required maxlength="{most}"{more}>'


def _back(peer: PeerFacts) -> str:
    back = landing(dict(peer.query).get("return"))
    return "" if back is None else f'<input type="hidden" name="return" value="{escape(back)}">'


def _on(form: Mapping[str, str], otherwise: str, lines: tuple[str, ...] = ()) -> Turn:
    return Turn(landing(form.get("return")) or otherwise, lines)
