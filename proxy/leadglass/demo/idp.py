"""A small identity provider for the tour: discovery, keys, ready-made tokens (RFC 8414, RFC 7517, RFC 9068), sign-in.

It knows nobody: whoever comes picks one of the people of the tour, who do not exist, and is taken for them without a
password. It listens on loopback, for as long as the tour runs.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from urllib.parse import urlencode

from aiohttp import web

from leadglass.clock import Clock
from leadglass.hazmat.jws import SigningKey

AUDIENCE = "leadglass"
LIFETIME = 3600
CLIENT = "leadglass-demo"
_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo sign-in</title>
<meta name="viewport" content="width=device-width"><style>body{{font:1.1rem/1.6 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}}</style>
<main><h1>Demo sign-in</h1><p>Who are you? Nobody here exists, and no password is asked for.</p><ul>{people}</ul></main></html>
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the tour. `mfa` says whether they signed in with a second factor; `name` is for the sign-in page."""

    id: str
    roles: tuple[str, ...]
    name: str
    mfa: bool = True


PEOPLE: Mapping[str, Person] = MappingProxyType(
    {
        "radiologist": Person("demo.radiologist", ("radiologist",), "A radiologist"),
        "radiologist-no-mfa": Person(
            "demo.radiologist", ("radiologist",), "The radiologist, with a password alone", mfa=False
        ),
        "oncologist": Person("demo.radiologist", ("radiologist", "oncologist"), "The radiologist, as an oncologist"),
    }
)


class IdentityProvider:
    """One issuer with one ES256 key that lives as long as the process, and one client, the gateway at `origin`."""

    def __init__(self, issuer: str, clock: Clock, origin: str = "", people: Mapping[str, Person] = PEOPLE) -> None:
        self.issuer, self.origin, self._people = issuer, origin, people
        self._clock = clock
        self._key = SigningKey.generate()
        self._asked: dict[str, tuple[Person, Mapping[str, str]]] = {}  # by code, and by refresh token

    def token(self, person: Person) -> str:
        """Return an access token (RFC 9068) for `person`."""
        more = {"aud": AUDIENCE, "preferred_username": person.id, "roles": list(person.roles)}
        return self._key.sign(self._claims(person) | more, typ="at+jwt")

    def _claims(self, person: Person) -> dict[str, object]:
        now = int(self._clock.now())
        return {
            "iss": self.issuer,
            "sub": person.id,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(12),
            "auth_time": now,
            "acr": "mfa" if person.mfa else "pwd",
            "amr": ["pwd", "otp"] if person.mfa else ["pwd"],
        }

    def app(self) -> web.Application:
        """Return the application: discovery, keys, sign-in."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks.json", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        return app

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks.json",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self._key.public_jwk()]})

    async def _authorize(self, request: web.Request) -> web.Response:
        """Show the people, and send whoever picked one back with a code (RFC 6749 section 4.1, RFC 7636)."""
        asked = dict(request.query)
        picked = self._people.get(asked.pop("person", ""))
        back = f"{self.origin}/.leadglass/v1/callback"
        expected = {"client_id": CLIENT, "response_type": "code", "code_challenge_method": "S256", "redirect_uri": back}
        if not (expected.items() <= asked.items() and {"state", "nonce", "code_challenge"} <= asked.keys()):
            raise web.HTTPBadRequest(text="this is for the gateway of the tour alone")
        if picked is None:
            links = (
                f'<li><a href="?{escape(urlencode({**asked, "person": key}))}">{escape(one.name)}</a></li>'
                for key, one in self._people.items()
            )
            return web.Response(text=_PAGE.format(people="".join(links)), content_type="text/html")
        code = secrets.token_urlsafe(16)
        self._asked[code] = (picked, asked)
        raise web.HTTPSeeOther(f"{back}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        renewing = form.get("grant_type") == "refresh_token"
        person, asked = self._asked.pop(form.get("refresh_token" if renewing else "code", ""), (None, {}))
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if person is None or not (renewing or secrets.compare_digest(challenge, asked["code_challenge"])):
            return web.json_response({"error": "invalid_grant"}, status=400)
        access, refresh = self.token(person), secrets.token_urlsafe(16)
        self._asked[refresh] = (person, asked)
        half = _b64(hashlib.sha256(access.encode()).digest()[:16])
        more = {"aud": CLIENT, "azp": CLIENT, "nonce": asked["nonce"], "at_hash": half}
        identity = self._key.sign(self._claims(person) | more, typ="JWT")
        told = {"access_token": access, "id_token": identity, "refresh_token": refresh}
        return web.json_response({**told, "token_type": "Bearer", "expires_in": LIFETIME})


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
