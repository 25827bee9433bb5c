"""Pages of a search: filled with rows that are seen, each row once, and the same words whatever is hidden."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from leadglass.access.cursors import Cursors
from leadglass.access.live import Running as Exchanging
from leadglass.access.search import LITERAL, MORE
from leadglass.limits import CURSOR_SECONDS, SEARCH_BLUR, SEARCH_SCANNED, STUDY_ROWS
from leadglass.model.decision import Obligation
from leadglass.policy.decide import Policy
from support.facts import series_row, study_row
from support.gateway import HOST, Answer, Running, running
from support.shelf import Shelf

UID = "0020000D"


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, kind="orthanc") as run:
        yield run


@pytest.fixture
def shelf(run: Running) -> Shelf:
    shelf = Shelf()
    run.archive.replaced["/dicom-web/studies"] = shelf.studies
    run.archive.replaced["/dicom-web/series"] = shelf.series
    return shelf


def shown(count: int, first: int = 0) -> list[str]:
    return [f"1.{n}" for n in range(first, first + count)]


def hidden(count: int) -> list[str]:
    return [f"9.{n}" for n in range(count)]


def mixed(pattern: str) -> list[str]:
    """Return studies by letters: `s` shown, `h` hidden."""
    return [f"{'1' if letter == 's' else '9'}.{n}" for n, letter in enumerate(pattern)]


def uids(answer: Answer, tag: str = UID) -> list[str]:
    assert answer.status == 200
    return [row[tag]["Value"][0] for row in answer.json]


def warned(answer: Answer) -> bool:
    said = answer.headers.get("warning")
    assert said in {None, f"299 https://{HOST}/dicom-web: {MORE}"}
    return said is not None


async def search(run: Running, query: str = "", token: str | None = None) -> Answer:
    return await run.ask(f"/dicom-web/studies?{query}", token=token or run.token())


# --- filled --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["s" * 60, "sh" * 60, "h" * 150 + "s" * 60, "s" * 7 + "h" * 210 + "s" * 53])
@pytest.mark.parametrize("level", ["studies", "series"])
async def test_pages_are_full_and_hold_every_row_once(run: Running, shelf: Shelf, pattern: str, level: str) -> None:
    shelf.uids = mixed(pattern)
    tag, per = (UID, 1) if level == "studies" else ("0020000E", 2)
    wanted = [uid if per == 1 else f"{uid}.{n + 1}" for uid in shelf.uids if uid[0] == "1" for n in range(per)]
    token, walked, limit = run.token(), list[str](), 25
    last: Answer | None = None
    for offset in range(0, len(wanted) + limit, limit):
        answer = await run.ask(f"/dicom-web/{level}?limit={limit}&offset={offset}", token=token)
        page = uids(answer, tag)
        assert len(page) == min(limit, max(0, len(wanted) - offset))
        walked += page
        assert warned(answer) or len(walked) == len(wanted)
        last = answer
    assert walked == wanted
    assert last is not None
    assert not warned(last)


async def test_a_page_by_itself_is_counted_from_the_first_row(run: Running, shelf: Shelf) -> None:
    shelf.uids = mixed("hs" * 100)
    answer = await search(run, "limit=10&offset=40")
    assert uids(answer) == [uid for uid in shelf.uids if uid[0] == "1"][40:50]


async def test_the_next_page_goes_on_where_the_last_ended(run: Running, shelf: Shelf) -> None:
    shelf.uids = mixed("hs" * 300)
    token = run.token()
    for offset in (0, 100):
        await search(run, f"limit=100&offset={offset}", token)
    assert shelf.asked[-1][0] >= 180  # not from the first row on
    shelf.asked.clear()
    run.clock.advance(CURSOR_SECONDS)
    await search(run, "limit=100&offset=200", run.token())
    assert shelf.asked[0][0] == 0


async def test_a_walk_is_never_shared(run: Running, shelf: Shelf) -> None:
    shelf.uids = shown(300)
    first = run.token()
    await search(run, "limit=100", first)
    for token in (run.token(jti="another"), run.token("oncologist")):
        shelf.asked.clear()
        await search(run, "limit=100&offset=100", token)
        assert shelf.asked[0][0] == 0
    shelf.asked.clear()
    await search(run, "limit=100&offset=100&StudyDate=20260102", first)
    assert shelf.asked[0][0] == 0
    shelf.asked.clear()
    await search(run, "limit=100&offset=100", first)
    assert shelf.asked[0][0] == 80


async def test_what_comes_in_or_goes_meanwhile_repeats_and_loses_nothing(run: Running, shelf: Shelf) -> None:
    shelf.uids = mixed("sshs" * 75)
    stays = [uid for uid in shelf.uids if uid[0] == "1"]
    numbers = iter(range(1000))

    def changed() -> None:
        for at in (0, 3, 11, 40):
            shelf.uids.insert(at, f"1.7.{next(numbers)}")  # somewhere before
        gone = shelf.uids.pop(20)
        if gone in stays:
            stays.remove(gone)

    token, walked, offset = run.token(), list[str](), 0
    shelf.then = changed
    while page := uids(await search(run, f"limit=20&offset={offset}", token)):
        walked += page
        offset += len(page)
    assert len(walked) == len(set(walked))
    assert set(stays) <= set(walked)


async def test_what_comes_in_after_the_last_page_is_shown_and_nothing_again(run: Running, shelf: Shelf) -> None:
    shelf.uids = shown(15)
    token = run.token()
    for offset in (0, 10):
        await search(run, f"limit=10&offset={offset}", token)
    shelf.uids = [*shown(2, 100), *shown(15), *shown(1, 200)]
    assert uids(await search(run, "limit=10&offset=15", token)) == shown(2, 100) + shown(1, 200)


async def test_rows_that_the_archive_repeats_are_shown_once(run: Running, shelf: Shelf) -> None:
    shelf.uids = [*shown(30), *shown(30), *shown(10, 30)]
    answer = await search(run, "limit=35")
    assert uids(answer) == shown(35)


async def test_an_archive_that_does_not_page_ends_the_search(run: Running, shelf: Shelf) -> None:
    async def everything(_: web.Request) -> web.Response:
        shelf.asked.append((0, 0))
        return web.json_response([shelf.row(uid) for uid in shown(60)], content_type="application/dicom+json")

    run.archive.replaced["/dicom-web/studies"] = everything
    shelf.uids = shown(60)
    token = run.token()
    assert uids(await search(run, "limit=50", token)) == shown(50)
    asked = len(shelf.asked)
    answer = await search(run, "limit=50&offset=50", token)
    assert uids(answer) == shown(10, 50)
    assert not warned(answer)
    assert len(shelf.asked) < asked + 6


async def test_an_archive_that_pages_by_its_own_size_is_asked_on(run: Running, shelf: Shelf) -> None:
    async def fewer(request: web.Request) -> web.Response:
        if "limit" not in request.query:
            return await shelf.studies(request)
        offset, limit = int(request.query.get("offset", "0")), int(request.query["limit"])
        rows = [shelf.row(uid) for uid in shelf.uids[offset : offset + min(limit, 10)]]
        more = {"Warning": "299 http://archive: There are more"} if offset + 10 < len(shelf.uids) else {}
        return web.json_response(rows, content_type="application/dicom+json", headers=more)

    run.archive.replaced["/dicom-web/studies"] = fewer
    shelf.uids = shown(35)
    assert uids(await search(run, "limit=50")) == shown(35)


# --- bounded -------------------------------------------------------------------------------------------------------


async def test_a_search_looks_through_so_many_rows_and_says_so(run: Running, shelf: Shelf) -> None:
    shelf.uids = [*shown(5), *hidden(2 * SEARCH_SCANNED), *shown(5, 5)]
    answer = await search(run, "limit=100")
    assert uids(answer) == shown(5)
    assert warned(answer)
    looked = shelf.asked[-1][0] + shelf.asked[-1][1]
    assert SEARCH_SCANNED - SEARCH_BLUR <= looked <= SEARCH_SCANNED
    assert max(limit for _, limit in shelf.asked) <= 200


async def test_the_next_page_goes_on_after_rows_that_are_hidden(run: Running, shelf: Shelf) -> None:
    shelf.uids = [*shown(5), *hidden(SEARCH_SCANNED), *shown(5, 5)]
    token = run.token()
    assert uids(await search(run, "limit=100", token)) == shown(5)
    answer = await search(run, "limit=100&offset=5", token)
    assert uids(answer) == shown(5, 5)
    assert not warned(answer)


async def test_whatever_is_hidden_the_words_are_the_same(run: Running, shelf: Shelf) -> None:
    """A full page says that there may be more, with 5 hidden rows behind it, with none, and with seen ones."""
    heads = []
    for behind in ([], hidden(5), shown(5, 20)):
        shelf.uids = [*shown(20), *behind]
        answer = await search(run, "limit=20")
        assert uids(answer) == shown(20)
        heads.append({name: value for name, value in answer.headers.items() if name != "leadglass-decision-id"})
    assert heads[0] == heads[1] == heads[2]
    assert MORE in heads[0]["warning"]


async def test_where_a_search_stopped_does_not_count_what_is_hidden(run: Running, shelf: Shelf) -> None:
    """Two people with the same rights, and one with another key of the same effect, stop at different rows."""
    shelf.uids = hidden(2 * SEARCH_SCANNED)
    stopped = set()
    for who, key in (("a", ""), ("b", ""), ("a", "&StudyDate=19000101-")):
        run.clock.advance(CURSOR_SECONDS)
        shelf.asked.clear()
        cursors: Cursors = run.gateway.pipeline.services.cursors
        stopped.add(cursors.reach(("https://idp", who, "s"), f"limit=1{key}"))
    assert len(stopped) == 3


async def test_a_search_ends_in_time(run: Running, shelf: Shelf) -> None:
    shelf.uids = [*hidden(600), *shown(5)]
    shelf.then = lambda: run.clock.advance(6)
    answer = await search(run, "limit=5")
    assert uids(answer) == []
    assert warned(answer)
    assert len(shelf.asked) == 2


async def test_inside_one_study_all_rows_are_asked_for_at_once(run: Running) -> None:
    uid = "1.2.3"
    asked: list[str] = []

    async def listing(request: web.Request) -> web.Response:
        asked.append(request.query_string)
        rows = [series_row(uid, f"{uid}.{n}", "CT") for n in range(900)]
        offset = int(request.query.get("offset", "0"))
        rows = rows[offset : offset + int(request.query.get("limit", "1000"))]
        return web.json_response(rows, content_type="application/dicom+json")

    run.archive.answer("/dicom-web/studies", [study_row(uid)])
    run.archive.replaced[f"/dicom-web/studies/{uid}/series"] = listing
    token = run.token()
    answer = await run.ask(f"/dicom-web/studies/{uid}/series", token=token)
    assert len(uids(answer, "0020000E")) == 900
    assert not warned(answer)
    assert f"limit={STUDY_ROWS}" in asked[0]
    page = await run.ask(f"/dicom-web/studies/{uid}/series?limit=300&offset=800", token=token)
    assert uids(page, "0020000E") == [f"{uid}.{n}" for n in range(800, 900)]


# --- judged on -----------------------------------------------------------------------------------------------------


async def test_every_page_of_the_archive_is_judged_and_all_of_them_are_stood_on(
    run: Running, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.uids = mixed("h" * 199 + "s" * 2)
    asked: list[int] = []
    decide = Policy.decide

    async def counted(self: Policy, question: Any, decision_id: str) -> Any:  # noqa: ANN401 - passed on
        asked.append(len(question.studies))
        return await decide(self, question, decision_id)

    stood: list[int] = []
    confirm = Exchanging.confirm

    async def confirmed(self: Exchanging) -> None:
        stood.append(sum(len(standing.question.studies) for standing in self.standings))
        await confirm(self)

    monkeypatch.setattr(Policy, "decide", counted)
    monkeypatch.setattr(Exchanging, "confirm", confirmed)
    await search(run, "limit=2")
    assert sum(asked) == 201
    assert max(asked) <= 200
    assert stood[-1] == 201


async def test_a_row_of_an_early_page_that_may_no_longer_be_seen_ends_the_search(run: Running, shelf: Shelf) -> None:
    """The diagnosis of a patient comes while later rows are still being looked for."""
    shelf.uids = ["1.1", *hidden(400), "1.2"]
    pages = iter(range(10))

    async def told() -> None:
        if next(pages) == 1:
            file = run.folder / "facts/conditions.yaml"
            file.write_text(file.read_text().replace("P002", "P001"))
            await run.gateway.parts.sources.maintain()

    shelf.then = told
    answer = await search(run, "limit=5")
    assert (answer.status, answer.reasons) == (404, ["study-not-visible"])
    assert b"1.1" not in answer.body


# --- dropped -------------------------------------------------------------------------------------------------------


def test_fuzzy_words_are_the_standards() -> None:
    assert LITERAL == "The fuzzymatching parameter is not supported. Only literal matching has been performed."


SEARCH = """
open: ["0020000D", "00080020", "00080061", "00101040"]
roles: [oncologist]
hidden: ["00101040"]
"""
ROLES = """
transactions: ["qido-rs.*", "wado-rs.*"]
everyone: {description: none, allow: []}
roles:
  radiologist: {description: reads, allow: [{actions: [search]}]}
  reader: {description: reads two kinds, allow: [{actions: [search], modalities: [CT, MR]}]}
"""


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[tuple[Running, Shelf]]:
    def change(folder: Path) -> None:
        (folder / "policies/data/search.yaml").write_text(SEARCH)
        (folder / "policies/data/roles.yaml").write_text(ROLES)

    async with running(tmp_path, kind="orthanc", change=change) as run:
        shelf = Shelf(*shown(3))
        run.archive.replaced["/dicom-web/studies"] = shelf.studies
        run.archive.replaced["/dicom-web/series"] = shelf.series
        yield run, shelf


async def test_what_may_not_be_seen_is_dropped_from_the_question_and_from_rows(limited: tuple[Running, Shelf]) -> None:
    run, shelf = limited
    row = shelf.row
    shelf.row = lambda uid: row(uid) | {"00101040": {"vr": "LO", "Value": ["Main Street"]}}  # type: ignore[method-assign]  # an archive that gives more than it was asked for
    answer = await search(run, "includefield=PatientAddress,StudyDescription&fuzzymatching=true")
    assert len(answer.json) == 3
    assert b"Main Street" not in answer.body
    assert answer.headers["warning"] == f"299 https://{HOST}/dicom-web: {LITERAL}"
    asked = next(one for one in run.archive.asked if "limit=" in one)
    assert "00101040" not in asked
    assert "fuzzymatching" not in asked
    assert "includefield=00081030" in asked
    everything = await search(
        run, "includefield=PatientAddress&fuzzymatching=true", run.token("radiologist", "oncologist")
    )
    assert b"Main Street" in everything.body
    assert "warning" not in everything.headers


async def test_what_may_not_be_seen_is_not_matched(limited: tuple[Running, Shelf]) -> None:
    run, _ = limited
    answer = await search(run, "PatientAddress=Main*")
    assert (answer.status, answer.reasons) == (403, ["search-key-hidden"])
    assert (await search(run, "PatientName=A*")).reasons == ["search-key-not-granted"]
    assert run.archive.asked == []


async def test_the_archive_is_asked_for_what_a_role_may_see(limited: tuple[Running, Shelf]) -> None:
    run, _ = limited
    answer = await search(run, "limit=9", run.token("reader"))
    assert uids(answer) == shown(3)
    asked = next(one for one in run.archive.asked if "limit=" in one)
    assert "00080061=CT,MR" in asked
    run.archive.clear()
    await search(run, "ModalitiesInStudy=US", run.token("reader"))  # what is asked for stays, and is judged
    assert "00080061=US&" in run.archive.asked[0]


async def test_rows_that_would_leave_otherwise_than_was_asked_do_not_leave(
    run: Running, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive was asked by what the whole search is obliged to: a key that rows then hide was matched already."""
    shelf.uids = shown(3)
    decide = Policy.decide

    async def obliged(self: Policy, question: Any, decision_id: str) -> Any:  # noqa: ANN401 - passed on
        decision = await decide(self, question, decision_id)
        hidden = (Obligation("hide-attributes", {"attributes": ["00101040"]}),)
        return decision._replace(obligations=hidden if question.studies else ())

    monkeypatch.setattr(Policy, "decide", obliged)
    answer = await search(run, "PatientAddress=Main*")
    assert (answer.status, answer.reasons) == (409, ["view-changed"])
