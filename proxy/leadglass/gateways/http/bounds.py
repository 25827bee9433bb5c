"""The door's bounds as one value, so that a test can shorten a wait. Their precedents are in `leadglass.limits`."""

from dataclasses import dataclass

from leadglass import limits


@dataclass(frozen=True, slots=True)
class Bounds:
    """Waits in seconds, sizes in bytes, rates in bytes a second."""

    handshake_seconds: float = limits.TLS_HANDSHAKE_SECONDS
    proxy_header_seconds: float = limits.PROXY_HEADER_SECONDS
    head_seconds: float = limits.HEAD_SECONDS
    keep_alive_seconds: float = limits.KEEP_ALIVE_SECONDS
    stall_seconds: float = limits.STALL_SECONDS
    linger_seconds: float = limits.LINGER_SECONDS
    drain_seconds: float = limits.DRAIN_SECONDS
    minimum_rate: int = limits.MINIMUM_RATE
    body_bytes: int = limits.STORE_BYTES
    connections: int = limits.LISTENER_CONNECTIONS
    connections_per_source: int = limits.SOURCE_CONNECTIONS

    @property
    def sweep_seconds(self) -> float:
        """How often connections are looked at: often enough for the shortest wait, at most once a second."""
        shortest = min(self.head_seconds, self.keep_alive_seconds, self.stall_seconds, self.linger_seconds)
        return min(1.0, shortest / 4)
