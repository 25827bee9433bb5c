"""The policy set for tests (tests/vectors/policy), and questions to ask it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from leadglass.epochs import Epochs
from leadglass.model.facts import Action, ActionName, Context, Device, Resource, Study, Subject
from leadglass.model.question import Question
from leadglass.policy import build, sources, tables
from leadglass.policy.decide import Active, Policy
from leadglass.policy.wasm import Program, WasmEngine
from support.clock import FakeClock

FIXTURE = Path(__file__).parents[1] / "vectors" / "policy"
ID = "01K9DEC1S10N00000000000000"


@cache
def files() -> sources.PolicySet:
    return sources.read(None, FIXTURE)


@cache
def program() -> Program:
    return build.load(files())


def engine(**changed: object) -> WasmEngine:
    """Return a fresh engine; `changed` replaces fields of the table `roles`."""
    roles = {**files().tables["roles"], **changed}  # type: ignore[dict-item]  # a mapping, by its schema
    return WasmEngine(program(), tables.data({"roles": roles}))


def policy(clock: FakeClock, epochs: Epochs | None = None, **changed: object) -> Policy:
    return Policy(Active(files(), engine(**changed)), clock, epochs or Epochs())


def subject(clock: FakeClock, **changed: Any) -> Subject:  # noqa: ANN401 - fields of Subject
    known = Subject(
        type="person",
        id="reader-1",
        issuer="https://idp.example",
        token_hash=bytes(32),
        expires=clock.now() + 3600,
        roles=("reader",),
        mfa=True,
    )
    return replace(known, **changed)


def device(clock: FakeClock, **changed: Any) -> Device:  # noqa: ANN401 - fields of Device
    known = Device(
        id="device-1",
        name="Workstation 1",
        owner="reader-1",
        owner_issuer="https://idp.example",
        binding="mtls",
        key_protection="software",
        expires=clock.now() + 1800,
        received=clock.monotonic(),
        checks={"firewall": {"status": "pass"}},
    )
    return replace(known, **changed)


def question(
    clock: FakeClock,
    *,
    action: ActionName = "retrieve",
    studies: Sequence[Study] | None = None,
    purpose: str | None = None,
    claims: Mapping[str, object] | None = None,
    instance: str = "1.2.3.4.5",
    **changed: Any,  # noqa: ANN401 - fields of Question
) -> Question:
    known = Question(
        subject=subject(clock, claims=claims or {}),
        action=Action(action, "wado-rs.instance"),
        resource=Resource("instance", study_uid="1.2.3", series_uid="1.2.3.4", instance_uid=instance),
        studies=(Study("1.2.3", modalities=("CT",)),) if studies is None else tuple(studies),
        device=None,
        context=Context(door="http", client_ip="192.0.2.1", hour=9, weekday=1, purpose=purpose),
    )
    return replace(known, **changed)


def verbatim(clock: FakeClock, document: object, **changed: Any) -> Question:  # noqa: ANN401 - fields of Question
    """Return a question to which the rules of the fixture answer `document`, whatever it is."""
    return question(clock, purpose="verbatim", claims={"document": document}, **changed)


DENIED: dict[str, Any] = {
    "allow": False,
    "grants": [],
    "reasons": [{"code": "not-granted", "params": {}}],
    "rows": [],
    "visibility": {},
    "obligations": [],
    "lease": None,
    "until_at": None,
    "until_in": None,
    "step_up": None,
}
ALLOWED: dict[str, Any] = {**DENIED, "allow": True, "grants": ["role:reader"], "reasons": []}


def copy(folder: Path) -> Path:
    """Copy the fixture, to be changed, into `folder` and return the copy."""
    return shutil.copytree(FIXTURE, folder / "policies")
