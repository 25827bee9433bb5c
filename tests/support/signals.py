"""A transmitter of security events with real signatures, whose events tests bend."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadglass.hazmat.jws import SigningKey
from support.clock import FakeClock
from support.device import ISSUER
from support.gateway import OWNER, Answer, Running, running

PATH = "/.leadglass/v1/signals"
TRANSMITTER = "https://signals.example.org/hospital"
AUDIENCE = "https://pacs.example.org/signals"
SECRET = "Bearer of-the-transmitter"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
USER = {"format": "iss_sub", "iss": ISSUER, "sub": OWNER}


def event_uri(name: str) -> str:
    """Return the URI of an event of CAEP or, for those about streams, of SSF."""
    return (SSF if name in {"verification", "stream-updated"} else CAEP) + name


@dataclass
class Transmitter:
    """Signs SETs; a claim of ... is left out."""

    clock: FakeClock
    key: SigningKey = field(default_factory=SigningKey.generate)
    name: str = TRANSMITTER

    def claims(self, event: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - claims
        claims = {
            "iss": self.name, "aud": AUDIENCE, "iat": int(self.clock.now()), "jti": secrets.token_hex(8),
            "sub_id": USER, "events": {event_uri(event): payload}, **more,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not ...}

    def sign(self, event: str, payload: dict[str, Any] | None = None, typ: str = "secevent+jwt", **more: Any) -> str:  # noqa: ANN401 - claims
        return self.key.sign(self.claims(event, payload or {}, **more), typ=typ)

    async def send(self, run: Running, token: str, *fields: str, kind: str = "application/secevent+jwt") -> Answer:
        """Push a SET, with its secret unless `fields` are given."""
        given = fields or (f"Authorization: {SECRET}",)
        head = [f"Content-Type: {kind}", "Accept: application/json", *given]
        return await run.ask(PATH, *head, method="POST", token=None, body=token.encode(), device=False)

    async def tell(self, run: Running, event: str, payload: dict[str, Any] | None = None, **more: Any) -> None:  # noqa: ANN401 - claims
        """Push an event that is taken."""
        answer = await self.send(run, self.sign(event, payload, **more))
        assert (answer.status, answer.body) == (202, b""), answer.body

    def configured(self, issuer: str = ISSUER, more: str = "") -> Callable[[Path], None]:
        """Return the change that makes a site take events about the people of an issuer from this transmitter."""

        def change(folder: Path) -> None:
            (folder / "signals.json").write_text(json.dumps({"keys": [self.key.public_jwk()]}))
            (folder / "signals.secret").write_text(SECRET)
            file = folder / "leadglass.yaml"
            events = (
                f"      events: [{{transmitter: '{self.name}', audience: '{AUDIENCE}', jwks: signals.json, "
                f"authorization: 'file:signals.secret'{more}}}]\n"
            )
            line = f"    - issuer: {issuer}\n"
            assert line in file.read_text()
            file.write_text(file.read_text().replace(line, line + events, 1))

        return change


@asynccontextmanager
async def receiving(
    folder: Path,
    more: str = "",
    *,
    clock: FakeClock | None = None,
    transmitter: Transmitter | None = None,
    **given: Any,  # noqa: ANN401 - of running
) -> AsyncIterator[tuple[Running, Transmitter]]:
    """Open a gateway that takes events about the people of its issuer; `more` are further settings of its transmitter."""
    clock = clock or FakeClock()
    transmitter = transmitter or Transmitter(clock)
    async with running(folder, clock=clock, change=transmitter.configured(more=more), **given) as run:
        yield run, transmitter
