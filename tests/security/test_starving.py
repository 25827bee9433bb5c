"""One person who asks about very many studies leaves places for everybody else."""

import asyncio

import pytest

from leadglass.limits import UPSTREAM_QUEUE
from leadglass.model.errors import Refusal
from leadglass.upstream.pool import Pool
from support.clock import FakeClock


async def test_facts_do_not_take_every_place() -> None:
    pool = Pool("127.0.0.1", 1, None, size=24, clock=FakeClock())
    taken = 0
    while pool.take("", "facts") is not None:
        taken += 1
    assert taken == 20
    assert pool.take("another", "interactive") is not None
    assert pool.take("another", "bulk") is not None


async def test_facts_do_not_fill_the_queue() -> None:
    pool = Pool("127.0.0.1", 1, None, size=24, clock=FakeClock())
    while pool.take("", "facts") is not None:
        pass
    waiting = [asyncio.ensure_future(pool.wait("", "facts")) for _ in range(UPSTREAM_QUEUE // 2)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as caught:
        await pool.wait("", "facts")
    assert caught.value.causes[0].reason.code == "upstream-busy"
    slot = await pool.wait("another", "interactive")
    slot.release()
    for waiter in waiting:
        waiter.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert pool.waiting == 0
