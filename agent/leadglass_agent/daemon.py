"""`leadglass-agent run`: runs the checks, each in its own time, and tells the gateway; at once when one changes."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from leadglass_agent.checks.base import Check, Result, Surroundings, unknown
from leadglass_agent.gateway import Refused, Unreachable
from leadglass_agent.member import Member, Revoked
from leadglass_agent.state import PROBLEM, STATUS, Folder
from leadglass_agent.statement import boot, statement

_log = logging.getLogger("leadglass_agent")
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
_SHORTEST = 0.05  # seconds of rest, whatever is due


class Checks:
    """The latest answer of every check, and which checks are due."""

    def __init__(self, checks: tuple[Check, ...], surroundings: Surroundings, monotonic: Callable[[], float]) -> None:
        self._checks, self._surroundings, self._monotonic = checks, surroundings, monotonic
        self._due = {check.id: 0.0 for check in checks}
        self.results: dict[str, Result] = {}

    @property
    def next(self) -> float:
        """Seconds until the next check is due."""
        return max(0.0, min(self._due.values(), default=60.0) - self._monotonic())

    async def run_due(self) -> bool:
        """Run the checks that are due, side by side and off the loop, and return whether any answer changed."""
        due = [check for check in self._checks if self._due[check.id] <= self._monotonic()]
        results = await asyncio.gather(*(asyncio.to_thread(self._run, check) for check in due))
        changed = False
        for check, result in zip(due, results, strict=True):
            self._due[check.id] = self._monotonic() + check.interval
            changed |= self.results.get(check.id) != result
            self.results[check.id] = result
        return changed

    def _run(self, check: Check) -> Result:
        try:
            return check.run(self._surroundings)
        except Exception as error:  # noqa: BLE001 - logged whole; see below
            # A fault of ours in one check: the others still speak, and policy denies what it cannot know.
            _log.exception("the check %s failed", check.id)
            return unknown(f"the check itself failed ({type(error).__name__})")


class Reporter:
    """Sends statements: what is sent was signed after the gateway's last nonce, with a number never used before."""

    def __init__(self, member: Member, folder: Folder, now: Callable[[], float], root: Path = Path("/")) -> None:
        self._member, self._folder, self._now, self._root = member, folder, now, root

    async def report(self, results: dict[str, Result]) -> None:
        """Send one statement. Raises Revoked, Refused, Unreachable."""
        member = self._member
        for attempt in range(3):
            seq = member.state.seq + 1
            # Kept before it is sent: a number that was signed is spent, whatever becomes of it.
            member.state = self._folder.advance(member.state, seq)
            signed = statement(
                member.key,
                member.state,
                results,
                nonce=await member.nonce(),
                seq=seq,
                now=self._now(),
                booted=boot(self._root),
            )
            try:
                reply = await member.gateway.call("POST", "posture", {"statement": signed})
            except Refused as refusal:
                member.keep_nonce(refusal.extra)
                if attempt == 2 or not await self._mend(refusal):  # noqa: PLR2004 - the third try is the last
                    raise
                continue
            member.keep_nonce(reply)
            self._keep_status(results, str(reply.get("received", "")))
            return

    async def _mend(self, refusal: Refused) -> bool:
        """Do what the refusal tells an agent to do, and return whether to try again."""
        if refusal.error == "revoked":
            raise Revoked(str(refusal))
        if refusal.error == "sequence":
            last = refusal.extra.get("last_seq")
            if isinstance(last, int):
                self._member.state = self._folder.advance(self._member.state, max(self._member.state.seq, last))
            return isinstance(last, int)
        if refusal.error == "nonce":
            return True
        if refusal.certificate:
            await self._member.renew(self._member.generation)
            return True
        return False

    def _keep_status(self, results: dict[str, Result], received: str) -> None:
        document = {
            "received": received,
            "certificate_ends": self._member.certificate_ends,
            "checks": {name: result.document() for name, result in results.items()},
        }
        self._folder.keep(STATUS, document)
        self._folder.keep(PROBLEM, None)

    def keep_problem(self, error: Exception) -> None:
        """Keep why nothing is reported, for `leadglass-agent status`."""
        with contextlib.suppress(OSError):  # a full disk may be the problem
            self._folder.keep(
                PROBLEM, {"at": self._now(), "problem": str(error), "revoked": isinstance(error, Revoked)}
            )


async def run(
    checks: Checks, reporter: Reporter, member: Member, *, every: float, monotonic: Callable[[], float]
) -> NoReturn:
    """Report until cancelled. Raises Revoked, Busy; whatever else goes wrong is logged and tried again."""
    failures, sent = 0, -every
    while True:
        changed = await checks.run_due()
        wait = min(checks.next, max(0.0, sent + every - monotonic()))
        if changed or monotonic() - sent >= every or failures:
            try:
                await member.renew_if_due()
                await reporter.report(checks.results)
                if failures:
                    _log.info("reported again")
                sent, failures = monotonic(), 0
                wait = min(checks.next, every)
            except Revoked as error:
                reporter.keep_problem(error)
                raise
            except (Refused, Unreachable, OSError, ValueError) as error:
                wait = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                reporter.keep_problem(error)
                _log.warning("not reported: %s (again in %.0f s)", error, wait)
        await asyncio.sleep(max(_SHORTEST, wait))
