"""Request heads towards the archive, built from nothing but the Ask and the settings.

Header fields go by allow-list: Host, Accept, Accept-Encoding, Forwarded, Authorization, Leadglass-Assertion and
what frames a body. So
nothing that a client sent as a field can arrive there. Sans-io.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from leadglass.codec.head import authorities
from leadglass.codec.kinds import KINDS
from leadglass.codec.kinds.kind import Dialect
from leadglass.model.ask import Ask
from leadglass.model.permit import Permit
from leadglass.upstream.assertion import Assertions
from leadglass.upstream.settings import UpstreamSettings


def _forwarded(dialect: Dialect, scheme: str, authority: str) -> str:
    """Return the fields that make the archive's links begin with `scheme://authority`."""
    if dialect == "unquoted":
        return f"Forwarded: host={authority};proto={scheme}\r\n"
    if dialect == "x-forwarded":
        port = urlsplit(f"//{authority}").port or (443 if scheme == "https" else 80)
        return f"X-Forwarded-Host: {authority}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {port}\r\n"
    return f'Forwarded: host="{authority}";proto={scheme}\r\n'


class Heads:
    """Builds request heads for one archive.

    `public_urls` are the gateway's origins; an Ask whose authority is none of theirs gets no `Forwarded`, and none does
    where the gateway leads the links itself: the archive then writes the address that it is asked at.
    """

    def __init__(
        self, settings: UpstreamSettings, public_urls: Iterable[str] = (), assertions: Assertions | None = None
    ) -> None:
        self._assertions = assertions
        self._roots = {"dicomweb": settings.dicomweb, "wado-uri": settings.wado_uri, "origin": ""}
        self._host = f"Host: {urlsplit(settings.url).netloc}\r\n"
        self._links: dict[str, str] = {}
        for authority, origin in authorities(() if settings.rewrites else public_urls).items():
            parts = urlsplit(origin)
            self._links[authority] = _forwarded(KINDS[settings.kind].links, parts.scheme, parts.netloc)
        self._credentials = ""

    def show(self, authorization: str) -> None:
        """Send these credentials from now on, none when empty."""
        self._credentials = f"Authorization: {authorization}\r\n" if authorization else ""

    def build(self, ask: Ask, *, body: bool, permit: Permit | None = None, more: str = "") -> bytes:
        """Return the head of `ask`, empty line included. Raises ValueError when a part of it would break the head.

        `permit` is what allows it, None for the gateway's own questions; `more` are field lines of our own.
        """
        fields = (
            f"{self._host}Accept: {ask.accept}\r\n"
            f"Accept-Encoding: {'gzip' if ask.gzip else 'identity'}\r\n"
            f"{self._links.get(ask.authority, '')}{self._credentials}{more}"
        )
        if body:
            framing = "Transfer-Encoding: chunked" if ask.length is None else f"Content-Length: {ask.length}"
            fields += f"Content-Type: {ask.content_type}\r\n{framing}\r\n"
        elif ask.method in {"POST", "PUT"}:
            fields += "Content-Length: 0\r\n"  # RFC 9110 section 8.6
        query = f"?{ask.query}" if ask.query else ""
        path = f"{self._roots[ask.service]}{ask.path}"
        target = f"{path}{query}"
        # Law 1: these parts are canonical already; a bug upstairs must not become a second request here.
        if (
            not target.isprintable()
            or " " in target
            or "#" in target
            or not ask.accept.isprintable()
            or not (ask.content_type or "").isprintable()
        ):
            raise ValueError("a part of the request would break its head")
        if self._assertions is not None:
            fields += f"Leadglass-Assertion: {self._assertions.make(permit, ask.method, path, ask.query)}\r\n"
        return f"{ask.method} {target} HTTP/1.1\r\n{fields}\r\n".encode("ascii")
