"""Work that may hang, crash or take all memory, done by a process of its own: decoders of what somebody else made.

A few processes are kept, started when the first work comes. One that does not answer in time is killed, and so is what it worked on; the
next work gets another. They hold no secret but what the work brings, and end with the process that started them.
"""

import contextlib
import multiprocessing
import resource
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from leadglass.limits import APART_BYTES, APART_PROCESSES, APART_SECONDS
from leadglass.model.errors import LeadglassError

T = TypeVar("T")
_CONTEXT: Final = multiprocessing.get_context("spawn")  # a copy of a process with threads may hang in their locks


class ApartError(LeadglassError):
    """The work was not done: it took too long or too much memory, crashed, or raised."""


def _serve(pipe: Connection, memory: int) -> None:
    """Be the process: do what comes until nothing can come any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the process that started this one ends it
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold what was worked on
    with contextlib.suppress(EOFError, OSError):
        while True:
            work, given = pipe.recv()
            try:
                told = True, work(*given)
            except Exception as error:  # noqa: BLE001 - whatever it is, its name is all that is told
                told = False, type(error).__name__
            pipe.send(told)


class _Process:
    """One process, which does one thing at a time."""

    def __init__(self) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, APART_BYTES), daemon=True, name="apart")
        self._process.start()
        theirs.close()

    def do(self, work: Callable[..., Any], given: tuple[Any, ...], seconds: float) -> tuple[bool, Any]:
        self._pipe.send((work, given))
        if not self._pipe.poll(seconds):
            raise ApartError("took too long")
        told: tuple[bool, Any] = self._pipe.recv()
        return told

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()


class Apart:
    """So many processes."""

    def __init__(self, processes: int = APART_PROCESSES) -> None:
        self._places = threading.BoundedSemaphore(processes)
        self._idle: list[_Process] = []

    def do(self, work: Callable[..., T], *given: Any, seconds: float = APART_SECONDS) -> T:  # noqa: ANN401 - what the work takes
        """Return what `work(*given)` returns: a function of a module, and values that can be pickled. Blocks; call it in a thread.

        Waits for a process that has nothing to do. Raises ApartError.
        """
        with self._places:
            process = self._idle.pop() if self._idle else _Process()
            try:
                done, value = process.do(work, given, seconds)
            except (ApartError, EOFError, OSError) as error:
                process.end()
                raise error if isinstance(error, ApartError) else ApartError("crashed") from None
            except BaseException:  # half of a message may be on its way
                process.end()
                raise
            self._idle.append(process)
        if not done:
            raise ApartError(value)
        result: T = value
        return result

    def close(self) -> None:
        """End the processes that have nothing to do."""
        while self._idle:
            self._idle.pop().end()


APART: Final = Apart()
"""Those of this process."""
