"""The process: SIGHUP reloads and a refused reload ends nothing, SIGTERM and SIGINT drain, and a start that fails closes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from leadglass import process
from leadglass.model.errors import ConfigurationError


class Fake:
    """Stands for a Gateway, and notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.broken = ""

    async def open(self, _file: Path) -> "Fake":
        return self

    async def _note(self, what: str) -> None:
        self.asked.put_nowait(what)
        if what == self.broken:
            raise ConfigurationError("planted")

    async def start(self) -> None:
        await self._note("start")

    async def reload(self) -> None:
        await self._note("reload")

    async def stop(self) -> None:
        await self._note("stop")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(process, "Gateway", made)
    monkeypatch.setattr(process, "_settle_heap", lambda: None)
    return made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals(fake: Fake, number: signal.Signals) -> None:
    async with asyncio.timeout(20):
        running = asyncio.get_running_loop().create_task(process.serve(Path("leadglass.yaml")))
        assert await fake.asked.get() == "start"
        for fake.broken in ("", "reload"):
            os.kill(os.getpid(), signal.SIGHUP)
            assert await fake.asked.get() == "reload"
        os.kill(os.getpid(), number)
        assert await fake.asked.get() == "stop"
        await running


async def test_a_start_that_fails_closes_what_is_open(fake: Fake) -> None:
    fake.broken = "start"
    with pytest.raises(ConfigurationError, match="planted"):
        await process.serve(Path("leadglass.yaml"))
    assert [fake.asked.get_nowait() for _ in range(2)] == ["start", "stop"]
