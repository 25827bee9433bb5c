"""Enrolment: a code's holder makes a device known (docs/device-protocol.md).

Whatever is wrong, the answer is `enrolment-refused` and the cause is in the record alone.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from leadglass.clock import Clock, rfc3339
from leadglass.devices import forms
from leadglass.devices.codes import Codes, OpenCode
from leadglass.devices.enrolled import Enrolled, KeyProtection
from leadglass.devices.nonces import Nonces
from leadglass.devices.registry import Registry
from leadglass.devices.tables import CERTIFICATES, DEVICES
from leadglass.hazmat.mac import b64u, from_b64u, mac, verified
from leadglass.hazmat.statement import DeviceKey, InvalidStatement, split
from leadglass.hazmat.x509 import DeviceAuthority, Issued
from leadglass.limits import DEVICES_HELD, ENROLMENT_CODE_TRIES, ENROLMENT_REQUEST_BYTES
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.store import Store

Trust: TypeAlias = Callable[[], tuple[str, ...]]
"""Gives the CA certificates (PEM) of the gateway's own TLS as they are now; none for a public CA."""

TYPE: Final = "leadglass-enrolment+jwt"
MEMBERS: Final = frozenset({"code_id", "request", "mac"})
_CLAIMS: Final = frozenset({"device_jwk", "session_jwk", "hostname", "os", "key_protection"})
_OS_CHARS: Final = 128
_UEID_RAND: Final = b"\x01"  # RFC 9711 section 4.2.1.1: type RAND
_UEID_BYTES: Final = 16

_log = logging.getLogger("leadglass.devices")


@dataclass(frozen=True, slots=True)
class _Request:
    """What an authenticated request asks for."""

    device: DeviceKey
    session: DeviceKey
    hostname: str
    os: str
    key_protection: KeyProtection


def certificate_row(device_id: str, issued: Issued) -> dict[str, Any]:
    """Return the columns of `device_certificates`."""
    return {
        "sha256": issued.sha256,
        "device_id": device_id,
        "der": issued.der,
        "not_before": issued.not_before,
        "not_after": issued.not_after,
    }


class Enrolment:
    """Takes enrolment requests. `trust` gives the CAs (PEM) that devices are told to trust for TLS with this gateway."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        codes: Codes,
        authority: DeviceAuthority,
        nonces: Nonces,
        events: EventSink,
        clock: Clock,
        trust: Trust,
    ) -> None:
        self._store, self._registry, self._codes, self._authority = store, registry, codes, authority
        self._nonces, self._events, self._clock, self._trust = nonces, events, clock, trust

    async def enrol(self, form: Mapping[str, Any], peer: PeerFacts) -> dict[str, str]:
        """Answer an enrolment request with a reply that is MACed back.

        Raises Refusal `enrolment-refused`, `store-unavailable`, `audit-unavailable`.
        """
        code_id, request, tag = form["code_id"], form["request"], form["mac"]
        if not isinstance(code_id, str) or not isinstance(request, str) or not isinstance(tag, str):
            raise refuse(Code.ENROLMENT_REFUSED, "members")
        async with self._registry.turn:
            code = await self._codes.attempt(code_id)
            if code is None:
                raise refuse(Code.ENROLMENT_REFUSED, "no such code, or it is over")
            try:
                asked = self._authenticated(code, request, tag)
                device, issued = await self._admit(code, asked, peer)
            except Refusal as refusal:
                await self._refused(code, refusal, peer)
                raise
            self._registry.certify(device, issued)
        _log.info("device %s enrolled", device.id)
        return self._reply(code, request, device, issued)

    def _authenticated(self, code: OpenCode, request: str, tag: str) -> _Request:
        try:
            if not verified(code.keys.request_key, request.encode("utf-8"), from_b64u(tag)):
                raise refuse(Code.ENROLMENT_REFUSED, "MAC")
            signed = split(request, TYPE, kid=False, limit=ENROLMENT_REQUEST_BYTES)
            claims = forms.members(signed.payload, _CLAIMS)
            device, session = DeviceKey(claims["device_jwk"]), DeviceKey(claims["session_jwk"])
            signed.verify(device)
            asked = _Request(
                device,
                session,
                forms.hostname(claims, "hostname"),
                forms.text(claims, "os", _OS_CHARS),
                forms.key_protection(claims, "key_protection"),
            )
        except InvalidStatement as error:
            raise refuse(Code.ENROLMENT_REFUSED, f"request: {error}") from None
        except ValueError as error:  # Malformed, and what is not base64url
            raise refuse(Code.ENROLMENT_REFUSED, f"form: {error}") from None
        if device == session:
            raise refuse(Code.ENROLMENT_REFUSED, "the session key is the device key")
        if self._registry.knows_key(device.thumbprint):
            raise refuse(Code.ENROLMENT_REFUSED, "the device key is enrolled already")
        if len(self._registry) >= DEVICES_HELD:
            raise refuse(Code.ENROLMENT_REFUSED, "too many devices")
        return asked

    async def _admit(self, code: OpenCode, asked: _Request, peer: PeerFacts) -> tuple[Enrolled, Issued]:
        now = self._clock.now()
        device = Enrolled(
            id=b64u(_UEID_RAND + secrets.token_bytes(_UEID_BYTES)),
            name=asked.hostname,
            owner=code.owner,
            owner_issuer=code.owner_issuer,
            os=asked.os,
            key_protection=asked.key_protection,
            key=asked.device,
            enrolled=now,
        )
        issued = self._authority.issue(asked.session, device.id, now)
        fields = {
            "device": {**device.named(), "os": device.os},
            "key_protection": device.key_protection,
            "thumbprint": device.key.thumbprint,
            "certificate": issued.sha256.hex(),
            "code_id": code.keys.code_id,
            "client_ip": peer.client_ip,
            "decision_id": peer.decision_id,
        }
        try:
            async with self._store.transaction() as connection:
                if not await self._codes.use(connection, code.keys.code_id):
                    raise refuse(Code.ENROLMENT_REFUSED, "the code was used meanwhile")
                await connection.execute(insert(DEVICES).values(**device.row()))
                await connection.execute(insert(CERTIFICATES).values(**certificate_row(device.id, issued)))
                await self._events.record_event("device-enrolled", fields)
        except IntegrityError:
            raise refuse(Code.ENROLMENT_REFUSED, "the device key is enrolled already") from None
        return device, issued

    async def _refused(self, code: OpenCode, refusal: Refusal, peer: PeerFacts) -> None:
        fields = {
            "code_id": code.keys.code_id,
            "owner": code.owner,
            "owner_issuer": code.owner_issuer,
            "why": refusal.detail,
            "tries_left": ENROLMENT_CODE_TRIES - code.tries,
            "client_ip": peer.client_ip,
            "decision_id": peer.decision_id,
        }
        await self._events.record_event("enrolment-refused", fields)

    def _reply(self, code: OpenCode, request: str, device: Enrolled, issued: Issued) -> dict[str, str]:
        reply = b64u(
            orjson.dumps(
                {
                    "device_id": device.id,
                    "owner": device.owner,
                    "certificate": issued.pem,
                    "ca": self._authority.pem,
                    "trust": self._trust(),
                    "not_after": rfc3339(issued.not_after),
                    "nonce": self._nonces.new(),
                }
            )
        )
        return {"reply": reply, "mac": b64u(mac(code.keys.reply_key, f"{request}.{reply}".encode()))}
