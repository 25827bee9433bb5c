"""What all connections of the door share: the pipeline, the clock, bounds, and who is connected."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass.audit.noise import source_of
from leadglass.clock import Clock
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.heads import Heads
from leadglass.gateways.http.proxies import Proxies
from leadglass.gateways.http.settings import PROXY_V2
from leadglass.model.ports import Pipeline
from leadglass.model.request import Peer

if TYPE_CHECKING:  # connections hold the hub
    from leadglass.gateways.http.connection import Connection


@dataclass(slots=True)
class Counts:
    """What has happened since the start; telemetry reads it."""

    connections: int = 0  # accepted
    turned_away: int = 0  # over a bound on connections
    handshakes_failed: int = 0
    prefaces_refused: int = 0  # PROXY headers of trusted proxies
    requests: int = 0
    faults: int = 0  # requests that could not be read
    cuts: int = 0  # resets sent, stalled clients among them


class Hub:
    """The door's shared state. One per door."""

    def __init__(self, pipeline: Pipeline, clock: Clock, bounds: Bounds, proxies: Proxies | None = None) -> None:
        self.pipeline, self.clock, self.bounds = pipeline, clock, bounds
        self.proxies = Proxies() if proxies is None else proxies
        self.heads = Heads(clock)
        self.counts = Counts()
        self.connections: set[Connection] = set()  # past their handshake
        self.draining = False
        self.open = 0  # connections held, half-open ones among them
        self._sources: Counter[str] = Counter()

    def admit(self, source: str | None) -> bool:
        """Count in a connection from `source` unless that is one too many. `dismiss` is due if it returns True.

        None is a proxy that has not said yet whom it speaks for: `charge` follows.
        """
        if self.open >= self.bounds.connections or not self.charge(source):
            self.counts.turned_away += 1
            return False
        self.counts.connections += 1
        self.open += 1
        return True

    def source(self, peer: Peer) -> str | None:
        """Return what a connection of `peer` counts for: None while that is a proxy that names a client a request."""
        proxy = self.proxies.find(peer.ip)
        return source_of(peer.ip) if proxy is None or proxy.speaks == PROXY_V2 else None

    def charge(self, source: str | None) -> bool:
        """Count one connection more for `source` unless that is one too many. `release` is due if it returns True."""
        if source is not None:
            if self._sources[source] >= self.bounds.connections_per_source:
                return False
            self._sources[source] += 1
        return True

    def release(self, source: str | None) -> None:
        """Count one connection less for `source`."""
        if source is not None:
            self._sources[source] -= 1
            if self._sources[source] <= 0:
                del self._sources[source]

    def dismiss(self, source: str | None) -> None:
        """Count out a connection that was admitted, and is counted for `source` by now."""
        self.open -= 1
        self.release(source)
