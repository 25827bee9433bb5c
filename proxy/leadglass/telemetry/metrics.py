"""Every metric of the gateway, in one place, in the Prometheus text format.

The objects below are counted on by name (`REQUESTS.add(("http", "allowed"))`). They are plain dictionaries that only
become prometheus-client samples when /metrics is asked for: a counter costs about a fifth of a microsecond that way,
where the client library's locks and label look-ups cost several. They belong to the event loop's thread. Labels carry
no identifier of a person, a patient, a device or an address (law 8), and each metric holds a bounded number of series.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from leadglass.limits import METRIC_SERIES

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[str, ...]

_FAMILIES: Final[list["Count | Gauge | Histogram"]] = []
_SECONDS: Final = (
    *(0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)


class _Family:
    """A name, what it means, its label names; and the label set that stands in when there are too many."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels
        self._rest = ("other",) * len(labels)


class Count(_Family):
    """A number that only grows."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self.values: dict[Labels, float] = {}
        self._watched: dict[Labels, Callable[[], float]] = {}
        _FAMILIES.append(self)

    def watch(self, labels: Labels, value: Callable[[], float]) -> None:
        """Ask this function, which counts elsewhere, from now on."""
        self._watched[labels] = value

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        """Count one more, or `amount` more."""
        values = self.values
        if labels in values:
            values[labels] += amount
        elif len(values) < METRIC_SERIES:
            values[labels] = amount
        else:
            values[self._rest] = values.get(self._rest, 0) + amount

    def family(self) -> Metric:
        """Return the samples."""
        family = CounterMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        for labels, ask in self._watched.items():
            family.add_metric(labels, ask())
        return family


class Gauge(_Family):
    """A number that goes up and down; set, or asked of a function when /metrics is."""

    def __init__(self, name: str, meaning: str, labels: Labels = ()) -> None:
        super().__init__(name, meaning, labels)
        self.values: dict[Labels, float | Callable[[], float]] = {}
        self._each: Callable[[], Mapping[Labels, float]] = dict
        _FAMILIES.append(self)

    def set(self, labels: Labels, value: float) -> None:
        """Say what it is now."""
        if labels in self.values or len(self.values) < METRIC_SERIES:
            self.values[labels] = value

    def watch(self, labels: Labels, value: Callable[[], float]) -> None:
        """Ask this function from now on."""
        self.values[labels] = value

    def watch_each(self, values: Callable[[], Mapping[Labels, float]]) -> None:
        """Ask this function from now on, which names the series too: they come and go."""
        self._each = values

    def family(self) -> Metric:
        """Return the samples."""
        family = GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, now in islice(self._each().items(), METRIC_SERIES):
            family.add_metric(labels, float(now))
        for labels, value in self.values.items():
            family.add_metric(labels, value() if callable(value) else value)
        return family


class Histogram(_Family):
    """How long things took, in seconds."""

    def __init__(self, name: str, meaning: str, labels: Labels = (), bounds: Sequence[float] = _SECONDS) -> None:
        super().__init__(name, meaning, labels)
        self._bounds = list(bounds)
        self._series: dict[Labels, tuple[list[int], list[float]]] = {}
        _FAMILIES.append(self)

    def observe(self, labels: Labels, seconds: float) -> None:
        """Count one that took `seconds`."""
        series = self._series.get(labels)
        if series is None:
            series = self._new(labels)
        series[0][bisect_left(self._bounds, seconds)] += 1
        series[1][0] += seconds

    def _new(self, labels: Labels) -> tuple[list[int], list[float]]:
        key = labels if len(self._series) < METRIC_SERIES else self._rest
        return self._series.setdefault(key, ([0] * (len(self._bounds) + 1), [0.0]))

    def family(self) -> Metric:
        """Return the samples."""
        family = HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        names = [*(str(bound) for bound in self._bounds), "+Inf"]
        for labels, (counts, total) in self._series.items():
            running, buckets = 0, []
            for name, count in zip(names, counts, strict=True):
                running += count
                buckets.append((name, running))
            family.add_metric(labels, buckets, total[0])
        return family


REQUESTS = Count("leadglass_requests", "Exchanges by door and how they ended.", ("door", "outcome"))
REASONS = Count("leadglass_decisions", "Decisions by their first reason; allow when there is none.", ("reason",))
STAGES = Histogram("leadglass_stage_seconds", "Time spent in each stage of an exchange.", ("stage",))
EXCHANGES = Histogram("leadglass_exchange_seconds", "Whole exchanges, to the last byte.", ("outcome",))
SENT_BYTES = Count("leadglass_sent_bytes", "Body bytes sent to clients.")
LEASES = Gauge("leadglass_leases", "Leases in force.")
LEASE_USES = Count("leadglass_lease_uses", "Requests answered under a lease.")
OBSERVING = Gauge(
    "leadglass_observing_seconds_left", "Seconds for which refusals are still let through; 0: they are carried out."
)
OBSERVED = Count(
    "leadglass_observed", "Requests let through while observing, by the reason that would refuse or hide.", ("reason",)
)
GLASS_BROKEN = Count("leadglass_glass_broken", "Decisions under a broken glass.")
EMERGENCIES = Count("leadglass_emergencies", "Uses of emergency codes by outcome: begun or refused.", ("outcome",))
PROJECTS = Gauge("leadglass_projects", "Open projects.")
PSEUDONYMS = Count("leadglass_pseudonyms", "Mappings of pseudonyms written to the store.")
POLICY_LOADS = Count("leadglass_policy_loads", "Loads of a policy set by outcome.", ("outcome",))
CONNECTIONS = Gauge("leadglass_connections", "Client connections by door.", ("door",))
HANDSHAKE_FAILURES = Count(
    "leadglass_handshake_failures",
    "Handshakes that failed: `tls`, or `proxy` for a PROXY v2 header that a trusted proxy owed.",
    ("cause",),
)
POOL = Gauge("leadglass_upstream_connections", "Connections to an archive by state.", ("upstream", "state"))
POOL_WAITING = Gauge("leadglass_upstream_waiting", "Requests that wait for a connection to an archive.", ("upstream",))
UPSTREAM_UP = Gauge(
    "leadglass_upstream_up", "0 while the last request to an archive found it away, or unwilling.", ("upstream",)
)
UPSTREAM_ERRORS = Count("leadglass_upstream_errors", "Requests an archive failed, by cause.", ("upstream", "cause"))
LINKS_REMOVED = Count("leadglass_links_removed", "Links taken out of replies because they lead past the gateway.")
SIGNALS = Count("leadglass_signals", "Security events by kind and what became of them.", ("event", "outcome"))
AUDIT_LINES = Gauge("leadglass_audit_lines", "Lines written to the record by this process.")
AUDIT_WRITABLE = Gauge("leadglass_audit_writable", "1 while the record can be written; requests are refused at 0.")
AUDIT_PRESSURE = Gauge(
    "leadglass_audit_pressure", "Disk under the record: 0 ok, 1 warn (80 %), 2 critical (95 %), 3 reserve (64 MiB)."
)
AUDIT_LOST = Count("leadglass_audit_lost_completions", "Completions that could not be kept while the disk failed.")
DEGRADED = Gauge(
    "leadglass_degraded", "1 while a condition of the gateway's own is not as it should be.", ("condition",)
)
SINK_LAG = Gauge("leadglass_sink_lag_bytes", "Bytes of the record that a receiver has not taken yet.", ("sink",))
SINK_BATCHES = Count("leadglass_sink_batches", "Batches posted to a receiver, by outcome.", ("sink", "outcome"))
SINK_SET_ASIDE = Count(
    "leadglass_sink_set_aside", "Lines of the record that were left out for a receiver, too large for it.", ("sink",)
)

TRACE_SPANS = Count(
    "leadglass_trace_spans",
    "Spans of traces: exported; dropped for want of room; rejected by the collector; failed to reach it.",
    ("outcome",),
)


class _Ours(Collector):
    """All families above, as prometheus-client collects them."""

    def collect(self) -> Iterator[Metric]:
        for family in _FAMILIES:
            yield family.family()


_REGISTRY: Final = CollectorRegistry()
_REGISTRY.register(_Ours())
ProcessCollector(registry=_REGISTRY)
PlatformCollector(registry=_REGISTRY)
GCCollector(registry=_REGISTRY)


def render() -> bytes:
    """Return the page for /metrics; its media type is `CONTENT_TYPE`."""
    return generate_latest(_REGISTRY)
