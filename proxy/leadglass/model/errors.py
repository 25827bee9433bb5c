"""The error tree.

`Refusal` is an answer, not a fault: a stage raises it to say no, and the scope writes it down. `Cut` ends a reply that
has begun. Everything else that escapes a stage is a fault and becomes `internal-fault`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from leadglass.model.reasons import REASONS, Code, Reason

_NONE: Mapping[str, str] = MappingProxyType({})


class LeadglassError(Exception):
    """Base of every error that leadglass raises on purpose."""


class ConfigurationError(LeadglassError):
    """A setting, table or file is unusable. Carries the fix for the person at the keyboard."""

    def __init__(self, problem: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.problem, self.hint, self.where = problem, hint, where

    @property
    def each(self) -> "tuple[ConfigurationError, ...]":
        """What is wrong, one by one."""
        return (self,)


class ConfigurationErrors(ConfigurationError):
    """Several things are unusable. Read as one error it is the first, and counts the others."""

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        first, more = errors[0], f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(first.problem + more, hint=first.hint, where=first.where)
        self._each = tuple(errors)

    @property
    def each(self) -> tuple[ConfigurationError, ...]:
        """What is wrong, one by one."""
        return self._each


@dataclass(frozen=True, slots=True)
class StepUp:
    """What would be enough (RFC 9470): any of `acr_values`, not older than `max_age` seconds."""

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a refusal with the parameters its sentence names."""

    reason: Reason
    params: Mapping[str, str] = field(default_factory=lambda: _NONE)


class Refusal(LeadglassError):
    """No, and why.

    `causes` answers whole denials in order; the first decides the status. `detail` is for the record alone.
    `headers` are added to the reply (for instance `Retry-After`). `challenge` is the error that the challenge of a 401
    names (RFC 6750 section 3.1, RFC 9449 section 7.1) where the door cannot know it. `sign_in` is the path at which the
    person who looks at the page of this refusal signs in; `ways` are what else it leads to, pairs of path and words.
    `withdrawn` says that it is about somebody or something that was withdrawn by name, which observation lets pass never.
    """

    def __init__(
        self,
        *causes: Cause,
        detail: str = "",
        step_up: StepUp | None = None,
        headers: Mapping[str, str] = _NONE,
        challenge: str = "",
    ) -> None:
        if not causes:
            causes = (Cause(REASONS[Code.INTERNAL_FAULT]),)
        super().__init__(", ".join(cause.reason.code for cause in causes))
        self.causes, self.detail, self.step_up, self.headers = causes, detail, step_up, headers
        self.challenge = challenge
        self.withdrawn = False
        self.sign_in: str | None = None
        self.ways: tuple[tuple[str, str], ...] = ()


def refuse(code: Code, detail: str = "", /, *, headers: Mapping[str, str] = _NONE, **params: str) -> Refusal:
    """Make the refusal for one of the gateway's own reasons. `detail` goes to the record, never to the person."""
    return Refusal(Cause(REASONS[code], MappingProxyType(dict(params))), detail=detail, headers=headers)


class Cut(LeadglassError):
    """A reply that has begun must end now, without a clean end that a client could take for the whole."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class ClientGone(LeadglassError):
    """The client closed its connection before the exchange ended."""


class UpstreamBroken(LeadglassError):
    """The archive's reply ended before its framing said so, or its framing cannot be trusted."""


class FactsUnavailable(LeadglassError):
    """The archive did not give the facts that were asked of it; they are listed in `input.missing`."""
