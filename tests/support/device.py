"""A device as tests need one: keys, signatures and certificates, made without the code that judges them."""

import base64
import hmac
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from leadglass.devices.service import Devices
from leadglass.epochs import Epochs
from leadglass.hazmat.authority import load_or_make_authority
from leadglass.model.control import PeerFacts
from leadglass.model.errors import refuse
from leadglass.model.facts import Device
from leadglass.model.reasons import Code
from leadglass.revocation.revocations import Revocations
from leadglass.store import Store
from support.clock import FakeClock


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A P-256 key of a device or a session."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64u(numbers.x.to_bytes(32)),
            "y": b64u(numbers.y.to_bytes(32)),
        }

    @property
    def pem(self) -> bytes:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, header: Mapping[str, Any], payload: Mapping[str, Any] | bytes) -> str:
        """Return a compact JWS over exactly this header and payload."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        signed = f"{b64u(json.dumps(header).encode())}.{b64u(body)}"
        r, s = decode_dss_signature(self.private.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{b64u(r.to_bytes(32) + s.to_bytes(32))}"

    def jws(self, typ: str, payload: Mapping[str, Any] | bytes, kid: str | None = None) -> str:
        """Return a JWS with the header that the protocol asks for."""
        header = {"alg": "ES256", "typ": typ}
        return self.sign(header if kid is None else {**header, "kid": kid}, payload)


class Events:
    """A record of events that can be told to fail."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Mapping[str, Any]]] = []
        self.broken = False

    async def record_event(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self.broken:
            raise refuse(Code.AUDIT_UNAVAILABLE)
        self.lines.append((kind, fields))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.lines]


ADMIN: dict[str, str | int] = {"uid": 0, "user": "root"}
ISSUER = "https://idp.example.org"


def peer(device_id: str | None = None) -> PeerFacts:
    return PeerFacts(decision_id="01J", client_ip="192.0.2.1", device_id=device_id)


class Agent:
    """The device side of the protocol, written from docs/device-protocol.md."""

    def __init__(self) -> None:
        self.key, self.session = Key(), Key()
        self.id = self.nonce = ""
        self.certificate = b""  # DER
        self.seq = 0
        self.claims: dict[str, Any] = {"hostname": "ws-17", "os": "Debian GNU/Linux 13", "key_protection": "software"}

    def enrolment(self, code: str, signer: Key | None = None, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - claims of any JSON type
        """Return the body of an enrolment request."""
        raw = base64.b32decode(code.replace("-", "")[3:])
        code_id, request_key, self._reply_key = derive(raw[:16], raw[16:48])
        claims = {"device_jwk": self.key.jwk, "session_jwk": self.session.jwk, **self.claims, **changes}
        self._request = (signer or self.key).jws("leadglass-enrolment+jwt", claims)
        tag = b64u(hmac.digest(request_key, self._request.encode(), "sha256"))
        return {"code_id": code_id, "request": self._request, "mac": tag}

    def enrolled(self, reply: Mapping[str, str]) -> dict[str, Any]:
        """Check the reply as an agent must, and keep what it says."""
        expected = hmac.digest(self._reply_key, f"{self._request}.{reply['reply']}".encode(), "sha256")
        assert b64u(expected) == reply["mac"]
        told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(reply["reply"] + "=="))
        self.id, self.nonce = told["device_id"], told["nonce"]
        self.certificate = ssl.PEM_cert_to_DER_cert(told["certificate"])
        return told

    def renewal(self, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - claims of any JSON type
        """Return the body of a renewal with a new session key."""
        self.session = Key()
        claims = {"nonce": self.nonce, "session_jwk": self.session.jwk, **changes}
        return {"request": self.key.jws("leadglass-renewal+jwt", claims, self.id)}

    def renewed(self, reply: Mapping[str, Any]) -> None:
        self.nonce = reply["nonce"]
        self.certificate = ssl.PEM_cert_to_DER_cert(reply["certificate"])

    def says(self, now: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of any JSON type
        """Return the claims of the next statement."""
        self.seq += 1
        claims = {
            "eat_profile": "urn:leadglass:posture:1",
            "eat_nonce": self.nonce,
            "ueid": self.id,
            "iat": int(now),
            "swname": "leadglass-agent",
            "swversion": "0.1.0",
            "seq": self.seq,
            "boot_id": "boot-1",
            "uptime": now - 1_700_000_000,
            "checks": {"firewall": {"status": "pass", "value": True, "reason": "nftables drops input"}},
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not ...}

    def statement(self, now: float, **changes: Any) -> dict[str, str]:  # noqa: ANN401 - claims of any JSON type
        """Return the body of a statement."""
        return {"statement": self.key.jws("leadglass-posture+jwt", self.says(now, **changes), self.id)}

    def proves(self, now: float, origin: str, challenge: Mapping[str, str], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of any JSON type
        """Return the claims of a proof; one of ... is left out."""
        claims = {**challenge, "aud": origin, "iat": int(now), "jti": b64u(secrets.token_bytes(16)), "ueid": self.id}
        return {name: value for name, value in {**claims, **changes}.items() if value is not ...}

    def proof(self, now: float, origin: str, challenge: Mapping[str, str], **changes: Any) -> str:  # noqa: ANN401 - claims
        """Return the proof that a session is open on this device."""
        return self.key.jws("leadglass-device+jwt", self.proves(now, origin, challenge, **changes), self.id)


def derive(secret: bytes, ca: bytes) -> tuple[str, bytes, bytes]:
    """Return code id, request key and reply key by RFC 5869, written out."""
    prk = hmac.digest(ca, secret, "sha256")
    okm, block = b"", b""
    for counter in (1, 2, 3):
        block = hmac.digest(prk, block + b"leadglass-enrolment-v1" + bytes([counter]), "sha256")
        okm += block
    return okm[:16].hex(), okm[16:48], okm[48:80]


@dataclass
class Site:
    """A gateway's device side on a store of its own."""

    devices: Devices
    revocations: Revocations
    store: Store
    events: Events
    clock: FakeClock
    epochs: Epochs

    async def enrol(self, owner: str = "dr.smith") -> Agent:
        """Enrol a new device."""
        agent = Agent()
        code = await self.devices.codes.make(owner, ISSUER, ADMIN)
        agent.enrolled(await self.devices.enrolment.enrol(agent.enrolment(code["code"]), peer()))
        return agent

    async def tell(self, agent: Agent, **changes: Any) -> None:  # noqa: ANN401 - claims of any JSON type
        """Take a statement of a device."""
        reply = await self.devices.posture.take(agent.statement(self.clock.now(), **changes), peer(agent.id))
        agent.nonce = reply["nonce"]

    def epoch(self, agent: Agent) -> int:
        return self.epochs.snapshot([f"device:{agent.id}"])[0][1]

    def present(self, agent: Agent) -> Device:
        device = self.devices.registry.present(agent.certificate, self.clock.now())
        assert device is not None
        return device

    async def restart(self) -> None:
        """Read everything anew, as a gateway does that was stopped."""
        self.devices = await open_devices(self)


async def open_devices(site: Site) -> Devices:
    return await Devices.open(
        store=site.store,
        authority=site.devices.authority,
        epochs=site.epochs,
        events=site.events,
        clock=site.clock,
    )


@asynccontextmanager
async def device_site(folder: Path, trust: Callable[[], tuple[str, ...]] = tuple) -> AsyncIterator[Site]:
    """Open a device side in `folder`."""
    clock, events, epochs = FakeClock(), Events(), Epochs()
    authority = load_or_make_authority(folder / "device-ca", clock.now())
    async with await Store.open(folder / "leadglass.db", busy_seconds=0.05) as store:
        devices = await Devices.open(
            store=store, authority=authority, epochs=epochs, events=events, clock=clock, trust=trust
        )
        revocations = await Revocations.open(store, events, clock, epochs)
        yield Site(devices, revocations, store, events, clock, epochs)
