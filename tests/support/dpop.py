"""A client that holds a DPoP key, written from RFC 9449 without the code that judges it."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from support.idp import NOW
from support.tokens import Sign, b64, ec_jwk, ec_key, forge, sign_es

URL = "https://pacs.example.org/dicom-web/studies"


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """RFC 7638, for EC keys."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())


def ath(token: str) -> str:
    return b64(hashlib.sha256(token.encode()).digest())


class Client:
    """One P-256 key and the proofs made with it; a value of ... leaves a claim or header out."""

    def __init__(self, name: str = "client") -> None:
        self.key = ec_key("P-256", name)
        self.jwk = ec_jwk(self.key, None)
        self.jkt = thumbprint(self.jwk)

    def proof(
        self, token: str, header: Mapping[str, Any] | None = None, sign: Sign | None = None, **claims: object
    ) -> str:
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk, **(header or {})}
        body = {
            "jti": secrets.token_hex(8),
            "htm": "GET",
            "htu": URL,
            "iat": NOW,
            "ath": ath(token),
            **claims,
        }
        return forge(
            {name: value for name, value in head.items() if value is not ...},
            {name: value for name, value in body.items() if value is not ...},
            sign or sign_es(self.key),
        )
