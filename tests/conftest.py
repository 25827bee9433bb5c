"""Fixtures that every folder of tests may ask for, and what holds of every system test."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest_plugins = ("support.orthanc", "support.keycloak", "support.release")

_SECONDS = 120.0  # as `timeout` of pyproject.toml
_EARLIER = 5.0  # than pytest-timeout, whose exception a running loop may swallow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End a system test in its own loop when its time is over, and run one that failed once more.

    Real programs stand behind it, on whatever machine: the summary names each that was run again (RERUN).
    """
    for item in items:
        if not isinstance(item, pytest.Function) or item.get_closest_marker("system") is None:
            continue
        item.add_marker(pytest.mark.flaky(reruns=1))
        if inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            seconds = float(marker.args[0]) if marker is not None else _SECONDS
            item.obj = _bounded(item.obj, seconds - _EARLIER)


def _bounded(test: Callable[..., Awaitable[Any]], seconds: float) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(test)
    async def bounded(*args: object, **values: object) -> object:
        async with asyncio.timeout(seconds):
            return await test(*args, **values)

    return bounded
