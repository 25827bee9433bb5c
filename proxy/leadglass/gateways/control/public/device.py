"""The page on which a browser proves its device, and the script that does it there, on other pages and in viewers.

Without script, or without an agent, the page says what is missing and how to get it (docs/sign-in.md).
"""

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from importlib.resources import files
from typing import Final, TypeAlias

from aiohttp import web

from leadglass.access.proving import Proving
from leadglass.access.signin import BASE, LOGIN
from leadglass.codec.control import DEVICE
from leadglass.codec.landing import landing
from leadglass.gateways.control.problems import reply
from leadglass.gateways.shell import go, policy, shell
from leadglass.model.control import PeerFacts

Answer: TypeAlias = Callable[[PeerFacts, web.Request], Awaitable[web.Response]]

SCRIPT: Final = BASE + "device.js"
_SOURCE: Final = files(__package__).joinpath("device.js").read_bytes()
_SESSION: Final = BASE + "session"
_UNSCRIPTED: Final = "Your browser runs no scripts here, and one is needed to ask the agent of this computer."


def checked(landing_place: str | None) -> str:
    """Return the part of a page in which the script says how it is with the device; then it leads to `landing_place`."""
    leads = "" if landing_place is None else f' data-return="{escape(landing_place)}"'
    return (
        f'\n<p role="status" data-device="status">{_UNSCRIPTED}</p>\n<div data-device="help" hidden>\n'
        '<h2>What you can do</h2>\n<ul data-device="fixes"></ul>\n</div>\n'
        f'<script src="{SCRIPT}"{leads}></script>'
    )


def _agent(origin: str) -> str:
    return (
        "<details><summary>How to get the agent</summary>\n<ol>"
        "<li>Ask your administrator for the program leadglass-agent and a code for this computer.</li>"
        f"<li>Enrol the computer: <code>leadglass-agent enrol --gateway {escape(origin)} --code -</code></li>"
        "<li>Keep <code>leadglass-agent run</code> running, best as a service.</li>"
        "<li>When your browser asks whether this site may reach programs on this computer, allow it.</li></ol>"
        "<p>Viewers that are no browser use <code>leadglass-agent proxy</code>.</p></details>"
    )


class DevicePage:
    """The endpoints but for the one that takes a proof, which is an endpoint of devices."""

    def __init__(self, proving: Proving) -> None:
        self._proving = proving

    @property
    def agent(self) -> str:
        """The origin of the agent on the person's machine."""
        return self._proving.agent

    def endpoints(self) -> Mapping[tuple[str, str], Answer]:
        """Return method and path -> endpoint."""
        return {("GET", DEVICE): self.page, ("GET", SCRIPT): self.script}

    async def page(self, peer: PeerFacts, _request: web.Request) -> web.Response:
        """Say how it is with the device of this session, to a script with a challenge."""
        if not peer.page:
            return reply(self._proving.state(peer))
        back = landing(dict(peer.query).get("return")) or _SESSION
        if peer.session is None:
            return self._shown("You are not signed in", go(LOGIN, "Sign in"), peer)
        words = "<p>Images are shown on enrolled devices only. This page asks the agent of this computer to prove that it is one.</p>"
        content = f"{words}{checked(back)}\n{_agent(peer.origin)}\n{go(back, 'Continue')}"
        return self._shown("Checking this device", content, peer)

    def _shown(self, title: str, content: str, peer: PeerFacts) -> web.Response:
        return web.Response(
            body=shell(title, content),
            headers={
                "Content-Security-Policy": policy(script=peer.origin + SCRIPT, asks=self.agent),
                "Referrer-Policy": "same-origin",
            },
            content_type="text/html",
            charset="utf-8",
        )

    async def script(self, _peer: PeerFacts, _request: web.Request) -> web.Response:
        """Give the script."""
        return web.Response(body=_SOURCE, content_type="text/javascript", charset="utf-8")
