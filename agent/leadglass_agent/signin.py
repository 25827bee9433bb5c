"""The person's sign-in as the agent keeps it: one file, 0600, from which the loopback door takes its tokens."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from leadglass_agent.login import Client, LoginError, Provider, Tokens, granted, outside
from leadglass_agent.state import Folder
from leadglass_agent.token import NoToken

FILE: Final = "signin.json"
_EARLY: Final = 30.0  # seconds before its end at which a token is renewed
_ANEW: Final = "sign in anew with `leadglass-agent login`"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who signed in where, and with what the next token is had. `expires` is epoch seconds."""

    issuer: str
    client_id: str
    scope: str
    acr: str
    token_endpoint: str
    revocation_endpoint: str
    access_token: str
    refresh_token: str
    expires: float

    @property
    def client(self) -> Client:
        """Whom the agent is there."""
        return Client(self.issuer, self.client_id, self.scope, self.acr)


def of(client: Client, provider: Provider, tokens: Tokens) -> SignIn:
    """Return what is kept of a sign-in."""
    return SignIn(
        client.issuer, client.client_id, client.scope, client.acr, provider.token, provider.revocation,
        tokens.access, tokens.refresh, tokens.expires,
    )  # fmt: skip


def load(folder: Folder) -> SignIn | None:
    """Return the sign-in that is kept, None when there is none. Raises OSError, ValueError."""
    document = folder.read(FILE)
    if document is None:
        return None
    kinds = {field.name: float if field.name == "expires" else str for field in fields(SignIn)}
    if document.keys() != kinds.keys() or not all(
        isinstance(document[name], int | float if kind is float else str) for name, kind in kinds.items()
    ):
        raise ValueError(f"{folder.path / FILE} is damaged; {_ANEW}")
    return SignIn(**document)


def save(folder: Folder, kept: SignIn | None) -> None:
    """Keep a sign-in, or (None) none. Raises OSError."""
    folder.keep(FILE, None if kept is None else asdict(kept))


class SignedInToken:
    """The token of whoever signed in with `leadglass-agent login`, renewed before it ends."""

    def __init__(self, folder: Folder, now: Callable[[], float]) -> None:
        self._folder, self._now = folder, now
        self._renewing: asyncio.Task[str] | None = None

    async def token(self) -> str:
        """Return the token. Raises NoToken."""
        kept = self._kept()
        if kept.expires - _EARLY > self._now():
            return kept.access_token
        if self._renewing is None or self._renewing.done():  # a viewer asks many at once: one renews
            self._renewing = asyncio.create_task(self._anew(kept))  # noqa: TID251 - held here, and whoever waits is told its failure
        # A viewer that turns away must not take the next refresh token with it: the one before may be good no more.
        return await asyncio.shield(self._renewing)

    async def _anew(self, kept: SignIn) -> str:
        try:
            return (await self._renewed(kept)).access_token
        except LoginError as error:
            other = self._kept()
            if other != kept and other.expires > self._now():  # signed in anew meanwhile
                return other.access_token
            if not error.over and kept.expires > self._now():
                return kept.access_token  # the provider is away, and this is good for seconds yet
            raise NoToken(f"{error}; {_ANEW}" if error.over else str(error)) from None
        except (OSError, ValueError) as error:
            raise NoToken(f"the sign-in cannot be kept: {error}") from None

    def _kept(self) -> SignIn:
        try:
            kept = load(self._folder)
        except (OSError, ValueError) as error:
            raise NoToken(str(error)) from None
        if kept is None:
            raise NoToken("nobody has signed in; use `leadglass-agent login`")
        return kept

    async def _renewed(self, kept: SignIn) -> SignIn:
        if not kept.refresh_token:
            raise LoginError("the sign-in has ended", over=True)
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token, "client_id": kept.client_id}
        async with outside() as session:
            tokens, _ = await granted(session, kept.token_endpoint, form, self._now)
        renewed = replace(
            kept,
            access_token=tokens.access,
            refresh_token=tokens.refresh or kept.refresh_token,  # a provider may leave it as it is
            expires=tokens.expires,
        )
        if not self._folder.exchange(FILE, asdict(kept), asdict(renewed)):
            raise LoginError("the sign-in was changed meanwhile")  # whoever signed out or in anew has the last word
        return renewed
