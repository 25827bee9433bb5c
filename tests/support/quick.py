"""Policy sets made ready without their 170 cases, for gateways of tests that are not about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from leadglass.policy import build, reload, sources, tables
from leadglass.policy.decide import Active
from leadglass.policy.settings import PolicySettings
from leadglass.policy.wasm import Program, WasmEngine


@cache
def _program() -> Program:
    return build.load(sources.read(None))


def quick_prepare(settings: PolicySettings) -> Active:
    """As the gateway does for tables over the shipped rules, less its 170 cases, which tests/policies runs."""
    files = sources.read(settings.path)
    return Active(files, WasmEngine(_program(), tables.data(files.tables)))


class _Quickly:
    """Puts `quick_prepare` in place for as long as anybody wants it: gateways of several fixtures end in any order."""

    def __init__(self) -> None:
        self._wanted, self._real = 0, reload.prepare

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._wanted += 1
        reload.prepare = quick_prepare
        try:
            yield
        finally:
            self._wanted -= 1
            if not self._wanted:
                reload.prepare = self._real


quickly = _Quickly()
