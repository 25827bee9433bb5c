"""Reading: what may be seen, from where it is answered, and that what may not be seen cannot be told from nothing."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from support.facts import series_row, study_row
from support.gateway import CT, MR, Answer, Running, running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
ONE = CT.instances[0]
INSTANCE = f"/dicom-web/studies/{ONE.study}/series/{ONE.series}/instances/{ONE.sop}"
DICOM = 'Accept: multipart/related; type="application/dicom"'
JSON = "Content-Type: application/dicom+json"


def without_id(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """What an onlooker can compare of two refusals: everything but the decision id."""
    fields = {k: v for k, v in answer.headers.items() if k != "leadglass-decision-id"}
    return answer.status, fields, answer.body.replace(answer.decision_id.encode(), b"ID")


# --- hidden is absent ----------------------------------------------------------------------------------------------------
PATHS = [
    "/dicom-web/studies/{study}/metadata",
    "/dicom-web/studies/{study}",
    "/dicom-web/studies/{study}/rendered",
    "/dicom-web/studies/{study}/series/{study}.1/metadata",
    "/dicom-web/studies/{study}/series/{study}.1/instances/{study}.1.1",
    "/dicom-web/studies/{study}/series/{study}.1/instances/{study}.1.1/frames/1",
    "/dicom-web/studies/{study}/series/{study}.1/instances/{study}.1.1/bulk/7FE00010",
    "/dicom-web/studies/{study}/series",
    "/dicom-web/studies/{study}/instances",
    "/dicom-web/studies/{study}/series/{study}.1/instances",
    "/wado?requestType=WADO&studyUID={study}&seriesUID={study}.1&objectUID={study}.1.1&contentType=application/dicom",
]
ABSENT = MR.uid[:-1] + "9"  # as long as the one that is there


@pytest.mark.parametrize("path", PATHS)
async def test_a_hidden_study_and_an_absent_one_are_answered_alike(run: Running, path: str) -> None:
    assert len(ABSENT) == len(MR.uid)
    for _ in range(2):  # first time, and from what is held
        seen = []
        for study in (MR.uid, ABSENT):
            run.archive.clear()
            answer = await run.ask(path.format(study=study))
            seen.append((*without_id(answer), sorted(re.sub(study, "STUDY", asked) for asked in run.archive.asked)))
        assert seen[0] == seen[1]
        assert seen[0][0] == 404 or json.loads(seen[0][2]) == []


async def test_the_record_knows_what_the_person_is_not_told(run: Running) -> None:
    hidden = await run.ask(f"/dicom-web/studies/{MR.uid}/metadata")
    absent = await run.ask(f"/dicom-web/studies/{ABSENT}/metadata")
    codes = [run.about(answer)[0]["decision"]["rows"][0]["code"] for answer in (hidden, absent)]
    assert codes == ["oncologist-only", "study-unknown"]
    assert run.about(hidden)[0]["patient"] == {"id": "P002", "issuer": "DEMO"}


async def test_an_oncologist_sees_what_a_radiologist_does_not(run: Running) -> None:
    path = f"/dicom-web/studies/{MR.uid}/metadata"
    assert (await run.ask(path)).status == 404
    assert (await run.ask(path, token=run.token("radiologist", "oncologist"))).status == 200
    assert (await run.ask(path)).status == 404


# --- the hierarchy is ours to check ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        f"/dicom-web/studies/{CT.uid}/series/{MR.series}/metadata",
        f"/dicom-web/studies/{CT.uid}/series/{MR.series}/instances/{MR.instances[0].sop}",
        f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{MR.instances[0].sop}",
        f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{MR.instances[0].sop}/frames/1",
        f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{CT.series}.999",
        f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID={MR.instances[0].sop}",
        f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={MR.series}&objectUID={MR.instances[0].sop}",
    ],
)
async def test_a_series_or_instance_of_another_study_is_not_there(run: Running, path: str) -> None:
    answer = await run.ask(path)
    assert (answer.status, answer.reasons) == (404, ["study-not-visible"])
    assert run.archive.relayed == []


async def test_an_archive_that_answers_with_another_instance_is_cut(run: Running) -> None:
    part = MR.instances[0].part10
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--B--\r\n"
    run.archive.answer(
        f"{INSTANCE.removesuffix(ONE.sop)}{ONE.sop}",
        body,
        Content_Type='multipart/related; type="application/dicom"; boundary=B',
    )
    answer = None
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        answer = await run.ask(INSTANCE, DICOM)
    assert answer is None or not answer.whole
    assert answer is None or b"Demo^Cancer" not in answer.body
    completion = run.record("completion")[-1]
    assert completion["cut_by"] == "part-mismatch"


async def test_a_study_that_changes_between_decision_and_hierarchy_is_judged_anew(run: Running) -> None:
    await run.ask(METADATA)  # the facts are held: one CT series
    new = f"{CT.uid}.2"
    rows = [series_row(CT.uid, CT.series, "CT", "CHEST"), series_row(CT.uid, new, "US")]
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/series", rows)
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/series/{new}/metadata", [])
    run.clock.advance(6)  # past the pause before asking again, and past the lease
    answer = await run.ask(f"/dicom-web/studies/{CT.uid}/series/{new}/metadata")
    assert answer.status == 200
    decisions = [line for line in run.about(answer) if line["type"] == "decision"]
    assert decisions[-1]["input"]["studies"][0]["modalities"] == ["CT", "US"]


# --- leases ---------------------------------------------------------------------------------------------------------------
async def test_a_second_request_is_a_use_of_the_first_ones_decision(run: Running) -> None:
    token = run.token()
    first = await run.ask(INSTANCE, DICOM, token=token)
    second = await run.ask(f"{INSTANCE}/metadata".replace(ONE.sop, CT.instances[1].sop), token=token)
    third = await run.ask(INSTANCE.replace(ONE.sop, CT.instances[1].sop), DICOM, token=token)
    (decided,), (use,) = run.about(first), run.about(third)
    assert (decided["type"], use["type"], use["leased_from"]) == ("decision", "use", first.decision_id)
    assert use["sop"] == CT.instances[1].sop if "sop" in use else CT.instances[1].sop in json.dumps(use)
    assert run.about(second)[0]["type"] == "decision"  # another transaction is another question
    assert len(json.dumps(use)) < 700


async def turn_unhealthy(run: Running) -> None:
    await run.tell("fail")


async def revoke(run: Running) -> None:
    await run.gateway.devices.inventory.revoke(run.agent.id, "lost", {"uid": 0, "user": "root"})


async def tighten(run: Running) -> None:
    table = run.folder / "policies/data/oncology.yaml"
    table.write_text("modalities: [CT]\nroles: [oncologist]\nlisted_roles: []\nicd10_prefixes: [C7]\nsnomed: []\n")
    (run.folder / "facts/conditions.yaml").write_text(
        "conditions:\n  - {patient: P001, issuer: DEMO, codes: [C71.9]}\n"
    )
    await run.gateway.parts.sources.maintain()
    await run.gateway.reload()


async def grow_old(run: Running) -> None:
    run.clock.advance(121)


async def expire(run: Running) -> None:
    run.clock.advance(95)  # past the leeway too


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (turn_unhealthy, 403, "posture-failed"),
        (revoke, 403, "statement-invalid"),
        (tighten, 404, "study-not-visible"),
        (grow_old, 403, "posture-stale"),
        (expire, 401, "user-unauthenticated"),
    ],
    ids=["posture", "revocation", "reload", "age", "token"],
)
async def test_a_lease_ends_with_what_it_stands_on(
    run: Running, event: Callable[[Running], object], status: int, code: str
) -> None:
    token = run.token("radiologist", exp=int(run.clock.now()) + 60 if event is expire else int(run.clock.now()) + 3600)
    assert (await run.ask(METADATA, token=token)).status == 200
    assert (await run.ask(METADATA, token=token)).status == 200
    made = event(run)
    assert asyncio.iscoroutine(made)
    await made
    run.archive.clear()
    answer = await run.ask(METADATA, token=token)
    assert (answer.status, answer.reasons) == (status, [code])
    assert run.archive.relayed == []


async def test_no_lease_is_used_by_another_token_role_or_device(run: Running) -> None:
    token = run.token()
    await run.ask(METADATA, token=token)
    for other in (run.token("radiologist", jti="another"), run.token("physician"), run.token("radiologist", mfa=False)):
        answer = await run.ask(METADATA, token=other)
        assert run.about(answer)[0]["type"] == "decision"
    assert (await run.ask(METADATA, token=token, device=False)).status == 403


# --- bulk data and services -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelled", ["PatientName", "00100010", "00100020"])
async def test_bulk_data_of_a_name_is_for_those_who_may_read_names(run: Running, spelled: str) -> None:
    path = f"{INSTANCE}/bulk/{spelled}"
    researcher = run.token("researcher")
    answer = await run.ask(path, "Leadglass-Purpose: HRESCH", token=researcher)
    assert (answer.status, answer.reasons) == (403, ["attribute-not-granted"])
    assert run.archive.relayed == []
    pixels = await run.ask(f"{INSTANCE}/frames/1", "Leadglass-Purpose: HRESCH", "Accept: */*", token=researcher)
    assert pixels.status == 200
    unsaid = await run.ask(f"{INSTANCE}/frames/1", "Accept: */*", token=researcher)
    assert (unsaid.status, unsaid.reasons) == (403, ["purpose-required", "not-granted"])


async def test_a_service_is_told_from_a_person_and_may_be_excused_a_device(tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / "policies/data/devices.yaml").write_text("shared: {}\nexempt_service_roles: [modality]\n")
        file = folder / "leadglass.yaml"
        text = file.read_text().replace(
            "mfa: {acr", "service: {claim: client_type, values: [machine]}\n      mfa: {acr"
        )
        file.write_text(text)
        roles = (Path(__file__).parents[2] / "policies/data/roles.yaml").read_text()
        extra = "  modality:\n    description: A modality\n    allow:\n      - actions: [search]\n"
        (folder / "policies/data/roles.yaml").write_text(roles.rstrip() + "\n" + extra)

    async with running(tmp_path, change=change) as run:
        machine = run.token("modality", client_type="machine", mfa=False)
        answer = await run.ask("/dicom-web/studies?limit=1", token=machine, device=False)
        assert answer.status == 200
        assert run.about(answer)[0]["subject"]["type"] == "service"
        person = run.token("modality")
        assert (await run.ask("/dicom-web/studies?limit=1", token=person, device=False)).status == 403


# --- what cannot be done is not done -------------------------------------------------------------------------------------
async def test_an_obligation_that_nobody_knows_is_a_refusal(run: Running, monkeypatch: pytest.MonkeyPatch) -> None:

    from leadglass.model.decision import Decision, Obligation
    from leadglass.model.question import Question
    from leadglass.policy.decide import Policy

    decide = Policy.decide

    async def obliged(self: Policy, question: Question, decision_id: str) -> Decision:
        decision = await decide(self, question, decision_id)
        return decision._replace(obligations=(Obligation("sing"),))

    monkeypatch.setattr(Policy, "decide", obliged)
    for target in (METADATA, "/dicom-web/studies"):
        answer = await run.ask(target)
        assert (answer.status, answer.reasons) == (403, ["obligation-unknown"])
        assert run.about(answer)
    assert run.archive.relayed == []


# --- facts ----------------------------------------------------------------------------------------------------------------
async def test_two_studies_under_one_uid_are_nobodys(run: Running) -> None:
    rows = [study_row(CT.uid), study_row(CT.uid, patient_id="P009")]
    run.archive.answer("/dicom-web/studies", rows)
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/series", [series_row(CT.uid)])
    answer = await run.ask(METADATA)
    assert (answer.status, answer.reasons) == (404, ["study-not-visible"])
    assert run.about(answer)[0]["decision"]["reasons"][0]["code"] == "study-ambiguous"
