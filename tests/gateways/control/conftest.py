"""Fixtures of the control side."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.control import Control, control_site


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    async with control_site(tmp_path) as control:
        yield control
