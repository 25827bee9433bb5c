"""Who may ask the archive when, and over which connection.

At most `size` requests run at one time. A few places are kept for facts, so that nothing starves decisions, and as many
from facts, so that decisions starve nothing; of the rest, bulk retrieval may hold two thirds of `size`, and one subject eight. Who finds no place waits in a bounded queue
that goes round the subjects, so that one that asks for a thousand slices delays nobody else by more than one turn.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

from leadglass.clock import Clock
from leadglass.limits import (
    UPSTREAM_CONNECT_SECONDS,
    UPSTREAM_FACTS_RESERVE,
    UPSTREAM_KEEP_SECONDS,
    UPSTREAM_PER_SUBJECT,
    UPSTREAM_QUEUE,
    UPSTREAM_QUEUE_SECONDS,
    UPSTREAM_RETRY_AFTER_SECONDS,
    UPSTREAM_SWEEP_SECONDS,
)
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.upstream.memory import Memory
from leadglass.upstream.protocol import Connection

Traffic: TypeAlias = Literal["bulk", "interactive", "facts"]


class Slot:
    """A place among the requests that run at one time."""

    __slots__ = ("_held", "_pool", "subject", "traffic")

    def __init__(self, pool: "Pool", subject: str, traffic: Traffic) -> None:
        self._pool, self.subject, self.traffic = pool, subject, traffic
        self._held = True

    def release(self) -> None:
        """Give the place back. Harmless when done twice."""
        if self._held:
            self._held = False
            self._pool._released(self)  # noqa: SLF001 - one mechanism in two classes


class _Ring:
    """Those who wait for one kind of place: the subjects in turn, each subject's requests in order."""

    def __init__(self) -> None:
        self._turns: dict[str, deque[asyncio.Future[Slot]]] = {}  # in the order of turns

    def add(self, subject: str, waiter: "asyncio.Future[Slot]") -> None:
        self._turns.setdefault(subject, deque()).append(waiter)

    def next(
        self, admits: Callable[[str, Traffic], bool], traffic: Traffic
    ) -> "tuple[str, asyncio.Future[Slot]] | None":
        """Take the next waiter whose subject is admitted, and move that subject to the end of the round."""
        for subject in list(self._turns):
            waiters = self._turns[subject]
            while waiters and waiters[0].done():  # gave up
                waiters.popleft()
            if not waiters:
                del self._turns[subject]
            elif admits(subject, traffic):
                waiter = waiters.popleft()
                del self._turns[subject]
                if waiters:
                    self._turns[subject] = waiters
                return subject, waiter
        return None


class Pool:
    """Connections to one archive and the places to use them.

    `size` is the number of requests that may run at one time.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, size: int, clock: Clock) -> None:
        self._address = (host, port, tls)
        self._clock = clock
        self._size = size
        reserve = min(UPSTREAM_FACTS_RESERVE, max(1, size // 6))
        self._open_to_all = self._open_to_facts = size - reserve
        self._open_to_bulk = min(size * 2 // 3, self._open_to_all - 1)
        self._running = 0
        self._facts = 0
        self._bulk = 0
        self._subjects: dict[str, int] = {}
        self._rings: dict[Traffic, _Ring] = {"facts": _Ring(), "interactive": _Ring(), "bulk": _Ring()}
        self._bulk_turn = False
        self._waiting = self._facts_waiting = 0
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._retired: set[Connection] = set()
        self._memory = Memory()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    # --- places ---

    def _admits(self, subject: str, traffic: Traffic) -> bool:
        if self._running >= self._size:
            return False
        if traffic == "facts":
            return self._facts < self._open_to_facts
        return (
            self._running - self._facts < self._open_to_all
            and (traffic == "interactive" or self._bulk < self._open_to_bulk)
            and self._subjects.get(subject, 0) < UPSTREAM_PER_SUBJECT
        )

    def _take(self, subject: str, traffic: Traffic) -> Slot:
        self._running += 1
        if traffic == "facts":
            self._facts += 1
        else:
            self._subjects[subject] = self._subjects.get(subject, 0) + 1
            self._bulk += traffic == "bulk"
        return Slot(self, subject, traffic)

    def take(self, subject: str, traffic: Traffic) -> Slot | None:
        """Return a place that is free now, or None. Nobody overtakes those who wait for the same kind of place."""
        if self._waiting or not self._admits(subject, traffic):
            return None
        return self._take(subject, traffic)

    async def wait(self, subject: str, traffic: Traffic) -> Slot:
        """Wait for a place. Raises Refusal `upstream-busy` when the queue is full or the wait is too long."""
        # Facts are asked for nobody in particular, so one who names a thousand studies must not shut the others out.
        if self._waiting >= UPSTREAM_QUEUE or (traffic == "facts" and self._facts_waiting >= UPSTREAM_QUEUE // 2):
            raise _busy("the queue is full")
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._facts_waiting += traffic == "facts"
        self._rings[traffic].add(subject, waiter)
        self._serve()  # a place may be free that only others of the queue cannot use
        try:
            async with asyncio.timeout(UPSTREAM_QUEUE_SECONDS):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                waiter.result().release()  # the place came in the moment of giving up
            if isinstance(error, TimeoutError):
                raise _busy(f"no free connection within {UPSTREAM_QUEUE_SECONDS:.0f} s") from None
            raise
        finally:
            self._waiting -= 1
            self._facts_waiting -= traffic == "facts"

    def _released(self, slot: Slot) -> None:
        self._running -= 1
        if slot.traffic == "facts":
            self._facts -= 1
        else:
            count = self._subjects[slot.subject] - 1
            if count:
                self._subjects[slot.subject] = count
            else:
                del self._subjects[slot.subject]
            self._bulk -= slot.traffic == "bulk"
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        """Hand free places to those who wait: facts first, then interactive and bulk by turns."""
        while self._running < self._size:
            self._bulk_turn = not self._bulk_turn
            order: tuple[Traffic, ...] = (
                ("facts", "bulk", "interactive") if self._bulk_turn else ("facts", "interactive", "bulk")
            )
            for traffic in order:
                chosen = self._rings[traffic].next(self._admits, traffic)
                if chosen is not None:
                    subject, waiter = chosen
                    waiter.set_result(self._take(subject, traffic))
                    break
            else:
                return

    # --- connections ---

    def idle(self) -> Connection | None:
        """Return a connection that is open and free, the youngest first, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive and self._clock.monotonic() - connection.idle_since < UPSTREAM_KEEP_SECONDS:
                return connection
            connection.abort()
        return None

    @property
    def address(self) -> tuple[str, int, ssl.SSLContext | None]:
        """Where the archive is, and how it is trusted."""
        return self._address

    async def connect(self) -> Connection:
        """Open a connection. Raises Refusal `upstream-unreachable`."""
        host, port, tls = address = self._address
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(UPSTREAM_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._ended, self._memory),
                    host,
                    port,
                    ssl=tls,
                    server_hostname=host if tls else None,
                )
        except TimeoutError:
            raise refuse(Code.UPSTREAM_UNREACHABLE, f"no connection within {UPSTREAM_CONNECT_SECONDS:.0f} s") from None
        except OSError as error:  # ssl.SSLError is one
            raise refuse(Code.UPSTREAM_UNREACHABLE, f"{type(error).__name__}: {error}") from error
        self._all.add(connection)
        if address is not self._address:
            self._retired.add(connection)
        if self._sweeper is None and not self._closed:
            self._sweeper = loop.call_later(UPSTREAM_SWEEP_SECONDS, self._sweep_again)
        return connection

    def renew(self, tls: ssl.SSLContext | None) -> None:
        """Open connections under this context from now on. No further request goes over one that was opened before."""
        self._address = (*self._address[:2], tls)
        self._retired |= self._all
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _ended(self, connection: Connection) -> None:
        """A connection is free again, or gone."""
        retired = connection in self._retired
        if connection.alive and not self._closed and not retired:
            connection.idle_since = self._clock.monotonic()
            self._idle.append(connection)
            return
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._retired.discard(connection)
        if self._closed or retired:
            connection.abort()

    def sweep(self) -> None:
        """End exchanges in which the archive has been quiet for too long."""
        now = self._clock.monotonic()
        for connection in list(self._all):
            connection.check(now)

    def _sweep_again(self) -> None:
        self._sweeper = None
        self.sweep()
        if self._all and not self._closed:
            self._sweeper = asyncio.get_running_loop().call_later(UPSTREAM_SWEEP_SECONDS, self._sweep_again)

    @property
    def running(self) -> int:
        """Requests that run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return self._waiting

    def close(self) -> None:
        """Close every connection; what runs over them ends broken."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._all):
            connection.abort()
        self._all.clear()
        self._idle.clear()


def _busy(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_BUSY, detail, headers={"Retry-After": str(UPSTREAM_RETRY_AFTER_SECONDS)})
