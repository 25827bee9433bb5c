"""Fixtures of the device side."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.device import Site, device_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with device_site(tmp_path) as site:
        yield site
