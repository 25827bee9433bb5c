import asyncio
from collections.abc import Awaitable

import pytest

from leadglass.limits import UPSTREAM_PER_SUBJECT
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.upstream import pool as module
from leadglass.upstream.pool import Pool, Slot
from support.clock import FakeClock


def make(size: int = 24) -> Pool:
    return Pool("127.0.0.1", 1, None, size=size, clock=FakeClock())


def take_all(pool: Pool, traffic: module.Traffic) -> list[Slot]:
    slots: list[Slot] = []
    while (slot := pool.take(f"s{len(slots) // 2}", traffic)) is not None:
        slots.append(slot)
    return slots


def waiting(pool: Pool, subject: str, traffic: module.Traffic) -> "asyncio.Task[Slot]":
    wait: Awaitable[Slot] = pool.wait(subject, traffic)
    return asyncio.get_running_loop().create_task(wait)  # type: ignore[arg-type]  # a coroutine it is


@pytest.mark.parametrize(("traffic", "count"), [("bulk", 16), ("interactive", 20), ("facts", 20)])
def test_shares(traffic: module.Traffic, count: int) -> None:
    assert len(take_all(make(), traffic)) == count


def test_bulk_leaves_room() -> None:
    pool = make()
    assert len(take_all(pool, "bulk")) == 16
    assert len(take_all(pool, "interactive")) == 4
    assert len(take_all(pool, "facts")) == 4
    assert pool.running == 24


@pytest.mark.parametrize("size", [4, 5, 6, 24, 1000])
def test_every_kind_has_a_place(size: int) -> None:
    pool = make(size)
    assert take_all(pool, "bulk")
    assert take_all(pool, "interactive")
    assert take_all(pool, "facts")
    assert pool.running == size


def test_per_subject() -> None:
    pool = make()
    slots = [pool.take("one", "interactive") for _ in range(UPSTREAM_PER_SUBJECT)]
    assert None not in slots
    assert pool.take("one", "interactive") is None
    assert pool.take("two", "interactive") is not None
    assert slots[0] is not None
    slots[0].release()
    slots[0].release()
    assert pool.take("one", "interactive") is not None
    assert pool.take("one", "interactive") is None


async def test_turns_go_round_the_subjects() -> None:
    pool = make(4)
    held = take_all(pool, "interactive")
    order: list[str] = []

    async def wait(subject: str) -> None:
        slot = await pool.wait(subject, "interactive")
        order.append(subject)
        slot.release()

    tasks = [asyncio.get_running_loop().create_task(wait(subject)) for subject in ("a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    assert pool.waiting == 5
    for slot in held[1:]:
        slot.release()
    held[0].release()
    await asyncio.gather(*tasks)
    assert order.index("b") < 3
    assert order.index("c") < 4
    assert (pool.running, pool.waiting) == (0, 0)


async def test_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UPSTREAM_QUEUE_SECONDS", 0.01)
    monkeypatch.setattr(module, "UPSTREAM_QUEUE", 1)
    pool = make(4)
    take_all(pool, "interactive")
    first = waiting(pool, "a", "interactive")
    await asyncio.sleep(0)
    for wait in (pool.wait("b", "interactive"), first):
        with pytest.raises(Refusal) as caught:
            await wait
        assert caught.value.causes[0].reason.code == Code.UPSTREAM_BUSY
        assert caught.value.headers["Retry-After"]
    assert pool.waiting == 0


async def test_giving_up_leaks_no_place() -> None:
    pool = make(4)
    held = take_all(pool, "interactive")
    gone, stays = waiting(pool, "a", "interactive"), waiting(pool, "b", "interactive")
    await asyncio.sleep(0)
    held[0].release()  # the place is on its way to a ...
    gone.cancel()  # ... who no longer wants it
    slot = await asyncio.wait_for(stays, 1)
    with pytest.raises(asyncio.CancelledError):
        await gone
    slot.release()
    for other in held[1:]:
        other.release()
    assert (pool.running, pool.waiting) == (0, 0)


async def test_a_waiting_subject_at_its_bound_holds_up_nobody() -> None:
    pool = make()
    held = [pool.take("a", "interactive") for _ in range(UPSTREAM_PER_SUBJECT)]
    blocked = waiting(pool, "a", "interactive")
    await asyncio.sleep(0)
    slot = await asyncio.wait_for(pool.wait("b", "interactive"), 1)
    assert not blocked.done()
    slot.release()
    assert held[0] is not None
    held[0].release()
    (await asyncio.wait_for(blocked, 1)).release()
