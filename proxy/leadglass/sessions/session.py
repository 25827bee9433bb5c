"""One browser session, and its form in the store."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from leadglass.clock import rfc3339
from leadglass.hazmat.mac import sha256
from leadglass.model.facts import EMERGENCY, Subject
from leadglass.model.login import SignedIn

_FIELDS = (
    "type", "id", "issuer", "roles", "groups", "sites", "mfa", "acr", "auth_time", "claims", "sub", "sid", "email",
)  # fmt: skip
_TUPLES = frozenset({"roles", "groups", "sites"})


@dataclass(frozen=True, slots=True)
class Glass:
    """A glass that is broken: why, and until when (epoch seconds)."""

    reason: str
    ends: float


@dataclass(slots=True)
class Session:
    """A session. `id` names it for people and the record; `key` is SHA-256 of the cookie. Times are epoch seconds.

    `used` and `ends` have twins by the monotonic clock, so that a clock that is set back lengthens nothing.

    `version` counts what its subject became: with the id it makes the subject's `token_hash`, so that whatever stands on
    a token stands on the session in its present form.
    """

    id: str
    key: bytes
    signed_in: SignedIn
    client_ip: str
    begun: float
    used: float
    ends: float
    used_monotonic: float
    ends_monotonic: float
    version: int = 0
    glass: Glass | None = None

    def use(self, now: float, monotonic: float) -> None:
        """Take note that it was used."""
        self.used, self.used_monotonic = now, monotonic

    def over(self, now: float, monotonic: float, idle_seconds: float) -> str | None:
        """Return why it is over, by either clock; None while it lives."""
        if now >= self.ends or monotonic >= self.ends_monotonic:
            return "absolute"
        idle = max(now - self.used, monotonic - self.used_monotonic)
        return "idle" if idle >= idle_seconds and not self.coded else None

    @property
    def subject(self) -> Subject:
        """Who it is."""
        return self.signed_in.subject

    @property
    def coded(self) -> bool:
        """Whether it was begun by an emergency code: no issuer stands behind it, and it lives to its end, idle or not."""
        return self.subject.issuer == EMERGENCY

    def become(self, signed_in: SignedIn) -> bool:
        """Take what the issuer says now, and return whether the subject is another than before."""
        known, glass = signed_in.subject, None if self.glass is None else self.glass.reason
        same = (
            self.subject.session == self.id
            and _said(known) == _said(self.subject)
            and self.subject.expires == self.ends
            and self.subject.glass == glass
        )
        if same:
            same_time = known.issued == self.subject.issued
            subject = self.subject if same_time else replace(self.subject, issued=known.issued)
            self.signed_in = replace(signed_in, subject=subject)
            return False
        self.version += 1
        digest = sha256(f"session {self.id} {self.version}".encode())
        subject = replace(known, token_hash=digest, session=self.id, expires=self.ends, glass=glass)
        self.signed_in = replace(signed_in, subject=subject)
        return True

    def sealed(self) -> bytes:
        """Return what the store keeps of it under seal."""
        kept = self.signed_in
        return orjson.dumps(
            {
                "subject": {**_said(self.subject), "issued": self.subject.issued},
                "token_ends": kept.token_ends,
                "refresh_token": kept.refresh_token,
                "client_ip": self.client_ip,
                "begun": self.begun,
                "ends": self.ends,
                "version": self.version,
                "glass": self.glass and [self.glass.reason, self.glass.ends],
            }
        )

    def document(self) -> dict[str, Any]:
        """Return what people, administrators and the record see of it."""
        subject = self.subject
        return {
            "id": self.id,
            "subject": subject.id,
            "issuer": subject.issuer,
            "client_ip": self.client_ip,
            "mfa": subject.mfa,
            "acr": subject.acr,
            "begun": rfc3339(self.begun),
            "used": rfc3339(self.used),
            "ends": rfc3339(self.ends),
            "glass": self.glass and {"reason": self.glass.reason, "ends": rfc3339(self.glass.ends)},
        }


def _said(subject: Subject) -> dict[str, Any]:
    return {name: getattr(subject, name) for name in _FIELDS}


def restored(row: Any, plain: bytes, now: float, monotonic: float) -> Session:  # noqa: ANN401 - a row of the table, whose columns have its types
    """Return the session of a row and its opened seal."""
    kept = orjson.loads(plain)
    said: dict[str, Any] = {name: tuple(value) if name in _TUPLES else value for name, value in kept["subject"].items()}
    subject = Subject(**said, token_hash=b"", expires=kept["ends"])
    signed_in = SignedIn(subject, kept["token_ends"], kept["refresh_token"])
    used = min(row["used"], now)
    session = Session(
        row["id"], row["key"], signed_in, kept["client_ip"], kept["begun"], used, kept["ends"],
        used_monotonic=monotonic - (now - used),
        ends_monotonic=monotonic + (kept["ends"] - now),
        # One version on, by `become`: nothing that stood on it before the restart is alive.
        version=kept["version"],
    )  # fmt: skip
    session.glass = Glass(*kept["glass"]) if kept["glass"] else None
    session.become(signed_in)
    return session
