"""Every rule that a SET is held to (RFC 8417, RFC 8725, SSF 1.0), broken one at a time, and the answer of RFC 8935."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from leadglass.epochs import Epochs
from leadglass.identity.jwks import KeysUnavailable
from leadglass.identity.settings import IdentitySettings
from leadglass.identity.transmitters import Transmitters, discovery_url
from leadglass.limits import SIGNAL_SECONDS
from leadglass.model.errors import Refusal
from leadglass.model.signals import Event, SignalRefused
from support.clock import FakeClock
from support.device import ISSUER
from support.signals import AUDIENCE, SECRET, TRANSMITTER, USER, Transmitter, event_uri
from support.tokens import ec_key, forge, sign_es

RISK = {"principal": "USER", "current_level": "HIGH"}
AUTHORIZED = hashlib.sha256(SECRET.encode()).digest()


class Place:
    def __init__(self, folder: Path) -> None:
        self.clock, self.made = FakeClock(), list[Transmitters]()
        self.transmitter = Transmitter(self.clock)
        (folder / "keys.json").write_text(json.dumps({"keys": [self.transmitter.key.public_jwk()]}))
        (folder / "secret").write_text(SECRET)
        self.folder = folder

    async def open(self, fetch: Any = None, **more: Any) -> Transmitters:  # noqa: ANN401 - settings of any kind
        events = {"transmitter": TRANSMITTER, "audience": AUDIENCE, "jwks": "keys.json", **more}
        given = {"issuer": ISSUER, "audience": "leadglass", "jwks": "keys.json", "events": [events]}
        settings = IdentitySettings.model_validate_json(
            json.dumps({"issuers": [given]}), context={"base": self.folder, "environ": {}}
        )
        self.made.append(Transmitters(settings, clock=self.clock, epochs=Epochs(), fetch=fetch))
        return self.made[-1]

    async def refused(self, token: str, authorization: bytes | None = None) -> tuple[str, str]:
        with pytest.raises(SignalRefused) as caught:
            await (await self.open()).verify(token, authorization)
        return caught.value.error, caught.value.cause


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    yield place
    for transmitters in place.made:
        await transmitters.close()


async def test_a_good_event_is_read(place: Place) -> None:
    now = int(place.clock.now())
    token = place.transmitter.sign("risk-level-change", {**RISK, "event_timestamp": now - 9}, jti="j1", txn="t")
    signal = await (await place.open()).verify(token, None)
    assert (signal.transmitter, signal.jti, signal.event) == (TRANSMITTER, "j1", Event.RISK_LEVEL_CHANGE)
    assert (signal.issued, signal.at) == (now, now - 9)
    assert (signal.whom.issuer, signal.whom.parts) == (ISSUER, (frozenset({("sub", USER["sub"])}),))
    assert signal.says == {"principal": "user", "level": "HIGH"}


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]], ids=str)
async def test_an_audience_among_others_will_do(place: Place, aud: object) -> None:
    token = place.transmitter.sign("session-revoked", aud=aud)
    assert (await (await place.open()).verify(token, None)).event is Event.SESSION_REVOKED


NOW = 1_800_000_000
CLAIMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "iss another": ({"iss": "https://evil.example"}, "invalid_issuer", "no transmitter"),
    "iss with a slash": ({"iss": f"{TRANSMITTER}/"}, "invalid_issuer", "no transmitter"),
    "iss of the people": ({"iss": ISSUER}, "invalid_issuer", "no transmitter"),
    "iss missing": ({"iss": ...}, "invalid_issuer", "no transmitter"),
    "iss a list": ({"iss": [TRANSMITTER]}, "invalid_issuer", "no transmitter"),
    "aud another": ({"aud": "leadglass"}, "invalid_audience", "another's"),
    "aud prefix": ({"aud": f"{AUDIENCE}.evil.example"}, "invalid_audience", "another's"),
    "aud case": ({"aud": AUDIENCE.upper()}, "invalid_audience", "another's"),
    "aud missing": ({"aud": ...}, "invalid_audience", "missing"),
    "aud numbers": ({"aud": [7, AUDIENCE]}, "invalid_audience", "malformed"),
    "aud empty": ({"aud": []}, "invalid_audience", "another's"),
    "exp": ({"exp": NOW + 60}, "invalid_request", "has exp"),
    "sub": ({"sub": "x"}, "invalid_request", "has sub"),
    "nonce": ({"nonce": "x"}, "invalid_request", "has nonce"),
    "jti missing": ({"jti": ...}, "invalid_request", "jti"),
    "jti a number": ({"jti": 7}, "invalid_request", "jti"),
    "jti empty": ({"jti": ""}, "invalid_request", "jti"),
    "jti long": ({"jti": "x" * 300}, "invalid_request", "jti"),
    "iat missing": ({"iat": ...}, "invalid_request", "iat"),
    "iat text": ({"iat": str(NOW)}, "invalid_request", "iat"),
    "iat old": ({"iat": NOW - SIGNAL_SECONDS}, "invalid_request", "too old"),
    "iat future": ({"iat": NOW + 31}, "invalid_request", "future"),
    "events missing": ({"events": ...}, "invalid_request", "events"),
    "events empty": ({"events": {}}, "invalid_request", "events"),
    "events a list": ({"events": [event_uri("session-revoked")]}, "invalid_request", "events"),
    "two events": (
        {"events": {event_uri("session-revoked"): {}, event_uri("verification"): {}}}, "invalid_request", "events",
    ),
    "event no object": ({"events": {event_uri("session-revoked"): "x"}}, "invalid_request", "no object"),
    "event with a long name": ({"events": {"x" * 300: {}}}, "invalid_request", "its name"),
    "event of the future": (
        {"events": {event_uri("session-revoked"): {"event_timestamp": NOW + 60}}}, "invalid_request", "future",
    ),
    "event time": ({"events": {event_uri("session-revoked"): {"event_timestamp": "x"}}}, "invalid_request", "time"),
    "event unfit": ({"events": {event_uri("risk-level-change"): {}}}, "invalid_request", "principal"),
    "sub_id missing": ({"sub_id": ...}, "invalid_request", "sub_id"),
    "sub_id of another issuer": ({"sub_id": {**USER, "iss": "https://other.example"}}, "invalid_request", "another"),
    "a logout token's event": (
        {"events": {event_uri("session-revoked"): {}}, "sub": "x", "sid": "y"}, "invalid_request", "has sub",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("claims", "error", "cause"), CLAIMS.values(), ids=CLAIMS.keys())
async def test_claims(place: Place, claims: dict[str, Any], error: str, cause: str) -> None:
    assert place.clock.now() == NOW
    said, why = await place.refused(place.transmitter.sign("session-revoked", **claims))
    assert (said, cause in why) == (error, True), why


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "logout+jwt", "secevent", "secevent+jwt; a=b"])
async def test_another_kind_of_token(place: Place, typ: str) -> None:
    assert (await place.refused(place.transmitter.sign("session-revoked", typ=typ)))[0] == "invalid_request"


@pytest.mark.parametrize("typ", ["secevent+jwt", "SecEvent+JWT", "application/secevent+jwt"])
async def test_the_kind_in_any_spelling(place: Place, typ: str) -> None:
    token = place.transmitter.sign("session-revoked", typ=typ)
    assert (await (await place.open()).verify(token, None)).jti


def _mac(key: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.digest(key, message, "sha256")


def _head(place: Place, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members
    return {"alg": "ES256", "typ": "secevent+jwt", "kid": place.transmitter.key.kid, **more}


FORGED: dict[str, tuple[Callable[[Place], dict[str, Any]], Callable[[Place], Any], str]] = {
    "alg none": (lambda p: _head(p, alg="none"), lambda _: lambda _: b"", "invalid_key"),
    "alg NoNe": (lambda p: _head(p, alg="NoNe"), lambda _: lambda _: b"", "invalid_key"),
    "HMAC with the public key": (
        lambda p: _head(p, alg="HS256"),
        lambda p: _mac(json.dumps(p.transmitter.key.public_jwk()).encode()),
        "invalid_key",
    ),
    "HMAC with nothing": (lambda p: _head(p, alg="HS256"), lambda _: _mac(b""), "invalid_key"),
    "another key under the same kid": (_head, lambda _: sign_es(ec_key()), "authentication_failed"),
    "an unknown kid": (lambda p: _head(p, kid="x"), lambda _: sign_es(ec_key()), "invalid_key"),
    "an algorithm for another key": (lambda p: _head(p, alg="RS256"), lambda _: sign_es(ec_key()), "invalid_key"),
    "a key in the header": (
        lambda p: _head(p, jwk=p.transmitter.key.public_jwk()), lambda _: sign_es(ec_key()), "invalid_key",
    ),
    "crit": (lambda p: _head(p, crit=["x"], x=1), lambda _: sign_es(ec_key()), "invalid_key"),
    "no signature": (_head, lambda _: lambda _: b"", "authentication_failed"),
    "no typ": (lambda p: {k: v for k, v in _head(p).items() if k != "typ"}, lambda _: sign_es(ec_key()), "invalid_request"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "sign", "error"), FORGED.values(), ids=FORGED.keys())
async def test_forgeries(
    place: Place, header: Callable[[Place], dict[str, Any]], sign: Callable[[Place], Any], error: str
) -> None:
    token = forge(header(place), place.transmitter.claims("session-revoked", {}), sign(place))
    assert (await place.refused(token))[0] == error


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c.d", "....", "A" * 20_000, "ä.b.c", "e30.e30."])
async def test_garbage(place: Place, token: str) -> None:
    assert (await place.refused(token))[0] in {"invalid_request", "invalid_key"}


async def test_an_access_token_of_the_same_keys_is_no_event(place: Place) -> None:
    claims = {"iss": TRANSMITTER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 60, "sub": "x", "jti": "1"}
    assert (await place.refused(place.transmitter.key.sign(claims, typ="at+jwt")))[0] == "invalid_request"


@pytest.mark.parametrize("shown", [None, b"", hashlib.sha256(b"Bearer x").digest()])
async def test_a_secret_that_is_missing_or_wrong(place: Place, shown: bytes | None) -> None:
    transmitters = await place.open(authorization="file:secret")
    token = place.transmitter.sign("session-revoked")
    with pytest.raises(SignalRefused, match="authentication_failed"):
        await transmitters.verify(token, shown)
    assert (await transmitters.verify(token, AUTHORIZED)).event is Event.SESSION_REVOKED


async def test_keys_come_from_the_transmitter_s_own_description(place: Place) -> None:
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        if url.endswith("keys"):
            return json.dumps({"keys": [place.transmitter.key.public_jwk()]}).encode()
        return json.dumps({"issuer": TRANSMITTER, "jwks_uri": "https://signals.example.org/keys"}).encode()

    transmitters = await place.open(fetch, jwks="auto")
    await transmitters.start()
    assert (await transmitters.verify(place.transmitter.sign("session-revoked"), None)).jti
    assert asked == [
        "https://signals.example.org/.well-known/ssf-configuration/hospital",
        "https://signals.example.org/keys",
    ]
    assert transmitters.problems() == {TRANSMITTER: None}


async def test_without_keys_the_transmitter_is_to_come_again(place: Place) -> None:
    async def fetch(_: str) -> bytes:
        raise KeysUnavailable("down")

    transmitters = await place.open(fetch, jwks="auto")
    with pytest.raises(Refusal, match="sign-in-unavailable") as caught:
        await transmitters.verify(place.transmitter.sign("session-revoked"), None)
    assert caught.value.headers["Retry-After"] == "60"
    assert transmitters.problems() == {TRANSMITTER: "down"}


async def test_keys_that_rotate_are_fetched_once_they_are_used(place: Place) -> None:
    transmitters = await place.open()
    await transmitters.start()
    new = Transmitter(place.clock)
    (place.folder / "keys.json").write_text(json.dumps({"keys": [new.key.public_jwk()]}))
    place.clock.advance(11)
    assert (await transmitters.verify(new.sign("session-revoked"), None)).jti
    with pytest.raises(SignalRefused, match="invalid_key"):
        await transmitters.verify(place.transmitter.sign("session-revoked"), None)


async def test_a_transmitter_is_the_issuer_itself_unless_another_is_named(place: Place) -> None:
    transmitters = await place.open(transmitter=None)
    own = Transmitter(place.clock, place.transmitter.key, ISSUER)
    assert (await transmitters.verify(own.sign("session-revoked"), None)).transmitter == ISSUER


def test_where_a_transmitter_describes_itself() -> None:
    known = "https://a.example/.well-known/ssf-configuration"
    assert [discovery_url(name) for name in ("https://a.example", "https://a.example/", "https://a.example/t/1")] == [
        known, known, f"{known}/t/1",
    ]  # fmt: skip


BAD_SETTINGS: list[tuple[list[dict[str, Any]], str]] = [
    ([{"audience": "a", "jwks": "auto", "transmitter": "http://evil.example"}], "https"),
    ([{"audience": "a", "jwks": "k"}, {"audience": "b", "jwks": "k"}], "twice"),
    ([{"audience": "a", "jwks": "k", "authorization": "Bearer x"}], "secret"),
    ([{"audience": "a", "jwks": "k", "transmitter": f"https://t{n}.example"} for n in range(9)], "at most 8"),
]


@pytest.mark.parametrize(("events", "problem"), BAD_SETTINGS, ids=[problem for _, problem in BAD_SETTINGS])
def test_settings_that_make_no_sense(events: list[dict[str, Any]], problem: str) -> None:
    issuer = {"issuer": ISSUER, "audience": "leadglass", "jwks": "k", "events": events}
    with pytest.raises(ValueError, match=problem):
        IdentitySettings.model_validate_json(json.dumps({"issuers": [issuer]}))
