"""Doors between packages that do not know each other, as protocols.

Siblings (identity, devices, attributes, policy, obligations, upstream, audit) and doors (gateways) meet only here.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # permit.py itself needs UpstreamReply
    from leadglass.model.control import PeerFacts
    from leadglass.model.errors import Refusal
    from leadglass.model.permit import ControlReply, Sealed
    from leadglass.model.request import CleanRequest, Incoming


class Pausable(Protocol):
    """Something that produces bytes and can be asked to wait."""

    def pause_reading(self) -> None:
        """Produce nothing more until resumed."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...


class Sink(Protocol):
    """Where a relayed body goes: one write a chunk, and back-pressure the other way."""

    def write(self, chunk: bytes | memoryview) -> bool:
        """Send a chunk. Never blocks: when too much is unsent, the attached source is paused.

        Returns whether nothing of the chunk is held any more, so that its memory may be used again.
        """
        ...

    def attach(self, source: Pausable | None) -> None:
        """Name the source to pause and resume; None when it has ended."""
        ...


class BodySource(Protocol):
    """A request body as it streams in. Iterated at most once."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises Refusal (413, 408, 400) or ClientGone."""
        ...


class Links(Protocol):
    """Where links lead that an archive writes."""

    def lead(self, link: str, *, data: bool = False) -> str | None:
        """Return the link as a client may have it, None for one that leads elsewhere.

        `data` says that it names something and is nothing to fetch from: one that leads elsewhere then stays.
        """
        ...


class UpstreamReply(Protocol):
    """A reply of the archive whose head has arrived. It must be ended by `relay`, `read`, `chunks` or `abort`."""

    @property
    def links(self) -> Links | None:
        """Where links in this reply lead, None when they may pass as they are."""
        ...

    @property
    def status(self) -> int:
        """The status code, 200 - 599."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields that are read, by lower-case name; a repeated field is joined with a comma."""
        ...

    @property
    def length(self) -> int | None:
        """The Content-Length, None when chunked or to the end of the stream."""
        ...

    async def relay(self, sink: Sink) -> int:
        """Write the body to `sink` as it comes and return its length. Raises UpstreamBroken, ClientGone."""
        ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises Refusal `upstream-invalid` beyond `limit` bytes or on a broken body."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        ...

    def abort(self) -> None:
        """Give up the reply and close its connection."""
        ...


class FactsDoor(Protocol):
    """The narrow second door to the archive: fixed query shapes, rows as DICOM JSON, nothing relayed."""

    async def studies(self, uids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the study rows for these UIDs. Raises FactsUnavailable."""
        ...

    async def series(self, uids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the series rows of these studies. Raises FactsUnavailable."""
        ...

    async def instances(self, study: str, series: str) -> list[dict[str, Any]]:
        """Return all instance rows of this series, one listing for the hierarchy check. Raises FactsUnavailable."""
        ...

    async def workitem(self, uid: str) -> list[dict[str, Any]]:
        """Return the workitem with this UID as one row, none when there is no such workitem. Raises FactsUnavailable."""
        ...

    async def people(self, uids: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the study rows and the series rows that name people of these studies. Raises FactsUnavailable."""
        ...

    async def pictures(self, study: str, series: str | None = None) -> list[dict[str, Any]]:
        """Return of all instances of this study, or series of it, what tells of their pixels. Raises FactsUnavailable."""
        ...

    async def instance_anywhere(self, instance: str) -> list[dict[str, Any]]:
        """Return the instance rows with this SOP Instance UID in any study (store check). Raises FactsUnavailable."""
        ...


class ClientChannel(Protocol):
    """The client's end of a WebSocket, to which text messages are sent. Reads nothing of the client but that it leaves."""

    async def send(self, text: bytes) -> None:
        """Send a text message; waits while the client takes none. Raises ClientGone."""
        ...

    async def part(self, code: int) -> None:
        """Close with this code unless it is closed, and wait a little for the client to say so too."""
        ...


class Reply(Protocol):
    """The door's side of one exchange: exactly one of `refuse`, `forward`, `answer` or `switch` is called, then nothing."""

    @property
    def started(self) -> bool:
        """Whether the head of a reply has been written."""
        ...

    @property
    def sent(self) -> int:
        """Body bytes handed to the client so far."""
        ...

    def share(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        """Add header fields that say which pages may read the reply, whatever it will be."""
        ...

    def refuse(self, refusal: "Refusal", decision_id: str) -> None:
        """Send a refusal in the form the client reads (problem+json or a page). Only before anything has started."""
        ...

    async def forward(self, sealed: "Sealed", decision_id: str) -> None:
        """Send a sealed reply. Raises ClientGone, UpstreamBroken; the caller then cuts."""
        ...

    def answer(self, reply: "ControlReply", decision_id: str) -> None:
        """Send an answer of the control side."""
        ...

    def switch(self, accept: str, decision_id: str, ended: Callable[[], None]) -> ClientChannel:
        """Accept a WebSocket's handshake; `ended` is called once, when the client or the door ends it.

        Raises ClientGone, and Refusal `http-malformed` where the client did not wait for this.
        """
        ...

    def cut(self) -> None:
        """End the connection at once, so that what was sent cannot be taken for whole (SO_LINGER 0, abort)."""
        ...

    def sever(self) -> None:
        """Cut, and end the exchange that runs on the connection too; for callers that are no part of it."""
        ...


class Pipeline(Protocol):
    """What a door calls for each request: the whole life of it, from scope to completion record. Never raises."""

    async def handle(self, incoming: "Incoming", body: BodySource, reply: Reply) -> None:
        """Judge and answer one request."""
        ...


class EventSink(Protocol):
    """Where happenings other than requests are recorded: enrolment, posture change, revocation, acts of administrators."""

    async def record_event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write one `event` line: `kind` such as `device-enrolled`, `fields` plain JSON without secrets.

        Raises Refusal `audit-unavailable` when it cannot be written; the act it records must then not take place.
        """
        ...


class ControlDoor(Protocol):
    """The way to the gateway's own control side, for requests the pipeline has let through."""

    async def ask(self, request: "CleanRequest", body: bytes, facts: "PeerFacts") -> "ControlReply":
        """Ask the control side. Raises Refusal (`body-too-large`, `internal-fault`)."""
        ...
