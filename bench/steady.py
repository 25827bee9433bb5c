"""Requests on a fixed schedule, without coordinated omission: a request that is sent late counts from when it was due.

Run as a program of its own (`python -m bench.steady PORT PATH ACCEPT CREDENTIALS RATE SECONDS`), because a busy loop and an
event loop in one process would measure each other. Prints the latencies in microseconds as a JSON list.
"""

import gc
import json
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

_CONNECTIONS = 16
_SPIN = 0.0003  # seconds before a request is due in which the schedule is watched rather than slept on


class _Line:
    """One connection: free, or with a request that was due at `due`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.due = 0.0
        self.held = b""

    def whole(self) -> bool:
        """Take what has come and return whether the reply is whole. Raises ValueError when it is not a 200."""
        piece = self.socket.recv(65_536)
        self.held += piece
        head, end, body = self.held.partition(b"\r\n\r\n")
        if not piece or not self.held.startswith(b"HTTP/1.1 200"[: len(self.held)]):
            raise ValueError(self.held[:200])
        if not end:
            return False
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        self.held = b""
        return True


def run(port: int, heads: list[bytes], rate: float, seconds: float) -> list[float]:
    """Send `rate` requests a second and return each one's latency in seconds."""
    lines = [_Line(port) for _ in range(_CONNECTIONS)]
    by_socket = {line.socket: line for line in lines}
    free, busy = deque(lines), set[socket.socket]()
    waiting: deque[float] = deque()
    taken: list[float] = []
    count, sent = int(rate * seconds), 0
    start = time.perf_counter() + 0.05
    while len(taken) < count:
        now = time.perf_counter()
        while sent + len(waiting) < count and start + (sent + len(waiting)) / rate <= now:
            waiting.append(start + (sent + len(waiting)) / rate)
        while waiting and free:
            line = free.popleft()
            line.due = waiting.popleft()
            line.socket.send(heads[sent % len(heads)])
            sent += 1
            busy.add(line.socket)
        coming = start + (sent + len(waiting)) / rate - time.perf_counter() - _SPIN
        pause = max(0.0, coming) if sent + len(waiting) < count else 1.0
        for ready in select.select(list(busy), (), (), pause)[0] if busy else ():
            if by_socket[ready].whole():
                taken.append(time.perf_counter() - by_socket[ready].due)
                busy.discard(ready)
                free.append(by_socket[ready])
        if not busy and pause:
            time.sleep(pause)  # nothing is due and nothing is under way: the schedule itself is what is waited for
    return taken


def main(port: str, path: str, accept: str, credentials: str, rate: str, seconds: str) -> None:
    heads = [
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\n{credential}\r\n\r\n".encode()
        for credential in Path(credentials).read_text().splitlines()
    ]
    gc.disable()
    sys.stdout.write(json.dumps([round(took * 1e6) for took in run(int(port), heads, float(rate), float(seconds))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
