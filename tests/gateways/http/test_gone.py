"""A cancellation by the connection becomes ClientGone."""

import asyncio

from leadglass.gateways.http.gone import gone
from leadglass.model.errors import ClientGone


async def test_the_cancellation_is_taken_back() -> None:
    told: list[ClientGone] = []

    async def waits() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(gone("left"))
        await asyncio.sleep(0)  # would be cancelled again if the request stood
        return "went on"

    task = asyncio.get_running_loop().create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"
    assert task.cancelling() == 0
    assert str(told[0]) == "left"
