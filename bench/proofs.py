"""DPoP proofs as the gateway verifies them, in process: signature, claims, nonce, and that each is used once.

Run as a program of its own (`python -m bench.proofs ROUNDS`); prints latencies in microseconds as JSON.
"""

import base64
import gc
import hashlib
import json
import sys
import time

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from leadglass.clock import SystemClock
from leadglass.identity.dpop import Proofs
from leadglass.model.credentials import Evidence

_URL = "https://pacs.example.org/dicom-web/studies"
_TOKEN = "t" * 900  # as long as tokens are


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class _Client:
    """A P-256 key and its proofs (RFC 9449 section 4.2)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        x, y = (_b64(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self._jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        spelled = json.dumps(self._jwk, sort_keys=True, separators=(",", ":"))
        self.thumbprint = _b64(hashlib.sha256(spelled.encode()).digest())

    def proof(self, jti: int, nonce: str, now: int) -> str:
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._jwk}
        ath = _b64(hashlib.sha256(_TOKEN.encode()).digest())
        claims = {"jti": f"proof-{jti}", "htm": "GET", "htu": _URL, "iat": now, "ath": ath, "nonce": nonce}
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def main(rounds: int) -> None:
    clock = SystemClock()
    proofs, client, taken = Proofs(clock, nonce=True), _Client(), []
    nonce = proofs.nonces.new()
    shown = [
        Evidence(proof=client.proof(number, nonce, int(clock.now())), method="GET", url=_URL)
        for number in range(rounds)
    ]
    gc.disable()
    for evidence in shown:
        start = time.perf_counter()
        proofs.check(evidence, _TOKEN, client.thumbprint)
        taken.append(round((time.perf_counter() - start) * 1e6, 1))
    sys.stdout.write(json.dumps(taken))


if __name__ == "__main__":
    main(int(sys.argv[1]))
