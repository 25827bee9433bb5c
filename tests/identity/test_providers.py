"""What an issuer says of itself is held to (the whole flow is tests/access/test_signin.py)."""

from typing import Any

import pytest

from leadglass.epochs import Epochs
from leadglass.identity.identity import Identity
from leadglass.identity.providers import Providers
from leadglass.identity.settings import IdentitySettings
from leadglass.model.errors import LeadglassError, StepUp
from leadglass.model.login import Attempt, ProviderUnavailable, SignInRefused
from support.clock import FakeClock

ISSUER = "https://idp.example.org"
GOOD: dict[str, Any] = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth?kc=1", "token_endpoint": f"{ISSUER}/token",
}  # fmt: skip
ATTEMPT = Attempt("id", ISSUER, None, StepUp(), 0.0)


def providers(document: dict[str, Any], status: int = 200) -> Providers:
    async def wire(url: str, form: object = None, auth: str | None = None) -> tuple[int, dict[str, Any]]:
        assert (url, form, auth) == (f"{ISSUER}/.well-known/openid-configuration", None, None)
        return status, document

    issuer = {"issuer": ISSUER, "audience": "leadglass", "login": {"client_id": "gateway"}}
    settings = IdentitySettings.model_validate({"issuers": (issuer,)})
    clock = FakeClock()
    return Providers(settings, Identity(settings, clock=clock, epochs=Epochs()), clock=clock, wire=wire)


async def url(of: Providers) -> str:
    return await of.authorization_url(ATTEMPT, redirect_uri="https://us/cb", state="s", nonce="n", verifier="v")


async def test_a_good_one_is_gone_to() -> None:
    assert (await url(providers(GOOD))).startswith(f"{ISSUER}/auth?kc=1&response_type=code&client_id=gateway&")
    assert await providers(GOOD).end_session_url(ISSUER, "https://us/out") is None


BAD: list[tuple[str, dict[str, Any], type[LeadglassError]]] = [
    ("another-issuer", {"issuer": f"{ISSUER}/"}, ProviderUnavailable),
    ("no-issuer", {"issuer": None}, ProviderUnavailable),
    ("http", {"token_endpoint": "http://idp.example.org/token"}, ProviderUnavailable),
    ("script", {"authorization_endpoint": "javascript:alert(1)"}, ProviderUnavailable),
    ("credentials", {"authorization_endpoint": "https://a:b@idp.example.org/"}, ProviderUnavailable),
    ("missing", {"authorization_endpoint": None}, ProviderUnavailable),
    ("end-http", {"end_session_endpoint": "http://idp.example.org/end"}, ProviderUnavailable),
    ("plain-only", {"code_challenge_methods_supported": ["plain"]}, SignInRefused),
    ("no-pkce", {"code_challenge_methods_supported": []}, SignInRefused),
]


@pytest.mark.parametrize(("change", "error"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_bad_one_is_not(change: dict[str, Any], error: type[LeadglassError]) -> None:
    with pytest.raises(error):
        await url(providers({**GOOD, **change}))


async def test_one_that_does_not_answer_is_not() -> None:
    with pytest.raises(ProviderUnavailable):
        await url(providers(GOOD, 404))
