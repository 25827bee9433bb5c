"""A transport without a socket, and a place without a pool."""

import asyncio


def receive(connection: asyncio.BufferedProtocol, data: bytes) -> None:
    """Put bytes through a connection as a loop does: into the memory that it names, as much as that takes at once."""
    while data:
        memory = memoryview(connection.get_buffer(-1))
        piece, data = data[: len(memory)], data[len(memory) :]
        memory[: len(piece)] = piece
        connection.buffer_updated(len(piece))


class FakeTransport(asyncio.Transport):
    """Keeps what is written and whether it was paused, closed or aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.paused = False
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class FakePlace:
    """Counts how often it was given back."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1
