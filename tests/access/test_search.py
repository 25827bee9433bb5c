"""Searches: judged whole, then row by row in one evaluation; what may not be seen leaves no trace."""

from typing import Any

import pytest

from leadglass.model.question import Question
from leadglass.policy.decide import Policy
from support.facts import element, series_row, study_row
from support.gateway import CT, MR, SR, US, Answer, Running


def uids(answer: Answer, tag: str = "0020000D") -> set[str]:
    return {row[tag]["Value"][0] for row in answer.json}


@pytest.mark.parametrize("target", ["/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances"])
async def test_rows_of_hidden_studies_vanish_at_every_level(run: Running, target: str) -> None:
    answer = await run.ask(target)
    assert answer.status == 200
    assert uids(answer) == {CT.uid, US.uid, SR.uid}
    assert b"Cancer" not in answer.body
    assert b"staging" not in answer.body
    everything = await run.ask(target, token=run.token("radiologist", "oncologist"))
    assert uids(everything) == {CT.uid, US.uid, SR.uid, MR.uid}


async def test_what_was_asked_for_to_judge_by_is_cut_again(run: Running) -> None:
    unasked = await run.ask("/dicom-web/studies?limit=4")
    rows = run.archive.relayed[-1]
    row = next(row for row in unasked.json if row["0020000D"]["Value"][0] == CT.uid)
    assert "00081030" not in row or "includefield=00081030" not in rows
    listed = await run.ask("/dicom-web/series?limit=4&includefield=00081030")
    assert "00081030" in listed.json[0]


async def test_an_empty_page_is_a_list_whatever_made_it_empty(run: Running) -> None:
    hidden = await run.ask("/dicom-web/studies?PatientID=P002")
    nothing = await run.ask("/dicom-web/studies?PatientID=P999")
    assert (hidden.status, hidden.body) == (nothing.status, nothing.body) == (200, b"[]")
    fields = [{k: v for k, v in a.headers.items() if k != "leadglass-decision-id"} for a in (hidden, nothing)]
    assert fields[0] == fields[1]


async def test_an_archive_that_says_no_content_is_an_empty_list(run: Running) -> None:
    run.archive.answer("/dicom-web/studies", b"", status=204)
    answer = await run.ask("/dicom-web/studies")
    assert (answer.status, answer.body) == (200, b"[]")


async def test_a_page_is_judged_in_one_evaluation(run: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    page = [study_row(f"1.2.3.{n}", patient_id=f"P{n}") for n in range(100)]
    run.archive.answer("/dicom-web/studies", page)

    for n in range(100):
        run.archive.answer(f"/dicom-web/studies/1.2.3.{n}/series", [series_row(f"1.2.3.{n}")])
    asked: list[int] = []
    decide = Policy.decide

    async def counted(self: Policy, question: Question, decision_id: str) -> Any:  # noqa: ANN401 - passed on
        asked.append(len(question.studies))
        return await decide(self, question, decision_id)

    monkeypatch.setattr(Policy, "decide", counted)

    async def rows(request: Any) -> Any:  # noqa: ANN401 - aiohttp's
        from aiohttp import web

        wanted = request.query.get("StudyInstanceUID")
        found = [row for row in page if wanted in {None, row["0020000D"]["Value"][0]}]
        return web.json_response(found, content_type="application/dicom+json")

    run.archive.replaced["/dicom-web/studies"] = rows
    answer = await run.ask("/dicom-web/studies")
    assert answer.status == 200
    assert len(answer.json) == 100
    assert asked == [0, 100]


async def test_the_completion_tells_which_studies_and_patients_were_shown(run: Running) -> None:
    answer = await run.ask("/dicom-web/studies")
    completion = run.about(answer)[-1]
    assert completion["type"] == "completion"
    shown = {(item["study_uid"], item["patient_id"]) for item in completion["disclosed"]["studies"]}
    assert shown == {(CT.uid, "P001"), (US.uid, "P003"), (SR.uid, "P001")}


@pytest.mark.parametrize(
    "rows",
    [
        [{"00100020": element("LO", "P001")}],  # no study at all
        [{"0020000D": element("UI", CT.uid, MR.uid)}],  # two
        [{"0020000D": element("UI", "")}],
        [{"0020000D": element("UI", "1.2.x")}],
        [{"0020000D": {"vr": "UI"}}],
    ],
    ids=["none", "two", "empty", "malformed", "no-value"],
)
async def test_rows_that_cannot_be_judged_are_not_shown(run: Running, rows: list[object]) -> None:
    run.archive.answer("/dicom-web/studies", rows)
    answer = await run.ask("/dicom-web/studies")
    assert (answer.status, answer.body) == (200, b"[]")


async def test_rows_of_another_study_than_the_address_names_are_not_shown(run: Running) -> None:
    run.archive.answer(f"/dicom-web/studies/{CT.uid}/series", [series_row(MR.uid), series_row(CT.uid)])
    answer = await run.ask(f"/dicom-web/studies/{CT.uid}/series")
    assert uids(answer, "0020000E") == {CT.series}


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"not json", b"[[]]", b'[{"0020000D":', b"\xff\xfe"])
async def test_search_results_that_are_no_rows_are_a_502(run: Running, body: bytes) -> None:
    run.archive.answer("/dicom-web/studies", body)
    answer = await run.ask("/dicom-web/studies")
    assert (answer.status, answer.reasons) == (502, ["upstream-invalid"])


async def test_an_archive_without_such_a_study_gives_an_empty_list(run: Running) -> None:
    run.archive.answer("/dicom-web/studies/1.2.3/series", b"gone", status=404)
    answer = await run.ask("/dicom-web/studies/1.2.3/series")
    assert (answer.status, answer.body) == (200, b"[]")


async def test_a_search_by_a_key_that_identifies_is_not_for_everyone(run: Running) -> None:
    answer = await run.ask("/dicom-web/studies?PatientName=Demo*", token=run.token("nobody"))
    assert answer.status == 403
    assert run.archive.asked == []


async def test_a_second_search_uses_the_lease_and_its_rows_are_judged_all_the_same(run: Running) -> None:
    token = run.token()
    await run.ask("/dicom-web/studies", token=token)
    again = await run.ask("/dicom-web/studies", token=token)
    kinds = [line["type"] for line in run.about(again)]
    assert kinds[0] == "use"
    assert kinds[-1] == "completion"
    assert uids(again) == {CT.uid, US.uid, SR.uid}


async def test_gzip_is_for_those_who_take_it(run: Running) -> None:
    packed = await run.ask("/dicom-web/instances", "Accept-Encoding: gzip")
    plain = await run.ask("/dicom-web/instances")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert len(packed.body) < len(plain.body)
