"""Enrolment: making this device known with a one-time code that authenticates both sides (docs/device-protocol.md)."""

import base64
import hashlib
import re
import socket
from dataclasses import dataclass
from typing import Any

import orjson

from leadglass_agent.gateway import Gateway, Refused, tls
from leadglass_agent.keys import DeviceKey, SessionKey, certificate_sha256, derive, jws, mac, same, unb64u
from leadglass_agent.state import State

TYP = "leadglass-enrolment+jwt"
_SECRET, _PAYLOAD, _BYTES = 16, 48, 50
_HOSTNAME = re.compile(r"[^A-Za-z0-9._-]")


class EnrolmentError(Exception):
    """Enrolment did not happen. `str()` says why, `hint` what to do."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Code:
    """What an enrolment code holds, and what both sides derive from it."""

    ca_sha256: bytes
    code_id: str
    request_key: bytes
    reply_key: bytes


def parse_code(text: str) -> Code:
    """Read a code as typed. Raises EnrolmentError for anything else, before anything is sent."""
    wrong = EnrolmentError("this is not an enrolment code, or it was mistyped", "copy it whole; it begins with LG1-")
    folded = re.sub(r"[\s-]", "", text).upper()
    if not folded.startswith("LG1"):
        raise wrong
    try:
        data = base64.b32decode(folded[3:])
    except ValueError:
        raise wrong from None
    if len(data) != _BYTES or hashlib.sha256(b"leadglass-code-v1" + data[:_PAYLOAD]).digest()[:2] != data[_PAYLOAD:]:
        raise wrong
    secret, ca = data[:_SECRET], data[_SECRET:_PAYLOAD]
    okm = derive(secret, ca, b"leadglass-enrolment-v1", 80)
    return Code(ca, okm[:16].hex(), okm[16:48], okm[48:80])


def _enrolled(url: str, code: Code, request: str, answer: dict[str, Any]) -> State:
    """Return what the reply says once its MAC and its CA are the code's. Raises EnrolmentError."""
    wrong = EnrolmentError(
        "whoever answered does not know the code, so it is not the gateway that issued it",
        "check the address; if it is right, tell the administrator before you try again",
    )
    reply = str(answer.get("reply", ""))
    if not same(mac(code.reply_key, f"{request}.{reply}".encode()), str(answer.get("mac", ""))):
        raise wrong
    try:
        members: dict[str, Any] = orjson.loads(unb64u(reply))
        if certificate_sha256(members["ca"]) != code.ca_sha256:
            raise wrong
        if not isinstance(members["trust"], list):
            raise wrong
        trust = tuple(_text(pem) for pem in members["trust"])
        return State(url, _text(members["device_id"]), _text(members["owner"]), trust)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise wrong from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


async def enrol(url: str, code: Code, key: DeviceKey, *, os_name: str, hostname: str | None = None) -> State:
    """Enrol this device. Raises EnrolmentError, Unreachable."""
    name = _HOSTNAME.sub("-", hostname or socket.gethostname())[:253] or "unnamed"
    request = jws(
        key,
        {
            "device_jwk": key.public_jwk(),
            "session_jwk": SessionKey().public_jwk(),  # its certificate is not kept: `run` renews at its start
            "hostname": name,
            "os": os_name[:128],
            "key_protection": key.protection,
        },
        typ=TYP,
    )
    body = {"code_id": code.code_id, "request": request, "mac": mac(code.request_key, request.encode("ascii"))}
    async with Gateway(url, tls((), verify=False)) as gateway:
        try:
            answer = await gateway.call("POST", "enrol", body)
        except Refused as refusal:
            spent = "enrolment-refused" in refusal.reasons
            hint = "ask the administrator for `leadglass device code --owner YOU`" if spent else "wait, then try again"
            raise EnrolmentError(str(refusal), hint) from None
    return _enrolled(gateway.url, code, request, answer)


def machine(root: str = "/") -> str:
    """Return the name of the operating system, printable."""
    try:
        with open(f"{root.rstrip('/')}/etc/os-release", encoding="utf-8") as file:  # noqa: PTH123 - a line reader
            pairs = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except (OSError, UnicodeDecodeError):
        return "unknown"
    name = pairs.get("PRETTY_NAME", "unknown").strip('"')
    return "".join(character for character in name if character.isprintable()) or "unknown"
