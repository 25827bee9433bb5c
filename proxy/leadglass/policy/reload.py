"""Putting a policy set in force: read, matched with its compiled form, tested, and only then swapped in.

At the start a set that fails keeps the gateway from starting; at a reload it leaves the old set in force and says so in
the log and in the record. The work is done off the event loop, so that requests go on meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from leadglass.model.errors import ConfigurationError
from leadglass.policy import build, cases, sources, tables
from leadglass.policy.decide import Active, Policy
from leadglass.policy.engine import Engine
from leadglass.policy.settings import PolicySettings
from leadglass.policy.wasm import WasmEngine

_log = logging.getLogger("leadglass.policy")
_SHOWN = 3  # failed cases named in one error

OnEvent: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Told the kind (`policy-loaded`, `policy-refused`) and the fields of an event for the record."""


def prepare(settings: PolicySettings) -> Active:
    """Read, gate and test the policy set of these settings. Raises ConfigurationError."""
    files = sources.read(settings.path)
    for name in ("schemas/input.json", "schemas/decision.json"):
        if name not in files.schemas:
            raise ConfigurationError(f"holds no {name}", where=str(files.builds[-1].parent))
    program = build.load(files)
    failures = cases.run(cases.read(files), cases.on_wasm(program))
    if failures:
        shown = "; ".join(map(str, failures[:_SHOWN]))
        raise ConfigurationError(
            f"{len(failures)} policy cases fail: {shown}", hint="`leadglass policy test` shows all of them"
        )
    embedded: Engine = WasmEngine(program, tables.data(files.tables))
    if settings.opa is None:
        return Active(files, embedded)
    from leadglass.policy.opa import OpaEngine  # its client is large, and most gateways run without it

    return Active(files, OpaEngine(settings.opa.socket, files.revision), embedded)


class Reloader:
    """Keeps the policy in step with its folder, when told to."""

    def __init__(self, settings: PolicySettings, policy: Policy, on_event: OnEvent) -> None:
        self._settings, self._policy, self._on_event = settings, policy, on_event
        self._lock = asyncio.Lock()

    async def prepare(self, settings: PolicySettings | None = None) -> Active:
        """Read, gate and test off the event loop, without putting anything in force. Raises ConfigurationError."""
        return await asyncio.to_thread(prepare, settings or self._settings)

    async def reload(self, settings: PolicySettings | None = None) -> str:
        """Put the set that stands in the folder now in force and return its revision.

        Raises ConfigurationError, said loudly, with the old set still in force.
        """
        async with self._lock:
            try:
                active = await self.prepare(settings)
            except ConfigurationError as error:
                _log.error("the new policy is refused, the old one stays in force: %s", error)
                self._on_event("policy-refused", {"revision": self._policy.revision, "problem": str(error)})
                raise
            was = await self.put(active, settings)
            _log.info("policy %s is in force", active.files.revision)
            self._on_event("policy-loaded", {"revision": active.files.revision, "was": was})
            return active.files.revision

    async def put(self, active: Active, settings: PolicySettings | None = None) -> str:
        """Put a prepared set in force and return the revision of the one that was."""
        self._settings = settings or self._settings
        was = self._policy.swap(active)
        await was.close()
        return was.files.revision
