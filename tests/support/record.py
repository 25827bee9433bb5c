"""A record to test with: questions, decisions and an open Audit in a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from leadglass.audit.chain import segments
from leadglass.audit.service import Audit
from leadglass.audit.settings import AuditSettings
from leadglass.clock import Clock, rfc3339
from leadglass.model.decision import Decision
from leadglass.model.errors import Cause
from leadglass.model.facts import Action, Context, Device, Resource, Study, Subject
from leadglass.model.question import Question
from leadglass.model.reasons import REASONS, Code
from leadglass.model.request import Incoming, Peer, RawHead
from support.clock import FakeClock

STUDY = "1.2.826.0.1.3680043.8.498.12775212385163872311"
SERIES = "1.2.826.0.1.3680043.8.498.35461294578412563254125"
INSTANCE = "1.2.826.0.1.3680043.8.498.91265478523145236987451"


def incoming(target: bytes = b"/dicom-web/studies?access_token=secret", ip: str = "192.0.2.7") -> Incoming:
    return Incoming("http", RawHead("GET", target, ()), Peer(ip, 40_000, tls=True))


def subject(name: str = "dr.demo") -> Subject:
    return Subject("person", name, "https://idp.example.org", b"t" * 32, 1_800_003_600.0, ("radiologist",), mfa=True)


def device() -> Device:
    checks = {"firewall": {"status": "pass"}, "os_patch": {"status": "fail"}, "vpn": {"status": "pass"}}
    return Device(
        "dev-1", "workstation", "dr.demo", "https://idp.example.org", "mtls", "software", 1_800_003_600.0, 990.0, checks
    )


def question(**changes: Any) -> Question:  # noqa: ANN401 - fields of Question
    made = Question(
        subject(),
        Action("retrieve", "wado-rs.frames"),
        Resource("frames", STUDY, SERIES, INSTANCE, (1,)),
        (Study(STUDY, patient_id="P001", issuer_of_patient_id="HOSPITAL"),),
        device(),
        Context("http", "192.0.2.7", 10, 1, country="DE"),
        10.0,
    )
    return replace(made, **changes)


def allow(name: str, *, asked: Question | None = None, leased_from: str | None = None, lease: float = 5.0) -> Decision:
    return Decision(
        name,
        allow=True,
        valid_until=1_800_000_005.0,
        revision="r1",
        engine="wasm",
        grants=("treating-role",),
        lease_seconds=lease,
        leased_from=leased_from,
        input=b"" if leased_from or asked is None else asked.input(),
    )


def deny(name: str, code: Code = Code.NOT_GRANTED) -> Decision:
    return Decision(name, allow=False, valid_until=0.0, revision="r1", engine="wasm", causes=(Cause(REASONS[code]),))


def settings(folder: Path, **more: Any) -> AuditSettings:  # noqa: ANN401 - settings as YAML gives them
    return AuditSettings.model_validate_json(orjson.dumps({"file": str(folder / "decisions.jsonl"), **more}))


def audit(folder: Path, clock: Clock | None = None, heads: list[bytes] | None = None, **more: Any) -> Audit:  # noqa: ANN401 - settings
    sink: list[bytes] = heads if heads is not None else []
    return Audit.open(settings(folder, **more), clock=clock or FakeClock(), publish=sink.append)


def read(folder: Path) -> list[dict[str, Any]]:
    """Return every line of the record, oldest file first."""
    lines = [line for path in segments(folder / "decisions.jsonl") for line in path.read_bytes().splitlines()]
    return [orjson.loads(line) for line in lines]


def of_type(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in read(folder) if line["type"] == kind]


def glass_line(clock: FakeClock, kind: str = "glass-broken", **fields: object) -> bytes:
    """Return the line of somebody having broken the glass, or of another event of that sort."""
    known = {"decision_id": "01J", "subject": "dr.a", "issuer": "https://idp", "reason": "Mrs Demo fell",
             "studies": [STUDY], "count": 1, "client_ip": "192.0.2.1", **fields}  # fmt: skip
    return orjson.dumps({"seq": 1, "type": "event", "kind": kind, "timestamp": rfc3339(clock.now()), "fields": known})
