"""From an Authorization header to a subject (RFC 6750, RFC 9449), once per token and then from memory.

The issuer is chosen by the exact, still unverified `iss`, and the token then verified with that issuer's keys and
nobody else's. A subject is remembered under the SHA-256 of its token for as long as full verification would say the
same: until the token ends, the clock leaves its span, or the epoch of its issuer moves. Failures are never remembered.
What a token is bound to (`cnf`) is remembered with it, and proven by each request anew.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadglass.clock import Clock
from leadglass.epochs import Epochs, Snapshot
from leadglass.hazmat.jws import (
    InvalidToken,
    KeySet,
    Profile,
    check_validity,
    numeric_date,
    read_unverified,
    verify_compact,
)
from leadglass.identity.binding import Binding, read_binding
from leadglass.identity.certificates import CA_ISSUER, Certificates
from leadglass.identity.claims import changed, check_purpose, subject
from leadglass.identity.dpop import USE_NONCE, ProofRefused, Proofs
from leadglass.identity.introspection import Ask, HttpAsk, Introspection
from leadglass.identity.jwks import Fetch, HttpFetch, Keys, KeysUnavailable
from leadglass.identity.settings import IdentitySettings, IssuerSettings
from leadglass.limits import FILE_WATCH_SECONDS, JWKS_START_SECONDS, OPAQUE_TOKEN_BYTES, TOKEN_BYTES, TOKEN_CACHE
from leadglass.model.credentials import NO_EVIDENCE, Evidence
from leadglass.model.errors import Cause, Refusal, refuse
from leadglass.model.facts import Subject
from leadglass.model.reasons import REASONS, Code
from leadglass.skew import Skew
from leadglass.tasks import Tasks

_SCHEMES: Final = {"bearer": False, "dpop": True}  # scheme in lower case -> whether it is for bound tokens
# What is no JWT and may be an opaque token (b64token of RFC 6750 section 2.1).
_OPAQUE: Final = re.compile(r"(?![^.]*\.[^.]*\.[^.]*\Z)[A-Za-z0-9._~+/-]+={0,2}")


STEPS: Final = ("form", "issuer", "keys", "signature", "times", "purpose", "subject")


@dataclass(frozen=True, slots=True)
class Step:
    """One of STEPS in judging a token, for the command line. `ok` is False for the one it failed at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class _Issuer:
    settings: IssuerSettings
    profile: Profile
    keys: Keys
    introspection: Introspection | None

    @property
    def problem(self) -> str | None:
        asked = self.introspection
        return self.keys.problem or (f"introspection: {asked.problem}" if asked and asked.problem else None)


@dataclass(frozen=True, slots=True)
class _Entry:
    subject: Subject
    starts: float
    ends: float
    epoch: Snapshot
    binding: Binding | None


Note = Callable[[str, str], None]


def _ignore(_name: str, _detail: str) -> None:
    """Take no note."""


class Identity:
    """Who asks. `fetch` replaces HTTP in tests; `start` before use and `close` after."""

    def __init__(
        self,
        settings: IdentitySettings,
        *,
        clock: Clock,
        epochs: Epochs,
        fetch: Fetch | None = None,
        ask: Ask | None = None,
        skew: Skew | None = None,
    ) -> None:
        self._clock, self._epochs, self._tasks = clock, epochs, Tasks()
        self._http, self._http_ask = HttpFetch(skew), HttpAsk()  # neither opens anything before it is used
        self._fetch, self._ask = fetch or self._http, ask or self._http_ask
        self._issuers = {issuer.issuer: self._issuer(issuer) for issuer in settings.issuers}
        self._opaque = next((issuer for issuer in self._issuers.values() if issuer.introspection is not None), None)
        self._cache: dict[bytes, _Entry] = {}
        listed = settings.certificates
        self._certificates = None if listed is None else Certificates(listed, clock=clock, epochs=epochs)
        self._proofs = Proofs(clock, nonce=settings.dpop.nonce)

    def _issuer(self, settings: IssuerSettings) -> _Issuer:
        name, epochs, tasks, asked = settings.issuer, self._epochs, self._tasks, settings.introspection
        return _Issuer(
            settings,
            Profile(name, settings.token_type, frozenset(settings.algorithms)),
            Keys(name, settings.jwks, fetch=self._fetch, clock=self._clock, epochs=epochs, tasks=tasks),
            None if asked is None else Introspection(name, asked, ask=self._ask, clock=self._clock, tasks=tasks),
        )

    async def start(self) -> None:
        """Load all keys and keep them fresh. An issuer that is down is logged and holds nothing up for long.

        Raises ConfigurationError when CA or CRL of services cannot be used.
        """
        if self._certificates is not None:
            await self._certificates.load()
            self._tasks.spawn(self._maintain_crl(self._certificates), name="upkeep of the CRL")
        loads = [self._tasks.spawn(i.keys.refresh(), name=f"keys of {name}") for name, i in self._issuers.items()]
        if loads:
            await asyncio.wait(loads, timeout=JWKS_START_SECONDS)
        for issuer in self._issuers.values():
            self._tasks.spawn(issuer.keys.keep(), name=f"upkeep of {issuer.settings.issuer}")

    @staticmethod
    async def _maintain_crl(certificates: Certificates) -> None:
        while True:
            await asyncio.sleep(FILE_WATCH_SECONDS)
            await certificates.maintain()

    async def close(self) -> None:
        """Stop background work and close connections."""
        await self._tasks.close()
        await self._http.close()
        await self._http_ask.close()

    def problems(self) -> dict[str, str]:
        """Return the issuers whose keys, or whose answers about tokens, could not be had at the last attempt, and why."""
        found = {name: issuer.problem for name, issuer in self._issuers.items()}
        return {name: problem for name, problem in found.items() if problem}

    @property
    def service_cas(self) -> str:
        """The CAs of services in PEM, for the handshake; empty when there are none."""
        return "" if self._certificates is None else self._certificates.pem

    def device_certificate(self, certificate: bytes | None) -> bytes | None:
        """Return the connection's certificate as far as it can be a device's: None for a service's."""
        held = self._certificates
        return None if held is not None and held.owns(certificate) else certificate

    def check(self, who: Subject) -> None:
        """Raise Refusal `user-unauthenticated` when the certificate that `who` came from does not count any more."""
        if not who.issuer.startswith(CA_ISSUER):
            return
        try:
            if self._certificates is None:
                raise InvalidToken("certificates of services are no longer taken")  # noqa: TRY301 - one way out
            self._certificates.check(who)
        except InvalidToken as error:
            raise self._unauthenticated(error) from None

    def changed(self, who: Subject, claims: Mapping[str, Any]) -> Subject:
        """Return `who` as they are once these claims changed. Raises Refusal `user-unauthenticated`."""
        issuer = self._issuers.get(who.issuer)
        try:
            return who if issuer is None else changed(who, claims, issuer.settings)
        except InvalidToken as error:
            raise self._unauthenticated(error) from None

    def _service(self, evidence: Evidence) -> Subject:
        held, certificate = self._certificates, evidence.certificate
        if held is None or certificate is None or not held.owns(certificate):
            raise InvalidToken("no Authorization header")
        if evidence.proof is not None:
            raise InvalidToken("a proof (DPoP) without a token")
        return held.subject(certificate)

    def epoch(self, who: Subject) -> str:
        """Return the name of the epoch that leases for this subject must hold."""
        return f"issuer:{who.issuer}"

    def cached(self, authorization: str | None, evidence: Evidence = NO_EVIDENCE) -> Subject | None:
        """Return the subject of a token seen before, None when the request must be judged anew. Raises nothing.

        A proof that bears the token out is spent by this.
        """
        if authorization is None:
            try:
                return self._service(evidence)
            except InvalidToken:
                return None
        scheme, _, token = authorization.partition(" ")
        entry = self._cache.get(hashlib.sha256(token.encode()).digest())
        if entry is None or not entry.starts <= self._clock.now() < entry.ends:
            return None
        if not self._epochs.current(entry.epoch):
            return None
        try:
            self._prove(entry, scheme, token, evidence)
        except InvalidToken:
            return None
        return entry.subject

    async def authenticate(self, authorization: str | None, evidence: Evidence = NO_EVIDENCE) -> Subject:
        """Return who asks. Raises Refusal `user-unauthenticated` (the cause is for the record) or `two-credentials`."""
        if (known := self.cached(authorization, evidence)) is not None:
            return known
        if authorization is None:
            try:
                return self._service(evidence)
            except InvalidToken as error:
                raise self._unauthenticated(error) from None
        if "," in authorization:  # two fields joined, or two credentials in one
            raise refuse(Code.TWO_CREDENTIALS)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in _SCHEMES:
            raise refuse(Code.USER_UNAUTHENTICATED, "neither a Bearer nor a DPoP token")
        try:
            entry = await self._judge(token, _ignore)
            self._prove(entry, scheme, token, evidence)
        except InvalidToken as error:
            raise self._unauthenticated(error) from None
        self._remember(entry)
        return entry.subject

    def _prove(self, entry: _Entry, scheme: str, token: str, evidence: Evidence) -> None:
        """Check that a request uses a token as it may be used: a bound one with its proof, another without.

        Raises InvalidToken.
        """
        binding, bound = entry.binding, _SCHEMES.get(scheme if scheme in _SCHEMES else scheme.lower())
        if bound is None:
            raise InvalidToken("neither a Bearer nor a DPoP token")
        if binding is not None:
            binding.check_certificate(evidence.certificate)
        if binding is not None and binding.thumbprint is not None:
            if not bound:  # RFC 9449 section 7.2: no downgrade
                raise ProofRefused("bound to a DPoP key (cnf.jkt) and shown as Bearer", "invalid_token")
            self._proofs.check(evidence, token, binding.thumbprint, f"{entry.subject.issuer} {entry.subject.id}")
        elif bound:
            raise ProofRefused("shown as DPoP and bound to no key", "invalid_token")
        elif evidence.proof is not None:
            raise ProofRefused("a proof (DPoP) beside a Bearer token")

    def _unauthenticated(self, error: InvalidToken) -> Refusal:
        if not isinstance(error, ProofRefused):
            return refuse(Code.USER_UNAUTHENTICATED, error.cause)
        headers = {"DPoP-Nonce": self._proofs.nonces.new()} if error.error == USE_NONCE else {}
        cause = Cause(REASONS[Code.USER_UNAUTHENTICATED])
        return Refusal(cause, detail=error.cause, headers=headers, challenge=error.error)

    async def keys(self, issuer: str, kid: str | None, *, force: bool) -> KeySet:
        """Return the keys in force of a configured issuer, fetched anew for a `kid` they lack: see Keys.obtain."""
        return await self._issuers[issuer].keys.obtain(kid, force=force)

    async def vouched(self, token: str) -> tuple[Subject, Mapping[str, Any]]:
        """Return the subject of an access token that an issuer gave us itself, and its claims. Raises InvalidToken."""
        parts = read_unverified(token, TOKEN_BYTES)
        return (await self._judge(token, _ignore)).subject, parts.claims

    async def explain(self, token: str) -> tuple[list[Step], Subject | None]:
        """Judge a token step by step: how far it came, and the subject when it passed every step."""
        steps: list[Step] = []
        try:
            entry = await self._judge(token, lambda name, detail: steps.append(Step(name, ok=True, detail=detail)))
        except InvalidToken as error:
            steps.append(Step(STEPS[len(steps)], ok=False, detail=error.cause))
            return steps, None
        return steps, entry.subject

    async def _judge(self, token: str, note: Note) -> _Entry:
        if self._opaque is not None and len(token) <= OPAQUE_TOKEN_BYTES and _OPAQUE.fullmatch(token):
            return await self._judge_opaque(token, self._opaque, note)
        parts = read_unverified(token, TOKEN_BYTES)
        note("form", f"{parts.algorithm}, typ {parts.header['typ']!r}, kid {parts.kid!r}")
        named = parts.claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise InvalidToken("issuer unknown")
        note("issuer", issuer.settings.issuer)
        try:
            keys = await issuer.keys.obtain(parts.kid)
        except KeysUnavailable as error:
            raise InvalidToken(f"no keys of the issuer: {error}") from None
        # Taken with the keys, before anything is awaited: keys that change from here on end this entry.
        epoch = self._epochs.snapshot((issuer.keys.epoch,))
        note("keys", f"{len(keys.keys)} usable")
        claims = verify_compact(parts, keys, issuer.profile).claims
        note("signature", "verified")
        now = self._clock.now()
        starts, ends = check_validity(claims, now=now, leeway=issuer.settings.leeway)
        note("times", f"good for another {ends - now:.0f} s")
        who, binding = self._map(claims, issuer, token, ends, note)
        return _Entry(who, starts, ends, epoch, binding)

    async def _judge_opaque(self, token: str, issuer: _Issuer, note: Note) -> _Entry:
        """Judge a token by what its issuer says of it now. The answer is good for a bounded time, and never past `exp`."""
        asked = issuer.introspection
        if asked is None:
            raise InvalidToken("not three parts")
        note("form", "no JWT: an opaque token")
        note("issuer", issuer.settings.issuer)
        note("keys", f"none needed: {asked.settings.url} is asked")
        epoch = self._epochs.snapshot((issuer.keys.epoch,))
        claims = await asked.claims(token)
        note("signature", "none: the issuer says that it is active")
        now = self._clock.now()
        starts, _ = check_validity(claims, now=now, leeway=issuer.settings.leeway)
        ends = numeric_date(claims, "exp") or 0.0  # without leeway: the issuer's own clock has just been asked
        if now >= ends:
            raise InvalidToken("expired")
        note("times", f"good for another {ends - now:.0f} s")
        who, binding = self._map(claims, issuer, token, ends, note)
        kind = claims.get("token_type")
        if isinstance(kind, str) and kind.lower() == "dpop" and (binding is None or binding.thumbprint is None):
            raise InvalidToken("of type DPoP, and the issuer does not say which key (cnf.jkt)")
        return _Entry(who, starts, min(ends, now + asked.settings.cache_seconds), epoch, binding)

    def _map(
        self, claims: Mapping[str, Any], issuer: _Issuer, token: str, ends: float, note: Note
    ) -> tuple[Subject, Binding | None]:
        """Return whom verified claims stand for, and what they are bound to. Raises InvalidToken."""
        check_purpose(claims, issuer.settings.audience)
        binding = read_binding(claims)
        needs = "" if binding is None else f"; each request needs {binding.words}"
        note("purpose", f"an access token for {issuer.settings.audience}{needs}")
        digest = hashlib.sha256(token.encode()).digest()
        who = subject(claims, issuer.settings, token_hash=digest, expires=ends, now=self._clock.now())
        note("subject", f"{who.type} {who.id}")
        return who, binding

    def _remember(self, entry: _Entry) -> None:
        cache = self._cache
        cache.pop(entry.subject.token_hash, None)
        while len(cache) >= TOKEN_CACHE:
            del cache[next(iter(cache))]
        cache[entry.subject.token_hash] = entry
