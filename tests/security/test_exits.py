"""No way out without a line, no picture that names the patient to whom may not know, and no slot that stays taken."""

import json
from pathlib import Path

import pytest

from leadglass.access.pipeline import identify
from leadglass.model.errors import Refusal
from leadglass.model.request import CleanRequest, Headers, Peer
from support.gateway import CT, HOST, MR, Running, running

INSTANCE = f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[0].sop}"
ABSENT = "1.2.826.0.1.3680043.10.1491.404"


@pytest.mark.parametrize(
    ("path", "form", "status", "code"),
    [
        ("enrol", {"code_id": "0" * 32, "request": "a.b.c", "mac": "AA"}, 403, "enrolment-refused"),
        ("enrol", {"code_id": 1}, 400, "http-malformed"),
        ("renew", {"request": "a.b.c"}, 403, "statement-invalid"),
        ("posture", {"statement": "a.b.c"}, 403, "statement-invalid"),
    ],
)
async def test_what_the_control_side_refuses_is_on_record(
    run: Running, path: str, form: dict[str, object], status: int, code: str
) -> None:
    answer = await run.ask(
        f"/.leadglass/v1/{path}", "Content-Type: application/json", method="POST", body=json.dumps(form).encode()
    )
    assert (answer.status, answer.reasons) == (status, [code])
    lines = [line for line in run.about(answer) if line["type"] == "decision"]
    assert [line["decision"]["reasons"][0]["code"] for line in lines] == [code]


@pytest.mark.parametrize(
    ("target", "role", "status"),
    [
        (f"{INSTANCE}/frames/1/rendered?annotation=patient", "researcher", 403),
        (f"{INSTANCE}/frames/1/rendered?annotation=technique,patient", "researcher", 403),
    ],
)
async def test_a_picture_that_names_the_patient_is_judged_like_the_name(
    run: Running, target: str, role: str, status: int
) -> None:
    answer = await run.ask(target, "Leadglass-Purpose: HRESCH", token=run.token(role))
    assert (answer.status, answer.reasons) == (status, ["attribute-not-granted"])
    assert run.archive.relayed == []


async def test_one_subnet_of_ipv6_is_one_stranger(tmp_path: Path) -> None:
    bare = CleanRequest("GET", "/", (), (), HOST, Headers({}), 0, False)  # noqa: FBT003 - not chunked
    async with running(tmp_path, strangers="1/s") as run:
        services = run.gateway.pipeline.services
        with pytest.raises(Refusal) as first:
            await identify(services, bare, Peer("2001:db8::1", 1, tls=True))
        with pytest.raises(Refusal) as second:
            await identify(services, bare, Peer("2001:db8::ffff:2", 1, tls=True))
        with pytest.raises(Refusal) as other:
            await identify(services, bare, Peer("2001:db8:0:1::1", 1, tls=True))
    codes = [caught.value.causes[0].reason.code for caught in (first, second, other)]
    assert codes == ["user-unauthenticated", "rate-limited", "user-unauthenticated"]


async def test_a_reply_that_cannot_be_named_gives_its_place_back(run: Running) -> None:
    run.archive.answer(f"{INSTANCE}/frames", b"x" * 2_000_000, Content_Type='image/jpeg; name="\u00fc"')
    for _ in range(3):
        answer = await run.ask(f"{INSTANCE}/frames/1", "Accept: image/jpeg")
        assert answer.status == 502, answer.body
    assert run.gateway.parts.archives["main"].upstream.pool.running == 0


PLACES = [
    "/dicom-web/studies/{}",
    "/dicom-web/studies/{}/metadata",
    "/dicom-web/studies/{}/rendered",
    "/dicom-web/studies/{}/thumbnail",
    "/dicom-web/studies/{}/series/1.2.3/metadata",
    "/dicom-web/studies/{}/series/1.2.3/instances/1.2.3/frames/1",
    "/dicom-web/studies/{}/series",
    "/dicom-web/studies/{}/instances",
    "/dicom-web/studies?StudyInstanceUID={}",
    "/wado?requestType=WADO&studyUID={}&seriesUID=1.2&objectUID=1.3&contentType=application/dicom",
]


@pytest.mark.parametrize("place", PLACES)
async def test_hidden_and_absent_are_answered_alike(run: Running, place: str) -> None:
    seen = []
    for uid in (MR.uid, ABSENT):
        run.archive.clear()
        answer = await run.ask(place.format(uid))
        fields = {name: value for name, value in answer.headers.items() if name != "leadglass-decision-id"}
        body = answer.body.replace(answer.decision_id.encode(), b"")
        asked = sorted(line.replace(uid, "UID") for line in run.archive.asked)
        seen.append((answer.status, fields, body, asked))
    assert seen[0] == seen[1]
