"""Decisions on the shipped policy, in process: one study without a lease, and a page of 100 rows.

Run as a program of its own (`python -m bench.decisions ROUNDS`); prints latencies in microseconds as JSON.
"""

import gc
import json
import sys
import time
from dataclasses import replace

import uvloop

from leadglass.clock import SystemClock
from leadglass.epochs import Epochs
from leadglass.model.facts import Action, Context, Device, Resource, Study, Subject
from leadglass.model.question import Question
from leadglass.policy import reload
from leadglass.policy.decide import Policy
from leadglass.policy.settings import PolicySettings

_CHECKS = ("disk_encryption", "firewall", "malware_scan", "os_patch", "clock_sync", "forbidden_software")


def _study(number: int) -> Study:
    return Study(
        f"1.2.840.99999.{number}", patient_id=f"BENCH-{number}", issuer_of_patient_id="BENCH", modalities=("CT", "SR"),
        body_parts=("CHEST",), institutions=("Bench Hospital",), date="20260302", description="CT bench",
        referring_physician="Bench^Referrer", conditions=("J18.9",),
        care_team=({"issuer": "https://idp.bench.invalid", "id": "reader-0"},),
        series={f"1.2.840.99999.{number}.1": "CT"},
    )  # fmt: skip


def _question(clock: SystemClock) -> Question:
    subject = Subject(
        "person", "reader-0", "https://idp.bench.invalid", bytes(32), clock.now() + 3600, roles=("radiologist",),
        mfa=True, acr="mfa", auth_time=int(clock.now()),
    )  # fmt: skip
    device = Device(
        "device-1", "bench", "reader-0", "https://idp.bench.invalid", "mtls", "software", clock.now() + 1800,
        clock.monotonic(),
        {name: {"status": "pass", "value": None, "reason": ""} for name in _CHECKS},
    )  # fmt: skip
    study = _study(0)
    resource = Resource("instance", study.study_uid, f"{study.study_uid}.1", f"{study.study_uid}.1.1")
    context = Context("http", "127.0.0.1", 10, 2, ("loopback",))
    return Question(subject, Action("retrieve", "wado-rs.instance"), resource, (study,), device, context, 3.0)


_ID = "01K9DEC1S10N00000000000000"


async def _measure(policy: Policy, question: Question, rounds: int) -> list[float]:
    for _ in range(20):
        decision = await policy.decide(question, _ID)
        assert decision.allow, decision.causes
        assert not decision.rows
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        await policy.decide(question, _ID)
        taken.append(round((time.perf_counter() - start) * 1e6, 1))
    return taken


async def main(rounds: int) -> None:
    clock = SystemClock()
    policy = Policy(reload.prepare(PolicySettings()), clock, Epochs())
    gc.collect()
    gc.freeze()
    one = _question(clock)
    page = replace(
        one,
        action=Action("search", "qido-rs.studies"),
        resource=Resource("study", query={"00100020": ("BENCH*",)}),
        studies=tuple(_study(number) for number in range(100)),
    )
    said = {"one": await _measure(policy, one, rounds), "page": await _measure(policy, page, max(100, rounds // 10))}
    sys.stdout.write(json.dumps(said))
    await policy.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
