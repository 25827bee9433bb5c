r"""The hash chain of the record, and the signed heads that pin it.

A line is `{"seq":N,"v":1,"chain":"ID",BODY,"prev":"H","hash":"H"}` and a newline. `hash` is SHA-256 (FIPS 180-4) over
the line's own bytes before `,"hash":`, in lower-case hex; nothing is ever serialised again to check it, so
`sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum` of a line is the whole check. `prev` is the `hash` of the line
before. A head is an Ed25519 signature (RFC 8032) over the chain's id, a `seq`, that line's hash and a time: who holds
one can tell that everything up to it is still there.
"""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from leadglass.hazmat.files import sync_folder, write_private, write_whole
from leadglass.hazmat.mac import b64u, from_b64u

GENESIS: Final = "0" * 64
VERSION: Final = 1

_TAIL: Final = len(',"prev":"","hash":""}\n') + 2 * 64
_HASH: Final = len(',"hash":""}\n') + 64
_LINE = re.compile(rb'\{"seq":([1-9][0-9]{0,18}|0),"v":1,"chain":"([0-9a-z]{1,32})",')
_END = re.compile(rb',"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\n')
_HEAD_CONTEXT: Final = "leadglass audit head v1"  # separates these signatures from any other use of the key
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----")


class BrokenLine(Exception):
    """A line is not what the chain wrote. The message says why."""


@dataclass(frozen=True, slots=True)
class Link:
    """The frame of one line."""

    seq: int
    chain: str
    prev: str
    hash: str


def new_chain_id() -> str:
    """Return a name for a new chain: 8 characters."""
    return "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(8))


class Chain:
    """Where a chain stands. `seal` makes the next line, `advance` says that it has been written."""

    __slots__ = ("_front", "_sealed", "hash", "id", "seq")

    def __init__(self, chain: str, seq: int = 0, last: str = GENESIS) -> None:
        self.id, self.seq, self.hash = chain, seq, last
        self._front = f',"v":{VERSION},"chain":"{chain}",'.encode()
        self._sealed = last

    def seal(self, body: bytes) -> bytes:
        """Return the next line around `body`: the members of a JSON object without its braces. Changes nothing."""
        text = b'{"seq":%d%b%b,"prev":"%b"' % (self.seq + 1, self._front, body, self.hash.encode())
        self._sealed = digest = hashlib.sha256(text).hexdigest()
        return b'%b,"hash":"%b"}\n' % (text, digest.encode())

    def advance(self) -> None:
        """The line sealed last stands in the file: the next one follows it."""
        self.seq += 1
        self.hash = self._sealed


def check(line: bytes) -> Link:
    """Return the frame of a line (with its newline) whose own hash is right. Raises BrokenLine."""
    if not line.endswith(b"\n"):
        raise BrokenLine("it is cut short: no newline at its end")
    start, end = _LINE.match(line), _END.fullmatch(line, max(0, len(line) - _TAIL))
    if start is None or end is None:
        raise BrokenLine("it does not have the form of a line of the record")
    link = Link(int(start[1]), start[2].decode(), end[1].decode(), end[2].decode())
    if hashlib.sha256(memoryview(line)[: len(line) - _HASH]).hexdigest() != link.hash:
        raise BrokenLine("its hash does not fit its bytes: it has been changed")
    return link


def key_id(public: Ed25519PublicKey) -> str:
    """Return the name of a public key: the first 16 hex digits of SHA-256 over its 32 bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _message(chain: str, seq: int, last: str, timestamp: str) -> bytes:
    # No part can hold a newline: an id, a number, hex and an RFC 3339 time.
    return "\n".join((_HEAD_CONTEXT, chain, str(seq), last, timestamp)).encode()


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


class HeadKey:
    """The key that signs heads. Its file is PKCS #8 in PEM, mode 0600."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.id = key_id(private.public_key())

    @classmethod
    def load_or_make(cls, path: Path, public_path: Path) -> "HeadKey":
        """Read the key, or make it at first start. Public keys are added to `public_path`, none is taken away.

        Raises OSError, and ValueError when the file holds no Ed25519 key or others may read it.
        """
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return cls._make(path, public_path)
        with os.fdopen(handle, "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ValueError("others than its owner may read it")
            private = serialization.load_pem_private_key(file.read(16 * 1024), password=None)
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("it is not an Ed25519 key")  # noqa: TRY004 - of the file, not of an argument
        key = cls(private)
        key._publish(public_path)
        return key

    @classmethod
    def following(cls, path: Path, public_path: Path) -> "HeadKey":
        """Make the key that is to follow the one in `path`: beside it until `take_place`. Raises OSError."""
        return cls._make(_next(path), public_path)

    @staticmethod
    def take_place(path: Path) -> None:
        """Put the key that `following` made in place of the one in `path`, which is gone then. Raises OSError."""
        _next(path).replace(path)
        sync_folder(path.parent)

    @property
    def public(self) -> str:
        """The 32 bytes of the public key, in base64url."""
        return b64u(self._private.public_key().public_bytes_raw())

    @classmethod
    def _make(cls, path: Path, public_path: Path) -> "HeadKey":
        key = cls(Ed25519PrivateKey.generate())
        pem = key._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
        key._publish(public_path)
        return key

    def _publish(self, path: Path) -> None:
        known = path.read_bytes() if path.exists() else b""
        if self.id not in HeadKeys.from_pem(known).keys:
            write_whole(path, known + self.public_pem())  # of the keys before it stands nothing anywhere else

    def public_pem(self) -> bytes:
        """Return the public key in PEM, for whoever verifies."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def public_jwk(self) -> dict[str, object]:
        """Return the public key as a JWK (RFC 8037), under its key id."""
        raw = self._private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64u(raw), "kid": self.id, "use": "sig", "alg": "EdDSA"}

    def sign(self, chain: str, seq: int, last: str, timestamp: str) -> str:
        """Return the signature, in base64url, over: line `seq` of `chain` had the hash `last` at `timestamp`."""
        return b64u(self._private.sign(_message(chain, seq, last, timestamp)))


@dataclass(frozen=True, slots=True)
class HeadKeys:
    """The public keys that heads are checked against, by key id."""

    keys: dict[str, Ed25519PublicKey]

    @classmethod
    def from_pem(cls, pem: bytes) -> "HeadKeys":
        """Read any number of public keys from PEM. Raises ValueError when one is not Ed25519."""
        keys: dict[str, Ed25519PublicKey] = {}
        for block in _PEM.findall(pem):
            public = serialization.load_pem_public_key(block)
            if not isinstance(public, Ed25519PublicKey):
                raise ValueError("it holds a key that is not Ed25519")  # noqa: TRY004 - of the file
            keys[key_id(public)] = public
        return cls(keys)

    @classmethod
    def from_raw(cls, public: bytes) -> "HeadKeys":
        """Return the key of these 32 bytes. Raises ValueError when they are none."""
        key = Ed25519PublicKey.from_public_bytes(public)
        return cls({key_id(key): key})

    def __or__(self, other: "HeadKeys") -> "HeadKeys":
        return HeadKeys(self.keys | other.keys)

    def verify(self, key: str, signature: str, message: tuple[str, int, str, str]) -> bool:
        """Return whether `signature` is that of `key` over (chain, seq, hash, timestamp)."""
        public = self.keys.get(key)
        if public is None:
            return False
        try:
            public.verify(from_b64u(signature), _message(*message))
        except (ValueError, InvalidSignature):
            return False
        return True
