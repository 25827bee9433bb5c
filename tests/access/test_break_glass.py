"""Breaking the glass through the whole gateway: what it opens, for how long, and that it is loud."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.audit.review import cases
from support.gateway import ISSUER, MR, OWNER, Running, running

PATH = f"/dicom-web/studies/{MR.uid}/metadata"
WHY = "Leadglass-Break-Glass: unconscious in the trauma room"
ETREAT = "Leadglass-Purpose: ETREAT"
TABLE = "enabled: true\nroles: [radiologist]\noverrides: [oncology]\nmax_age_seconds: 600\n"


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    def change(folder: Path) -> None:
        (folder / "policies/data/break_glass.yaml").write_text(TABLE)

    async with running(tmp_path, change=change) as opened:
        yield opened


def broken(run: Running) -> list[dict[str, object]]:
    return [line["fields"] for line in run.record("event") if line["kind"] == "glass-broken"]


async def test_a_hidden_study_is_shown_and_the_record_says_so(run: Running) -> None:
    assert (await run.ask(PATH)).status == 404
    assert broken(run) == []
    answer = await run.ask(PATH, WHY, ETREAT)
    assert answer.status == 200
    (event,) = broken(run)
    assert (event["decision_id"], event["subject"], event["issuer"]) == (answer.decision_id, OWNER, ISSUER)
    assert (event["reason"], event["studies"], event["count"]) == ("unconscious in the trauma room", [MR.uid], 1)
    decision = run.about(answer)[0]
    assert decision["input"]["context"]["auth_age_seconds"] == 0
    assert decision["decision"]["obligations"] == [{"type": "log"}]
    (case,) = cases(run.folder / "var/decisions.jsonl")
    assert (case.subject, case.decisions, list(case.studies)) == (OWNER, [answer.decision_id], [MR.uid])


async def test_it_ends_with_the_age_of_the_sign_in(run: Running) -> None:
    token = run.token(auth_time=int(run.clock.now()) - 590)
    assert (await run.ask(PATH, WHY, ETREAT, token=token)).status == 200
    run.clock.advance(11)
    late = await run.ask(PATH, WHY, ETREAT, token=token)
    assert (late.status, late.reasons) == (401, ["break-glass-sign-in"])
    assert 'max_age="600"' in late.headers["www-authenticate"] or "max_age=600" in late.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("fields", "status", "reasons"),
    [
        ((WHY,), 403, ["break-glass-refused"]),
        ((ETREAT,), 404, ["study-not-visible"]),
        ((WHY, "Leadglass-Purpose: TREAT"), 403, ["break-glass-refused"]),
        (("Leadglass-Break-Glass:  ", ETREAT), 400, ["http-malformed"]),
    ],
    ids=["no purpose", "no reason", "another purpose", "empty reason"],
)
async def test_without_reason_and_purpose_nothing_opens(
    run: Running, fields: tuple[str, ...], status: int, reasons: list[str]
) -> None:
    answer = await run.ask(PATH, *fields)
    assert (answer.status, answer.reasons) == (status, reasons)
    assert broken(run) == []


async def test_whoever_may_not_learns_nothing_of_the_study(run: Running) -> None:
    absent = MR.uid[:-1] + "9"
    for token in (run.token("physician"), run.token(auth_time=...), run.token(mfa=False)):
        told = [
            (await run.ask(f"/dicom-web/studies/{uid}/metadata", WHY, ETREAT, token=token)).reasons
            for uid in (MR.uid, absent)
        ]
        assert told[0] == told[1]
        assert told[0][0].startswith("break-glass-")


async def test_off_as_shipped(tmp_path: Path) -> None:
    async with running(tmp_path) as shipped:
        assert (await shipped.ask(PATH, WHY, ETREAT)).reasons == ["break-glass-refused"]
