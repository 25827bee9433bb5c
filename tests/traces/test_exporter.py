import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from leadglass.limits import TRACE_BATCH_SPANS, TRACE_RETRY_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.traces import exporter as module
from leadglass.traces.exporter import Exporter, poster_of, rejected_spans
from leadglass.traces.queue import Batch, SpanQueue
from leadglass.traces.settings import TracesSettings
from support.clock import FakeClock
from support.collector import Collector, collector, counted

SPAN = (
    b'{"traceId":"%b","spanId":"%b","flags":257,"name":"x","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[]}'
    % (b"ab" * 16, b"cd" * 8)
)
ONE = Batch(SPAN, 1)


def settings(url: str, **more: Any) -> TracesSettings:  # noqa: ANN401 - settings
    return TracesSettings.model_validate(
        {"otlp": url, **more}, context={"base": Path(), "environ": {"KEY": "Bearer s"}}
    )


@pytest.fixture
async def kept() -> AsyncIterator[Collector]:
    async with collector() as kept:
        yield kept


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRACE_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(module, "_FIRST_BACKOFF", 0.01)


async def until(counts: Any, number: int) -> None:  # noqa: ANN401 - a function
    async with asyncio.timeout(20):
        while counts() < number:  # noqa: ASYNC110 - a counter tells nobody
            await asyncio.sleep(0.005)


async def test_spans_reach_the_collector_with_its_fields_and_who_we_are(kept: Collector) -> None:
    queue = SpanQueue()
    more = {"headers": {"authorization": "env:KEY"}, "resource": {"deployment.environment.name": "test"}}
    exporter = Exporter(settings(kept.url + "/", **more), queue, FakeClock())
    with counted("exported") as exported:
        queue.put(ONE)
        await until(exported, 1)
    await exporter.close()
    assert [span.name for span in kept.spans] == ["x"]
    assert kept.heads[0]["authorization"] == "Bearer s"
    for name in (b"service.name", b"service.version", b"service.instance.id", b"deployment.environment.name"):
        assert b'"%b"' % name in kept.posts[0]


async def test_a_full_batch_does_not_wait(kept: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRACE_WAIT_SECONDS", 3600)
    queue = SpanQueue()
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    with counted("exported") as exported:
        for _ in range(TRACE_BATCH_SPANS):
            queue.put(ONE)
        await until(exported, TRACE_BATCH_SPANS)
    await exporter.close()


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "rejected"), (401, "rejected"), (413, "rejected"), (307, "rejected")]
)
async def test_what_will_never_be_taken_is_counted_and_not_tried_again(
    kept: Collector, status: int, outcome: str
) -> None:
    queue, kept.status = SpanQueue(), status
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    with counted(outcome) as lost, counted("exported") as exported:
        queue.put(ONE)
        await until(lost, 1)
        assert len(kept.heads) == 1
        kept.status = 200
        queue.put(ONE)
        await until(exported, 1)
    await exporter.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_pass_is_tried_again(kept: Collector, status: int) -> None:
    queue, kept.status = SpanQueue(), status
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    with counted("exported") as exported:
        queue.put(ONE)
        await until(lambda: len(kept.heads), 2)
        kept.status = 200
        await until(exported, 1)
    await exporter.close()


async def test_a_batch_is_given_up_after_its_time(kept: Collector) -> None:
    queue, kept.status, clock = SpanQueue(), 503, FakeClock()
    exporter = Exporter(settings(kept.url), queue, clock)
    with counted("failed") as lost:
        queue.put(ONE)
        await until(lambda: len(kept.heads), 1)
        clock.advance(TRACE_RETRY_SECONDS + 1)
        await until(lost, 1)
    await exporter.close()


async def test_spans_that_the_collector_throws_away_are_counted(kept: Collector) -> None:
    queue, kept.answer = SpanQueue(), b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}'
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    with counted("rejected") as rejected, counted("exported") as exported:
        queue.put(Batch(SPAN + b"," + SPAN, 2))
        await until(exported, 1)
        assert (exported(), rejected()) == (1, 1)
    await exporter.close()


async def test_a_close_hands_over_what_is_held(kept: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRACE_WAIT_SECONDS", 3600)
    queue = SpanQueue()
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    await asyncio.sleep(0)
    queue.put(ONE)
    await exporter.close()
    assert len(kept.spans) == 1


async def test_a_close_does_not_wait_for_a_collector_that_hangs(
    kept: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRACE_FLUSH_SECONDS", 0.05)
    queue = SpanQueue()
    kept.hung.clear()
    exporter = Exporter(settings(kept.url), queue, FakeClock())
    with counted("failed") as failed, counted("dropped") as dropped:
        for _ in range(TRACE_BATCH_SPANS):
            queue.put(ONE)
        async with asyncio.timeout(20):
            while exporter._carried is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        queue.put(ONE)
        async with asyncio.timeout(5):
            await exporter.close()
        assert (failed(), dropped()) == (TRACE_BATCH_SPANS, 1)
    queue.put(ONE)
    assert queue.take() is None


async def test_who_takes_its_place_carries_what_is_held(kept: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRACE_WAIT_SECONDS", 3600)
    queue = SpanQueue()
    before = Exporter(settings("http://127.0.0.1:9"), queue, FakeClock())
    queue.put(ONE)
    after = Exporter(settings(kept.url), queue, FakeClock())
    await before.close()
    await after.close()
    assert len(kept.spans) == 1


def test_what_is_no_field_value_or_no_bundle_is_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("two\nlines")
    with pytest.raises(ConfigurationError) as caught:
        poster_of(settings("https://x.example", headers={"authorization": f"file:{tmp_path}/secret"}))
    assert caught.value.where == "telemetry.traces.headers.authorization"
    with pytest.raises(ConfigurationError, match=r"telemetry\.traces\.ca"):
        poster_of(settings("https://x.example").model_copy(update={"ca": tmp_path / "gone.pem"}))


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (b"", 0),
        (b"{}", 0),
        (b"[]", 0),
        (b'{"partialSuccess":{}}', 0),
        (b'{"partialSuccess":{"rejectedSpans":"x"}}', 0),
        (b'{"partialSuccess":{"rejectedSpans":-4}}', 0),
        (b'{"partialSuccess":{"rejectedSpans":"4"}}', 4),
    ],
)
def test_an_answer_is_read_as_far_as_it_can_be(answer: bytes, count: int) -> None:
    assert rejected_spans(answer) == count
