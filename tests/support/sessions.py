"""Sessions for tests: a place with a store, a clock and an issuer that answers as it is told."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from leadglass.epochs import Epochs
from leadglass.hazmat.aead import Box
from leadglass.model.facts import Subject
from leadglass.model.login import SignedIn
from leadglass.model.signals import Whom
from leadglass.sessions.sessions import Sessions
from leadglass.sessions.settings import SessionSettings
from leadglass.store import Store
from leadglass.tasks import Tasks
from support.clock import FakeClock
from support.device import Events

ISSUER = "https://idp.example.org"


@dataclass
class Place:
    file: Path
    store: Store
    box: Box
    clock: FakeClock
    epochs: Epochs
    events: Events
    tasks: Tasks
    answer: SignedIn | Exception | None = None
    asked: int = 0

    def signed_in(self, name: str = "dr.demo", sid: str = "s1", refresh: str | None = "r1", **more: object) -> SignedIn:
        subject = Subject("person", name, ISSUER, b"", self.clock.now() + 300, ("radiologist",), mfa=True)
        subject = replace(subject, **{"sub": f"sub-{name}", "sid": sid, **more})  # type: ignore[arg-type]  # fields of Subject
        return SignedIn(subject, self.clock.now() + 300, refresh)

    async def renew(self, _: SignedIn) -> SignedIn:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or self.signed_in(refresh=f"r{self.asked + 1}")

    async def open(self) -> Sessions:
        sessions = await Sessions.open(
            self.store, self.box, self.events,
            clock=self.clock, epochs=self.epochs, tasks=self.tasks, renew=self.renew,
        )  # fmt: skip
        sessions.configure(SessionSettings(), {ISSUER})
        return sessions

    def epoch(self, sessions: Sessions, cookie: str) -> int:
        return self.epochs.snapshot([f"session:{sessions.known(cookie)}"])[0][1]


def named(kind: Literal["sub", "sid"], value: str, issuer: str = ISSUER) -> Whom:
    return Whom(issuer, (frozenset({(kind, value)}),))
