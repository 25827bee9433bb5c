"""What a sign-in at an identity provider established, handed from the package that verifies it to that which keeps it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from leadglass.model.errors import LeadglassError, StepUp
from leadglass.model.facts import Subject


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person whom an issuer vouches for, with the tokens already verified.

    Its `sub` and `sid` are the issuer's own names for the person and its session (OpenID Connect Back-Channel Logout 1.0).
    `token_ends` is when what the issuer said stops being good, in epoch seconds; `refresh_token` gets it said anew.
    """

    subject: Subject
    token_ends: float
    refresh_token: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in under way, as the transaction keeps it. `landing` is a path of ours; `started` is epoch seconds."""

    id: str
    issuer: str
    landing: str | None
    step_up: StepUp
    started: float


class SignInRefused(LeadglassError):
    """The identity provider said no, or what it said does not verify. `cause` is for the record."""

    def __init__(self, cause: str) -> None:
        super().__init__("sign-in refused")
        self.cause = cause


class ProviderUnavailable(LeadglassError):
    """The identity provider gave no usable answer. `cause` is for the record."""

    def __init__(self, cause: str) -> None:
        super().__init__("identity provider unavailable")
        self.cause = cause


Renew: TypeAlias = Callable[[SignedIn], Awaitable[SignedIn]]
"""Asks the issuer anew. Raises SignInRefused when it does not vouch any more, ProviderUnavailable."""
