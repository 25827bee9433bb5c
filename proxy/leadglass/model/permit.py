"""Permits: a skipped stage does not type-check (law 6).

`Permit` is made by the policy package alone and spent at `upstream.open()`; `Sealed` is made by the obligation plan
alone and spent at `forward()`. An architecture test fails when any other package constructs one.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from leadglass.model.decision import Decision
from leadglass.model.facts import Resource
from leadglass.model.ports import UpstreamReply
from leadglass.model.question import Question


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to ask the upstream for what one question names, by the decision that answers it."""

    decision: Decision
    question: Question

    @property
    def resource(self) -> Resource:
        """What may be asked for."""
        return self.question.resource


@dataclass(frozen=True, slots=True)
class FileReply:
    """What a static mount answers: header fields of the gateway's own, and a body of `length` bytes."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: "bytes | AsyncIterator[bytes]"
    length: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A reply that has been through the plan and may leave.

    `body` is an upstream reply to relay as it comes, bytes that are whole, or an iterator of chunks.
    `length` is its length in bytes when known. `disclosed` maps Study Instance UIDs to patient ids for the record.
    `own` says that nothing of it comes from the archive, so that its header fields are the gateway's to choose.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: "UpstreamReply | bytes | AsyncIterator[bytes]"
    length: int | None = None
    disclosed: Mapping[str, str] = field(default_factory=dict)
    own: bool = False


@dataclass(frozen=True, slots=True)
class ControlReply:
    """An answer of the gateway's own control side, whole in memory.

    `told` is reason and detail of a refusal whose body is in a form of others, for the record alone.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    told: str = ""
