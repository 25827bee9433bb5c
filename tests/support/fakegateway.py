"""A gateway for the agent's tests: real TLS 1.3 and the device protocol, written from docs/device-protocol.md alone."""

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from support.device import b64u, derive

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwk_key(jwk: dict[str, str]) -> ec.EllipticCurvePublicKey:
    assert set(jwk) == {"kty", "crv", "x", "y"}
    x, y = (int.from_bytes(unb64u(jwk[name])) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def read_jws(jws: str, typ: str, key: ec.EllipticCurvePublicKey | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWS that verifies under `key` (None: under its own `device_jwk`)."""
    header, payload, signature = (unb64u(part) for part in jws.split("."))
    claims: dict[str, Any] = json.loads(payload)
    raw = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    signer = key or jwk_key(claims["device_jwk"])
    signer.verify(raw, jws.rpartition(".")[0].encode(), ec.ECDSA(hashes.SHA256()))
    head: dict[str, Any] = json.loads(header)
    assert (head["alg"], head["typ"]) == ("ES256", typ)
    return head, claims


class Authority:
    """A CA of tests."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.issue(self.key.public_key(), self.name, ca=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()

    def issue(
        self, key: ec.EllipticCurvePublicKey, name: x509.Name | str, *, ca: bool = False, server: bool = False
    ) -> x509.Certificate:
        subject = name if isinstance(name, x509.Name) else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = datetime.now(UTC).replace(microsecond=0)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - timedelta(seconds=60))
            .not_valid_after(start + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if ca:
            usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment"), False)
            usage |= dict.fromkeys(("key_agreement", "encipher_only", "decipher_only", "digital_signature"), False)
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        if server:
            names = [x509.IPAddress(IPv4Address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def problem(status: int, *reasons: str, **more: Any) -> web.Response:  # noqa: ANN401 - members of any JSON type
    body = {"status": status, "detail": f"no: {reasons[0]}", "reasons": list(reasons), "remediation": [], **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


async def echo(request: web.Request) -> web.StreamResponse:
    """Answer with what arrived."""
    body = await request.read()
    told = {"method": request.method, "path": request.raw_path, "headers": [*request.headers.items()]}
    return web.json_response({**told, "body": body.decode("latin-1")})


@dataclass
class FakeGateway:
    """The gateway. `statements` are the claims it took; `planned` holds the next answers to a path, before the real one."""

    folder: Path
    url: str = ""
    serving: Authority = field(default_factory=lambda: Authority("serving CA"))
    devices: Authority = field(default_factory=lambda: Authority("device CA"))
    trust: list[str] = field(default_factory=list)
    code: bytes = b""
    key: ec.EllipticCurvePublicKey | None = None
    device_id: str = ""
    nonces: set[str] = field(default_factory=set)
    active: deque[bytes] = field(default_factory=lambda: deque(maxlen=16))
    revoked: bool = False
    seq: int = 0
    renewals: int = 0
    asked: list[str] = field(default_factory=list)
    enrolments: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    planned: dict[str, list[Callable[[], web.Response]]] = field(default_factory=dict)
    pacs: Handler = echo
    _runner: web.AppRunner | None = None
    _port: int = 0

    async def start(self) -> None:
        """Listen, on the port of before when there was one."""
        self.trust = self.trust or [self.serving.pem]
        key = ec.generate_private_key(ec.SECP256R1())
        file = self.folder / "gateway.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + self.serving.issue(key.public_key(), "gateway", server=True).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.load_cert_chain(file)
        context.load_verify_locations(cadata=self.devices.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        app = web.Application(client_max_size=1 << 30)
        for name, handler in (("enrol", self._enrol), ("renew", self._renew), ("posture", self._posture)):
            app.router.add_post(f"/.leadglass/v1/{name}", self._planned(name, handler))
        app.router.add_get("/.leadglass/v1/nonce", self._planned("nonce", self._nonce))
        app.router.add_route("*", "/{tail:.*}", self._planned("pacs", self._pacs))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"https://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Stop, and forget what a gateway forgets."""
        self.nonces.clear()
        if self._runner is not None:
            await self._runner.cleanup()

    def make_code(self) -> str:
        self.code = secrets.token_bytes(16) + self.devices.sha256
        data = self.code + hashlib.sha256(b"leadglass-code-v1" + self.code).digest()[:2]
        text = base64.b32encode(data).decode()
        return "-".join(["LG1", *(text[i : i + 5] for i in range(0, 80, 5))])

    def nonce(self) -> str:
        nonce = secrets.token_hex(8)
        self.nonces.add(nonce)
        return nonce

    def plan(self, name: str, *answers: Callable[[], web.Response]) -> None:
        self.planned.setdefault(name, []).extend(answers)

    def _planned(self, name: str, handler: Handler) -> Handler:
        async def planned(request: web.Request) -> web.StreamResponse:
            self.asked.append(name)
            if waiting := self.planned.get(name):
                await request.read()
                return waiting.pop(0)()
            return await handler(request)

        return planned

    def _certificate(self, session_jwk: dict[str, str]) -> str:
        certificate = self.devices.issue(jwk_key(session_jwk), self.device_id)
        self.active.append(hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _issued(self, session_jwk: dict[str, str]) -> dict[str, Any]:
        ends = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
        issued = {"certificate": self._certificate(session_jwk), "ca": self.devices.pem, "trust": self.trust}
        return {**issued, "not_after": ends, "nonce": self.nonce()}

    def _bound(self, request: web.Request) -> web.Response | None:
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        shown = tls.getpeercert(binary_form=True) if tls else None
        if shown is None:
            return problem(403, "device-required")
        if hashlib.sha256(shown).digest() not in self.active:
            return problem(403, "device-certificate-expired")
        return None

    async def _enrol(self, request: web.Request) -> web.Response:
        form = await request.json()
        code_id, request_key, reply_key = derive(self.code[:16], self.code[16:])
        expected = b64u(hmac.digest(request_key, form["request"].encode(), "sha256"))
        if form["code_id"] != code_id or form["mac"] != expected:
            return problem(403, "enrolment-refused")
        _, claims = read_jws(form["request"], "leadglass-enrolment+jwt")
        assert set(claims) == {"device_jwk", "session_jwk", "hostname", "os", "key_protection"}
        self.enrolments.append(claims)
        self.key, self.device_id = jwk_key(claims["device_jwk"]), b64u(b"\x01" + secrets.token_bytes(16))
        told = {"device_id": self.device_id, "owner": "dr.smith", **self._issued(claims["session_jwk"])}
        reply = b64u(json.dumps(told).encode())
        tag = b64u(hmac.digest(reply_key, f"{form['request']}.{reply}".encode(), "sha256"))
        return web.json_response({"reply": reply, "mac": tag}, status=201)

    async def _nonce(self, _: web.Request) -> web.Response:
        return web.json_response({"nonce": self.nonce(), "expires_in": 120})

    def _spent(self, nonce: str) -> bool:
        if nonce not in self.nonces:
            return True
        self.nonces.discard(nonce)
        return False

    async def _renew(self, request: web.Request) -> web.Response:
        head, claims = read_jws((await request.json())["request"], "leadglass-renewal+jwt", self.key)
        assert set(claims) == {"nonce", "session_jwk"}
        assert head["kid"] == self.device_id
        if self.revoked:
            return problem(403, "statement-invalid", error="revoked")
        if self._spent(claims["nonce"]):
            return problem(403, "statement-invalid", error="nonce", nonce=self.nonce())
        self.renewals += 1
        return web.json_response(self._issued(claims["session_jwk"]))

    async def _posture(self, request: web.Request) -> web.Response:
        if (refusal := self._bound(request)) is not None:
            return refusal
        head, claims = read_jws((await request.json())["statement"], "leadglass-posture+jwt", self.key)
        assert head["kid"] == claims["ueid"] == self.device_id
        if self.revoked:
            return problem(403, "statement-invalid", error="revoked")
        if self._spent(claims["eat_nonce"]):
            return problem(403, "statement-invalid", error="nonce", nonce=self.nonce())
        if claims["seq"] <= self.seq:
            return problem(403, "statement-invalid", error="sequence", last_seq=self.seq, nonce=self.nonce())
        self.seq = claims["seq"]
        self.statements.append(claims)
        return web.json_response({"received": "2026-11-23T18:40:39.000000Z", "nonce": self.nonce()})

    async def _pacs(self, request: web.Request) -> web.StreamResponse:
        refusal = self._bound(request)
        return refusal if refusal is not None else await self.pacs(request)


@asynccontextmanager
async def fake_gateway(folder: Path) -> AsyncIterator[FakeGateway]:
    """Run a gateway in `folder`."""
    gateway = FakeGateway(folder)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
