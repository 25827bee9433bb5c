"""The keys by which the gateway signs its assertions to archives: ES256 (RFC 7518 section 3.4), all in one file (0600).

A key is published before it signs, and until the last assertion that it signed has ended. So whoever keeps the published
set for as long never meets a key that is not in it. Which one signs is a matter of time alone, over a restart too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadglass.hazmat.files import read_private, write_private
from leadglass.hazmat.jws import SigningKey
from leadglass.hazmat.x509 import private_pem
from leadglass.limits import ASSERTION_ANNOUNCED_SECONDS, ASSERTION_KEPT_SECONDS
from leadglass.model.errors import ConfigurationError

_TYPE: Final = "leadglass-assertion+jwt"


@dataclass(frozen=True, slots=True)
class _Held:
    """A key, and from when on it signs (epoch seconds)."""

    since: float
    key: ec.EllipticCurvePrivateKey
    signer: SigningKey

    @classmethod
    def new(cls, since: float) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(since, key, SigningKey(key))


class AssertionKeys:
    """The keys in `file`, oldest first."""

    def __init__(self, file: Path, *held: _Held) -> None:
        self._file, self._held = file, held

    @classmethod
    def load(cls, file: Path) -> "AssertionKeys | None":
        """Return the keys in a file, None when there is none. Raises ConfigurationError."""
        hint = "move it away: a new key is made, and archives learn it from jwks.json"
        try:
            held = tuple(map(_read, orjson.loads(read_private(file))))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            held = ()
        except OSError as error:
            raise ConfigurationError(f"cannot use the key {file}: {error.strerror}", hint=hint) from None
        if not held:
            raise ConfigurationError(f"{file} holds no keys of assertions", hint=hint)
        return cls(file, *held)

    @classmethod
    def make(cls, file: Path, now: float) -> "AssertionKeys":
        """Make the first key. Raises ConfigurationError."""
        keys = cls(file)
        try:
            keys._keep(_Held.new(now))
        except OSError as error:
            raise ConfigurationError(f"cannot write the key {file}: {error.strerror}") from None
        return keys

    def _keep(self, *held: _Held) -> None:
        told = [{"since": one.since, "key": private_pem(one.key).decode()} for one in held]
        write_private(self._file, orjson.dumps(told))
        self._held = held

    def _signing(self, now: float) -> int:
        """Return the place of the key that signs at a moment; the first one when the clock was set back before it."""
        place = len(self._held) - 1
        while place and self._held[place].since > now:
            place -= 1
        return place

    def sign(self, claims: Mapping[str, Any], now: float) -> str:
        """Return a compact JWT with these claims."""
        return self._held[self._signing(now)].signer.sign(claims, typ=_TYPE)

    def jwks(self, now: float) -> list[dict[str, object]]:
        """Return the public keys to be published: the one that signs, the next, and those that signed a moment ago."""
        return [dict(one.signer.public_jwk()) for one in self._held[self._signing(now - ASSERTION_KEPT_SECONDS) :]]

    def following(self, now: float) -> "Following":
        """Make the key that is to follow. Raises ConfigurationError while another is announced."""
        newest = self._held[-1]
        if newest.since > now:
            raise ConfigurationError(
                "the key of assertions is being rotated",
                hint=f"that is done {ASSERTION_ANNOUNCED_SECONDS // 60} minutes after it began",
            )
        return Following(self, _Held.new(now + ASSERTION_ANNOUNCED_SECONDS), newest.signer.kid, now)


@dataclass(frozen=True, slots=True)
class Following:
    """The key that is to follow: in memory until `take_place`."""

    _keys: AssertionKeys
    _new: _Held
    before: str
    _now: float

    @property
    def kid(self) -> str:
        """Its name."""
        return self._new.signer.kid

    @property
    def since(self) -> float:
        """From when on it signs."""
        return self._new.since

    def take_place(self) -> None:
        """Publish it, and let go of keys whose last assertion has ended. Raises OSError."""
        keys = self._keys
        kept = keys._held[keys._signing(self._now - ASSERTION_KEPT_SECONDS) :]  # noqa: SLF001 - one mechanism in two classes
        keys._keep(*kept, self._new)  # noqa: SLF001 - likewise


def _read(said: dict[str, Any]) -> _Held:
    key = serialization.load_pem_private_key(said["key"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("not an elliptic curve key")
    return _Held(float(said["since"]), key, SigningKey(key))
