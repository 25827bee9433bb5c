"""Workitems at a whole gateway: judged by every study that they name, and hidden like those."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from support.gateway import CT, MR, US, Answer, FakeArchive, Running
from support.ups import FILTERED, JSON, WORKLIST, Row, Ups, allowing, text, workitem, worklist

Place = tuple[Running, Ups, FakeArchive]
READ, HIDDEN, BOTH, NONE, YET = "1.9.1", "1.9.2", "1.9.3", "1.9.4", "1.9.5"  # MR of a patient with cancer is hidden
KIND = f"Content-Type: {JSON}"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with worklist(tmp_path) as (run, ups, archive):
        ups.put(
            workitem(READ, CT.uid),
            workitem(HIDDEN, MR.uid),
            workitem(BOTH, CT.uid, MR.uid),
            workitem(NONE, patient="P001"),
            workitem(YET, "1.7.7", patient="P001"),
        )
        yield run, ups, archive


def body(*rows: Row) -> bytes:
    return json.dumps(rows).encode()


def requests(uid: str) -> list[tuple[str, str, bytes | None]]:
    """Return every request that is about one workitem."""
    at = f"/dicom-web/workitems/{uid}"
    return [
        ("GET", at, None),
        ("POST", at, body({"00741002": text("SQ")})),
        ("PUT", f"{at}/state", body({"00741000": text("CS", "IN PROGRESS"), "00081195": text("UI", "1.2.9")})),
        ("POST", f"{at}/cancelrequest", body({"00741238": text("LT", "not now")})),
        ("POST", f"{at}/subscribers/VIEWER?deletionlock=true", None),
        ("DELETE", f"{at}/subscribers/VIEWER", None),
    ]


async def ask(run: Running, method: str, path: str, sent: bytes | None = None, role: str = "radiologist") -> Answer:
    fields = (KIND,) if sent is not None else ()
    return await run.ask(path, *fields, method=method, body=sent, token=run.token(role))


@pytest.mark.parametrize("at", range(6))
async def test_what_is_about_a_workitem_goes_by_its_studies(place: Place, at: int) -> None:
    run, _, archive = place
    method, path, sent = requests(READ)[at]
    answer = await ask(run, method, path, sent)
    assert answer.status in {200, 201, 202}
    assert archive.asked[-1] == f"{method} {path}"
    (decision,) = [line for line in run.about(answer) if line["type"] == "decision"]
    assert decision["resource"]["instance_uid"] == READ
    assert [study["study_uid"] for study in decision["input"]["studies"]] == [CT.uid]
    assert "ws:" not in str(answer.headers)


@pytest.mark.parametrize("uid", [HIDDEN, BOTH, NONE, YET, "1.9.9"])
async def test_hidden_absent_and_unjudgeable_ones_are_answered_alike(place: Place, uid: str) -> None:
    run, ups, _ = place
    before = json.dumps(ups.held)
    for method, path, sent in requests(uid):
        answer = await ask(run, method, path, sent)
        assert (answer.status, answer.reasons) == (404, ["study-not-visible"]), (method, path)
    assert json.dumps(ups.held) == before
    assert ups.subscribed == {}


async def test_those_who_make_images_have_the_workitems_of_studies_yet_to_be_made(place: Place) -> None:
    run, ups, _ = place
    for uid in (YET, NONE):
        answer = await ask(run, "GET", f"/dicom-web/workitems/{uid}", role="technologist")
        assert (answer.status, answer.json) == (200, [ups.held[uid]])
    assert (await ask(run, "GET", f"/dicom-web/workitems/{HIDDEN}", role="technologist")).status == 404


async def test_a_search_shows_the_rows_all_of_whose_studies_may_be_seen(place: Place) -> None:
    run, ups, archive = place
    answer = await ask(run, "GET", "/dicom-web/workitems?ProcedureStepState=SCHEDULED")
    assert answer.json == [ups.held[READ]]
    assert "00404021" in next(asked for asked in archive.asked if "/workitems?" in asked)
    (done,) = [line for line in run.about(answer) if line["type"] == "completion"]
    assert [study["study_uid"] for study in done["disclosed"]["studies"]] == [CT.uid]
    whole = await ask(run, "GET", "/dicom-web/workitems?includefield=all", role="technologist")
    assert [row["00080018"]["Value"][0] for row in whole.json] == [
        READ,
        YET,
    ]  # one that names none cannot be judged here
    refused = await ask(run, "GET", "/dicom-web/workitems?PatientID=P001", role="worker")
    assert refused.reasons == ["search-key-not-granted"]


async def test_making_one_names_it_and_its_studies(place: Place) -> None:
    run, ups, _ = place
    made = {"00404021": text("SQ", {"0020000D": text("UI", CT.uid)})}
    foreign = {"00404021": text("SQ", {"0020000D": text("UI", MR.uid)})}
    assert (await ask(run, "POST", "/dicom-web/workitems", body(made))).reasons == ["query-refused"]
    assert (await ask(run, "POST", "/dicom-web/workitems?workitem=1.9.8", body(foreign))).status == 404
    assert (await ask(run, "POST", "/dicom-web/workitems?workitem=1.9.8", body({}))).status == 404
    assert "1.9.8" not in ups.held
    assert (await ask(run, "POST", "/dicom-web/workitems?workitem=1.9.8", body(made))).status == 201
    assert ups.held["1.9.8"] == {"00080018": text("UI", "1.9.8"), **made}


async def test_an_update_cannot_lead_a_workitem_to_another_study_or_patient(place: Place) -> None:
    run, ups, _ = place
    before = json.dumps(ups.held)
    for change in (
        {"0040A370": text("SQ", {"0020000D": text("UI", MR.uid)})},
        {"00741216": text("SQ", {"00404033": text("SQ", {"0020000d": text("UI", US.uid + ".9")})})},
        {"00404021": text("SQ", {"0020000D": text("UI", CT.uid)}), "00100020": text("LO", "P999")},
    ):
        answer = await ask(run, "POST", f"/dicom-web/workitems/{READ}", body(change))
        assert (answer.status, answer.reasons) == (404, ["study-not-visible"]), change
    assert json.dumps(ups.held) == before


BROKEN = [b"", b"x", b"{}", b"[]", b"[{},{}]", b'[{"0020000D":{"vr":"UI","Value":["01"]}}]', b'[{"0020000D":{"Value":[7]}}]', b"[" * 5000]  # fmt: skip


@pytest.mark.parametrize("sent", BROKEN, ids=lambda sent: repr(sent[:30]))
async def test_a_body_that_is_no_workitem_is_refused(place: Place, sent: bytes) -> None:
    run, _, archive = place
    archive.clear()
    answer = await ask(run, "POST", f"/dicom-web/workitems/{READ}", sent)
    assert (answer.status, answer.reasons) == (400, ["http-malformed"])
    assert archive.asked == []


async def test_a_body_in_xml_or_too_large_is_refused(place: Place) -> None:
    run, _, archive = place
    archive.clear()
    path = f"/dicom-web/workitems/{READ}"
    xml = b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>'
    told = await run.ask(path, "Content-Type: application/dicom+xml", method="POST", body=xml)
    assert told.reasons == ["media-type-refused"]
    large = await ask(run, "POST", path, b"[" + b" " * (1024 * 1024) + b"{}]")
    assert large.reasons == ["body-too-large"]
    assert archive.asked == []


async def test_what_the_archive_says_twice_must_be_the_same(place: Place) -> None:
    run, ups, archive = place

    async def other(_: web.Request) -> web.Response:
        asked = sum(READ in one for one in archive.asked)
        return web.Response(body=json.dumps([ups.held[READ if asked % 2 else HIDDEN]]), content_type=JSON)

    archive.replaced[f"/dicom-web/workitems/{READ}"] = other
    answer = await ask(run, "GET", f"/dicom-web/workitems/{READ}")
    assert (answer.status, answer.reasons) == (502, ["upstream-invalid"])


async def test_an_archive_that_cannot_say_is_a_refusal(place: Place) -> None:
    run, _, archive = place
    archive.answer(f"/dicom-web/workitems/{READ}", b"no", 500)
    answer = await ask(run, "POST", f"/dicom-web/workitems/{READ}/subscribers/VIEWER")
    assert answer.reasons == ["upstream-unreachable"]


async def test_the_worklist_is_subscribed_to_by_its_own_name(place: Place) -> None:
    run, ups, _ = place
    at = f"/dicom-web/workitems/{WORKLIST}/subscribers/VIEWER"
    assert (await ask(run, "POST", at)).status == 201
    assert (await ask(run, "POST", f"{at}/suspend")).status == 200
    assert (ups.suspended, list(ups.subscribed)) == (["VIEWER"], [(WORKLIST, "VIEWER")])
    answer = await ask(run, "DELETE", at)
    assert (answer.status, ups.subscribed) == (200, {})
    (decision,) = [line for line in run.about(answer) if line["type"] == "decision"]
    assert decision["action"]["transaction"] == "ups-rs.unsubscribe-worklist"
    assert decision["input"]["resource"] == {"type": "worklist", "aet": "VIEWER", "upstream": "main"}


async def test_a_filter_is_a_search_by_other_means(place: Place) -> None:
    run, ups, _ = place
    at = f"/dicom-web/workitems/{FILTERED}/subscribers/VIEWER"
    assert (await ask(run, "POST", f"{at}?filter=ProcedureStepState=SCHEDULED,00404041=READY")).status == 201
    assert ups.subscribed[FILTERED, "VIEWER"]["filter"] == "00404041=READY,00741000=SCHEDULED"
    keys = await ask(run, "POST", f"{at}?filter=PatientID=P001", role="worker")
    assert keys.reasons == ["search-key-not-granted"]
    for wrong in ("", "?filter=Nonsense=1", "?filter=limit=9", "?filter=PatientID=1,00100020=2", "?filter="):
        assert (await ask(run, "POST", f"{at}{wrong}")).reasons == ["query-refused"], wrong
    unfiltered = at.replace(FILTERED, WORKLIST)
    assert (await ask(run, "POST", f"{unfiltered}?filter=PatientID=1")).reasons == ["query-refused"]


async def test_what_is_not_switched_on_stays_off(tmp_path: Path) -> None:
    async with worklist(tmp_path, upstream_more="enable: [ups-rs.subscribe]") as (run, ups, _):
        ups.put(workitem(READ, CT.uid))
        at = "/dicom-web/workitems/{}/subscribers/VIEWER"
        assert (await ask(run, "POST", at.format(READ))).status == 201
        for method, path in (
            ("POST", at.format(WORKLIST)),
            ("DELETE", at.format(READ)),
            ("GET", "/dicom-web/workitems"),
        ):
            assert (await ask(run, method, path)).reasons == ["transaction-disabled"]


def observing(folder: Path) -> None:
    allowing(folder)
    file = folder / "leadglass.yaml"
    file.write_text(file.read_text() + 'mode: {observe_until: "2027-01-15T09:00:00Z"}\n')


async def test_while_the_gateway_observes_nobody_has_the_worklist_and_the_record_says_so(tmp_path: Path) -> None:
    async with worklist(tmp_path, change=observing) as (run, ups, _):
        ups.put(workitem(HIDDEN, MR.uid))
        answer = await run.ask("/dicom-web/workitems", token=None)
        assert (answer.status, len(answer.json)) == (200, 1)
        lines = [line for line in run.about(answer) if line["type"] == "decision"]
        assert [line["decision"]["reasons"][0]["code"] for line in lines] == ["user-unauthenticated"] * 2


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Sec-Fetch-Site: cross-site", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Origin: https://evil.example", 403),
        ("Sec-Fetch-Site: same-origin", 201),
        ("Accept: */*", 201),
    ],
)
async def test_while_the_gateway_observes_another_site_changes_nothing_as_nobody(
    tmp_path: Path, said: str, status: int
) -> None:
    async with worklist(tmp_path, change=observing) as (run, ups, _):
        at = f"/dicom-web/workitems/{WORKLIST}/subscribers/VIEWER"
        answer = await run.ask(at, said, method="POST", token=None)
        assert answer.status == status
        assert status == 201 or answer.reasons == ["origin-refused"]
        assert len(ups.subscribed) == (status == 201)
