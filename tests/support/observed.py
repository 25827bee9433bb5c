"""A record that is written while the gateway observes."""

from pathlib import Path
from typing import Any

from leadglass.audit.service import Audit
from leadglass.model.decision import Decision, RowDenial
from leadglass.model.errors import Cause, refuse
from leadglass.model.facts import ANONYMOUS, Subject
from leadglass.model.reasons import REASONS, Code
from leadglass.model.request import Incoming, Peer, RawHead
from leadglass.policy.observed import let_through, unjudged
from support import record
from support.clock import FakeClock

UNTIL = 1_800_100_000.0
ROWS = (RowDenial(0, Cause(REASONS[Code.STUDY_NOT_VISIBLE])),)


class ObservedSite:
    """A record that is written while observing, one request after the other."""

    def __init__(self, folder: Path, **more: Any) -> None:  # noqa: ANN401 - settings of the record
        self.clock, self.folder = FakeClock(), folder
        self.audit: Audit = record.audit(folder, self.clock, **more)
        self.audit.observes = lambda: UNTIL

    @property
    def file(self) -> Path:
        return self.folder / "decisions.jsonl"

    async def ask(
        self, *codes: Code, who: str | None = "dr.a", viewer: str = "OHIF", rows: bool = False,
        times: int = 1, leased_from: str | None = None, revision: str = "r1", enforcing: bool = False,
    ) -> str:  # fmt: skip
        """Let one request be judged `times` times, with these reasons against it."""
        self.clock.advance(60)
        self.audit.observes = (lambda: None) if enforcing else (lambda: UNTIL)
        head = RawHead("GET", b"/dicom-web/studies", ((b"user-agent", viewer.encode()),) if viewer else ())
        scope = self.audit.scope(Incoming("http", head, Peer("192.0.2.7", 40_000, tls=True)))
        asked = record.question(subject=self._subject(who))
        async with scope:
            for _ in range(times):
                true = record.allow(scope.decision_id, asked=asked, leased_from=leased_from)
                if rows:
                    true = true._replace(rows=ROWS)
                if codes:
                    causes = tuple(Cause(REASONS[code], {"count": "2"}) for code in codes)
                    true = Decision(
                        scope.decision_id, allow=False, valid_until=0, revision=revision, engine="w", causes=causes
                    )
                if who is None:
                    refusal = refuse(Code.USER_UNAUTHENTICATED)
                    true = unjudged(scope.decision_id, refusal, revision, UNTIL)
                passed = true._replace(revision=revision)
                await scope.decided(asked, passed if enforcing or who is None else let_through(passed, UNTIL))
            scope.finished(200, 10)
        return scope.decision_id

    @staticmethod
    def _subject(who: str | None) -> Subject:
        return record.subject(who) if who else Subject("person", "x", ANONYMOUS, b"", UNTIL)
