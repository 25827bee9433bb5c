"""An Orthanc that answers nobody but its gateway: every request over HTTP needs a valid `Leadglass-Assertion`.

A script for Orthanc's Python plugin (Debian: orthanc-python, python3-jwt, python3-cryptography). README.md beside it
says how to set it up. A request passes when its assertion was signed by a key that the gateway publishes, is for this
archive, for this method and path, not over, and seen for the first time. Orthanc's log then says on whose behalf it was.
"""  # noqa: INP001 - a script that Orthanc loads

import base64
import hashlib
import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt

TYPE = "leadglass-assertion+jwt"
REQUIRED = ["iss", "aud", "iat", "exp", "jti", "htm", "path_sha256", "sub", "sub_type"]
LIFE = 60  # seconds: an assertion that lives longer was not made for one request
LEEWAY = 5  # seconds that the two clocks may differ
KEYS_GOOD = (
    300  # seconds after which the keys are fetched again; the gateway announces a key 10 minutes before it signs
)
KEYS_AGAIN = 10  # seconds between two fetches for a key that is not known
SEEN_MOST = 100_000  # assertions remembered; more than an Orthanc answers in LIFE


class Refused(Exception):
    """The request is not the gateway's, and why."""


class Keys:
    """The gateway's published keys, from a URL or a file."""

    def __init__(self, source: str, ca: str | None = None) -> None:
        self._source, self._ca = source, ca
        self._keys: dict[str, jwt.PyJWK] = {}
        self._at: float | None = None
        self._lock = threading.Lock()

    def find(self, kid: str | None, now: float) -> Any:  # noqa: ANN401 - a key of the library
        """Return the key of this name. Raises Refused."""
        with self._lock:
            age = None if self._at is None else now - self._at
            if age is None or age >= KEYS_GOOD or (kid not in self._keys and age >= KEYS_AGAIN):
                self._at = now
                try:
                    found = json.loads(self._read())["keys"]
                    self._keys = {key["kid"]: jwt.PyJWK(key, "ES256") for key in found if key.get("alg") == "ES256"}
                except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
                    if age is None:
                        raise Refused(f"no keys: {type(error).__name__}") from None
            if kid not in self._keys:
                raise Refused("signed by an unknown key")
            return self._keys[kid].key

    def _read(self) -> bytes:
        if "://" not in self._source:
            return Path(self._source).read_bytes()
        context = ssl.create_default_context(cafile=self._ca) if self._source.startswith("https:") else None
        with urllib.request.urlopen(self._source, timeout=5, context=context) as reply:  # noqa: S310 - as configured
            found: bytes = reply.read(1_000_000)
            return found


class Verifier:
    """Says on whose behalf a request is made, or refuses it."""

    def __init__(self, issuer: str, audience: str, keys: Keys, now: Callable[[], float] = time.time) -> None:  # noqa: TID251 - a program of its own
        self._issuer, self._audience, self._keys, self._now = issuer, audience, keys, now
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, method: str | None, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the claims of the request's assertion. Raises Refused."""
        token = headers.get("leadglass-assertion")
        if not token:
            raise Refused("no assertion")
        now = self._now()
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("typ")).lower() != TYPE:
                raise Refused("another kind of token")
            claims = jwt.decode(
                token,
                self._keys.find(header.get("kid"), now),
                algorithms=["ES256"],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise Refused(type(error).__name__) from None
        issued, ends = claims["iat"], claims["exp"]
        if not isinstance(issued, int) or not isinstance(ends, int) or not 0 < ends - issued <= LIFE:
            raise Refused("lives too long")
        if not issued - LEEWAY <= now < ends + LEEWAY:
            raise Refused("expired, or not yet valid: compare the clocks")
        if claims["htm"] != method or claims["path_sha256"] != digest(path):
            raise Refused("made for another request")
        self._once(claims["jti"], ends + LEEWAY, now)
        return claims

    def _once(self, jti: str, until: float, now: float) -> None:
        with self._lock:
            if len(self._seen) >= SEEN_MOST:
                self._seen = {known: end for known, end in self._seen.items() if end > now}
            if jti in self._seen:
                raise Refused("used before")
            if len(self._seen) >= SEEN_MOST:
                raise Refused("too many requests to remember")
            self._seen[jti] = until


def digest(path: str) -> str:
    """Return what an assertion holds of a path: SHA-256, base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).rstrip(b"=").decode()


def install(orthanc: Any) -> None:  # noqa: ANN401 - a module that is there inside of Orthanc alone
    """Register the filter. Orthanc does not start when its configuration has no section Leadglass that is whole."""
    settings = json.loads(orthanc.GetConfiguration())["Leadglass"]
    verifier = Verifier(settings["Issuer"], settings["Audience"], Keys(settings["Keys"], settings.get("CA")))
    methods = {getattr(orthanc.HttpMethod, name): name for name in ("GET", "POST", "PUT", "DELETE")}

    def passes(uri: str, **request: Any) -> bool:  # noqa: ANN401 - as Orthanc calls it
        try:
            claims = verifier.check(methods.get(request["method"]), uri, request["headers"])
        except Refused as refused:
            orthanc.LogWarning(f"leadglass: refused a request from {request['ip']}: {refused}")
            return False
        except Exception as error:  # noqa: BLE001 - whatever went wrong is a no
            orthanc.LogError(f"leadglass: {type(error).__name__} while checking a request")
            return False
        orthanc.LogWarning(f"leadglass: for {claims['sub']!r}, decision {claims.get('decision', '-')}")
        return True

    orthanc.RegisterIncomingHttpRequestFilter(passes)


try:
    import orthanc
except ImportError:  # not inside of Orthanc: a test
    pass
else:
    install(orthanc)
