from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from leadglass.limits import METRIC_SERIES
from leadglass.telemetry import metrics


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Families made in a test do not outlive it."""
    before = list(metrics._FAMILIES)
    yield
    metrics._FAMILIES[:] = before


def sample(name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(metrics.render().decode()):
        for found in family.samples:
            if found.name == name and found.labels == labels:
                return found.value
    pytest.fail(f"no sample {name} {labels}")


def test_a_count_grows() -> None:
    count = metrics.Count("t_count", "Test.", ("kind",))
    count.add(("a",))
    count.add(("a",), 2.5)
    count.watch(("b",), lambda: 7)
    assert (sample("t_count_total", kind="a"), sample("t_count_total", kind="b")) == (3.5, 7)


def test_a_gauge_is_set_or_asked() -> None:
    gauge = metrics.Gauge("t_gauge", "Test.", ("kind",))
    gauge.set(("a",), 2)
    gauge.set(("a",), 1)
    gauge.watch(("b",), lambda: 7)
    assert (sample("t_gauge", kind="a"), sample("t_gauge", kind="b")) == (1, 7)


def test_a_histogram_counts_into_its_buckets() -> None:
    histogram = metrics.Histogram("t_seconds", "Test.", ("stage",), (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        histogram.observe(("x",), seconds)
    assert sample("t_seconds_bucket", stage="x", le="0.1") == 2
    assert sample("t_seconds_bucket", stage="x", le="1.0") == 3
    assert sample("t_seconds_bucket", stage="x", le="+Inf") == 4
    assert sample("t_seconds_count", stage="x") == 4
    assert sample("t_seconds_sum", stage="x") == pytest.approx(3.65)


def test_series_that_come_and_go_are_asked_for_by_name() -> None:
    gauge = metrics.Gauge("t_places", "Test.", ("upstream",))
    there: dict[metrics.Labels, float] = {("main",): 1.0, ("vna",): 2.0}
    gauge.watch_each(lambda: there)
    assert (sample("t_places", upstream="main"), sample("t_places", upstream="vna")) == (1.0, 2.0)
    del there["vna",]
    assert 't_places{upstream="vna"}' not in metrics.render().decode()


def test_series_are_bounded() -> None:
    count = metrics.Count("t_many", "Test.", ("kind",))
    histogram = metrics.Histogram("t_many_seconds", "Test.", ("kind",))
    gauge = metrics.Gauge("t_many_now", "Test.", ("kind",))
    for number in range(METRIC_SERIES + 50):
        count.add((str(number),))
        histogram.observe((str(number),), 1.0)
        gauge.set((str(number),), 1.0)
    assert len(count.values) <= METRIC_SERIES + 1
    assert count.values["other",] == 50
    assert len(histogram._series) <= METRIC_SERIES + 1
    assert len(gauge.values) == METRIC_SERIES


def test_label_values_cannot_break_the_page() -> None:
    count = metrics.Count("t_nasty", "Test.", ("kind",))
    count.add(('a"b\\c\nd{}',))
    assert sample("t_nasty_total", kind='a"b\\c\nd{}') == 1


def test_no_label_names_a_person_a_patient_or_an_address() -> None:
    names = {label for family in metrics._FAMILIES for label in family.labels}
    assert names <= {"door", "outcome", "reason", "stage", "cause", "state", "sink", "event", "condition", "upstream"}


def test_the_page_has_what_operators_look_for() -> None:
    page = metrics.render().decode()
    for name in (
        "leadglass_requests",
        "leadglass_stage_seconds",
        "leadglass_sink_lag_bytes",
        "process_resident_memory",
    ):
        assert f"# TYPE {name}" in page
    assert len({family.name for family in metrics._FAMILIES}) == len(metrics._FAMILIES)
