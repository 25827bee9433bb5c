"""What browsers reach of the control side: login, callback, logout, session; and what issuers reach: backchannel-logout.

Pages for people, JSON for scripts (docs/sign-in.md). No token, code or secret is in any answer.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from leadglass.access.proving import Proving
from leadglass.access.signin import BASE, LOGIN, SignIn, Turn
from leadglass.codec.control import BREAK_GLASS
from leadglass.gateways.control.problems import problem, reply, tell
from leadglass.gateways.control.public.confirming import Confirming
from leadglass.gateways.control.public.device import SCRIPT, DevicePage, checked
from leadglass.gateways.control.public.pages import form_of, go_to, page
from leadglass.gateways.control.public.urgent import Urgent
from leadglass.gateways.shell import go, onward, policy, ways
from leadglass.model.control import PeerFacts
from leadglass.model.disclosure import say
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import EMERGENCY
from leadglass.model.reasons import Code

Answer: TypeAlias = Callable[[PeerFacts, web.Request], Awaitable[web.Response]]

_LOGOUT: Final = BASE + "logout"


class People:
    """The endpoints."""

    def __init__(self, sign_in: SignIn, proving: Proving, urgent: Urgent, confirming: Confirming) -> None:
        self._sign_in, self.proving, self._device = sign_in, proving, DevicePage(proving)
        self._urgent, self._confirming = urgent, confirming

    def endpoints(self) -> Mapping[tuple[str, str], Answer]:
        """Return method and path -> endpoint."""
        return {
            ("GET", LOGIN): self.login,
            ("GET", BASE + "callback"): self.callback,
            ("GET", _LOGOUT): self.logout_page,
            ("POST", _LOGOUT): self.logout,
            ("GET", BASE + "session"): self.session,
            ("POST", BASE + "session"): self.end_session,
            ("POST", BASE + "backchannel-logout"): self.backchannel,
            **self._device.endpoints(),
            **self._urgent.endpoints(),
            **self._confirming.endpoints(),
        }

    async def login(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Begin a sign-in, or let the person choose where."""
        turn = await self._sign_in.begin(peer)
        if turn.choices is None:
            return go_to(turn)
        links = "".join(f"<p>{go(path, said)}</p>" for path, said in turn.choices.items())
        return self._page("Sign in", f"<p>Choose where you have your account.</p>\n{links}")

    async def callback(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Take what the issuer sent the browser back with."""
        return go_to(await self._sign_in.finish(peer))

    async def logout_page(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Ask whether to sign out, or say that it is done."""
        if self._sign_in.session(peer)["signed_in"]:
            return self._page("Sign out", f"<p>Your session on this browser ends.</p>\n{_sign_out()}")
        return self._page(
            "You are signed out", f"<p>Close the browser on a shared computer.</p>\n{go(LOGIN, 'Sign in')}"
        )

    async def logout(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Sign out here, and go on to the issuer."""
        return go_to(await self._sign_in.sign_out(peer))

    async def session(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Say whose session it is."""
        told = self._sign_in.session(peer)
        if told["signed_in"]:
            told["device"] = self.proving.device(peer)
        if not peer.page:
            return reply(told)
        if not told["signed_in"]:
            return self._page(
                "You are not signed in", f"<p>Images are shown to people who are.</p>\n{go(LOGIN, 'Sign in')}"
            )
        content = _sessions(told["session"], told["sessions"], told["device"]) + checked(None)
        return self._page("You are signed in", content, script=peer.origin + SCRIPT)

    async def end_session(self, peer: PeerFacts, request: web.Request) -> web.Response:
        """End another of the person's sessions."""
        form = await form_of(request)
        if not await self._sign_in.end(peer, form.get("end", "")):
            raise refuse(Code.SIGN_IN_REFUSED, "no such session of this person")
        return go_to(Turn(BASE + "session"))

    async def backchannel(self, _peer: PeerFacts, request: web.Request) -> web.Response:
        """Answer as Back-Channel Logout 1.0 section 2.8 asks."""
        form = await form_of(request)
        try:
            ended = await self._sign_in.signed_out_at(form.get("logout_token", ""))
        except Refusal as refusal:
            if refusal.causes[0].reason.code != Code.SIGN_IN_REFUSED:
                raise
            answer = reply({"error": "invalid_request", "error_description": refusal.detail}, 400)
            return tell(answer, Code.SIGN_IN_REFUSED, refusal.detail)
        return reply({"ended": ended})

    def refused(self, refusal: Refusal, peer: PeerFacts) -> web.Response:
        """Return a refusal, as a page where a person looks."""
        answer = self._said(refusal, peer) if peer.page else problem(refusal, peer.decision_id, {})
        return tell(answer, refusal.causes[0].reason.code, refusal.detail)

    def _said(self, refusal: Refusal, peer: PeerFacts) -> web.Response:
        said = say(refusal)
        fixes = "".join(f"<li>{escape(fix)}</li>" for fix in said.remediation)
        more = "" if said.sign_in is None else onward(said.sign_in)
        content = (
            f"<p>{escape(said.detail)}</p>\n<h2>What you can do</h2>\n<ul>{fixes}</ul>\n{more}{ways(said.ways)}\n"
            f"<dl><dt>Reason</dt><dd>{escape(', '.join(said.codes))}</dd>"
            f"<dt>Decision id</dt><dd>{escape(peer.decision_id)}</dd></dl>"
        )
        return self._page(said.title, content, said.status)

    def _page(self, title: str, content: str, status: int = 200, *, script: str = "") -> web.Response:
        # Browsers hold the redirect that answers a form to form-action too, and sign-out leads on to the issuer.
        origins = sorted({f"{urlsplit(name).scheme}://{urlsplit(name).netloc}" for name in self._sign_in.issuers()})
        return page(title, content, status, policy(origins, script, self._device.agent))


def _sign_out() -> str:
    return f'<form method="post" action="{_LOGOUT}"><button class="go">Sign out</button></form>'


def _end(session: Mapping[str, Any]) -> str:
    """Return the button that ends one of several sessions, told apart for who does not see where it stands."""
    label = escape(f"End it: the session since {_when(session['begun'])}")
    return (
        f'<form method="post" action="{BASE}session"><input type="hidden" name="end" value="{escape(session["id"])}">'
        f'<button class="go quiet" aria-label="{label}">End it</button></form>'
    )


def _when(text: str) -> str:
    """Return a time of the record as people write it, to the minute."""
    moment = datetime.fromisoformat(text)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _time(text: str) -> str:
    return f'<time datetime="{escape(text)}">{escape(_when(text))}</time>'


def _sessions(
    session: Mapping[str, Any], sessions: Iterable[Mapping[str, Any]], device: Mapping[str, Any] | None
) -> str:
    rows = "".join(
        f"<li><span>Since {_time(other['begun'])}, from {escape(other['client_ip'])}</span>{_end(other)}</li>"
        for other in sessions
        if not other["current"]
    )
    others = f'<h2>Your other sessions</h2>\n<ul class="rows">{rows}</ul>\n' if rows else ""
    return (
        f"<p>You are {escape(session['subject'])}.</p>\n{_sign_out()}\n{_glass(session)}{others}"
        f"<dl><dt>Session</dt><dd>{escape(session['id'])}</dd><dt>Since</dt><dd>{_time(session['begun'])}</dd>"
        f"<dt>Ends</dt><dd>{_time(session['ends'])}</dd>"
        f"<dt>Device</dt><dd>{escape(device['id']) if device else 'none'}</dd></dl>"
    )


def _glass(session: Mapping[str, Any]) -> str:
    """Say for how long the glass is broken, and how it is made whole."""
    glass = session["glass"]
    if glass is None:
        return ""
    said = f"<h2>The glass is broken</h2>\n<p>until {_time(glass['ends'])}: {escape(glass['reason'])}</p>\n"
    if session["issuer"] == EMERGENCY:
        return said
    return said + (
        f'<form method="post" action="{BREAK_GLASS}"><input type="hidden" name="end" value="1">'
        '<button class="go quiet">Make it whole</button></form>\n'
    )
