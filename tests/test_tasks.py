"""Background tasks: held, named, loud when they fail, and over with their owner."""

import asyncio
import gc
import logging

import pytest

from leadglass.tasks import Tasks


async def test_a_task_is_held_until_it_ends() -> None:
    tasks, done = Tasks(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        done.set()

    tasks.spawn(work(), name="work")
    gc.collect()
    await asyncio.wait_for(done.wait(), 1)
    await tasks.close()


async def test_its_result_is_to_be_had() -> None:
    tasks = Tasks()

    async def work() -> int:
        return 5

    assert await tasks.spawn(work(), name="work") == 5
    await tasks.close()


async def test_a_failure_is_logged_with_the_name(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def work() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        task = tasks.spawn(work(), name="the work")
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert "task the work failed: ZeroDivisionError" in caplog.text


async def test_closing_cancels_and_waits(caplog: pytest.LogCaptureFixture) -> None:
    tasks, ended = Tasks(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(1)

    for _ in range(3):
        tasks.spawn(work(), name="work")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == [1, 1, 1]
    assert caplog.text == ""


async def test_nothing_starts_once_the_owner_is_closed() -> None:
    tasks = Tasks()
    await tasks.close()

    async def work() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="its owner is closed"):
        tasks.spawn(work(), name="work")
