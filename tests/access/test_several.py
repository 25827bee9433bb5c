"""Several archives behind one gateway: routed by mount, and nothing that is known of one serves the other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from support.gateway import CT, MR, FakeArchive, Running, fake_archive, multipart, running
from support.studies import instance

SECOND = "{kind: generic, url: %s, mount: /vna/rs, wado_mount: /vna/wado}"
AGAIN = "{kind: generic, url: %s, mount: /again/rs, wado_mount: /again/wado}"
HERE, THERE = "/dicom-web", "/vna/rs"
# What stands under the CT's UIDs in the other archive: images of the patient whom only oncologists may see.
TWIN = instance(study=CT.uid, series=CT.series, sop=CT.instances[0].sop, patient_id="P002", modality="MR")
ALONE = instance(study="1.2.3.4", series="1.2.3.4.1", sop="1.2.3.4.1.1", patient_id="P077")


def add(folder: Path, url: str) -> None:
    file = folder / "leadglass.yaml"
    file.write_text(file.read_text().replace("upstreams: {", f"upstreams: {{vna: {SECOND % url}, ", 1))


@pytest.fixture
async def vna() -> AsyncIterator[FakeArchive]:
    async with fake_archive([TWIN, ALONE]) as archive:
        yield archive


@pytest.fixture
async def two(tmp_path: Path, vna: FakeArchive) -> AsyncIterator[Running]:
    async with running(tmp_path, change=lambda folder: add(folder, vna.url)) as run:
        yield run


def study(mount: str, uid: str = CT.uid) -> str:
    return f"{mount}/studies/{uid}/metadata"


async def test_each_mount_leads_to_its_own_archive(two: Running, vna: FakeArchive) -> None:
    assert (await two.ask(study(THERE, "1.2.3.4"))).status == 200
    assert not two.archive.relayed
    assert vna.relayed == ["GET /dicom-web/studies/1.2.3.4/metadata"]
    assert (await two.ask(study(HERE, "1.2.3.4"))).status == 404
    assert (await two.ask(study(HERE))).status == 200
    assert two.archive.relayed == [f"GET /dicom-web/studies/{CT.uid}/metadata"]


@pytest.mark.parametrize("first", [HERE, THERE])
async def test_one_uid_in_two_archives_is_two_studies(two: Running, first: str) -> None:
    allowed = {HERE: 200, THERE: 404}
    order = [first, THERE if first == HERE else HERE]
    for mount in (*order, *order):  # the second time everything is cached and leased
        assert (await two.ask(study(mount))).status == allowed[mount]
    told = {line["resource"]["upstream"]: line["patient"]["id"] for line in two.record("decision")}
    assert told == {"main": "P001", "vna": "P002"}


async def test_leases_of_one_archive_are_none_in_another(two: Running, vna: FakeArchive) -> None:
    vna.answer("/dicom-web/studies", [])  # nothing is known there
    token = two.token()
    first, again, other = [await two.ask(study(mount), token=token) for mount in (HERE, HERE, THERE)]
    assert [answer.status for answer in (first, again, other)] == [200, 200, 404]
    assert [two.about(answer)[0]["type"] for answer in (first, again, other)] == ["decision", "use", "decision"]


async def test_an_instance_is_placed_in_its_own_archive_alone(two: Running) -> None:
    slice_two = f"studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[1].sop}/metadata"
    token = two.token("oncologist")
    asked = [await two.ask(f"{mount}/{slice_two}", token=token) for mount in (HERE, THERE, HERE)]
    assert [answer.status for answer in asked] == [200, 404, 200]
    assert two.about(asked[1])[-1]["decision"]["detail"] == "the instance is not of this series"


async def test_a_search_shows_what_its_own_archive_holds(two: Running) -> None:
    here = await two.ask(f"{HERE}/studies?StudyInstanceUID={CT.uid}")
    there = await two.ask(f"{THERE}/studies")
    assert [row["00100020"]["Value"] for row in here.json] == [["P001"]]
    assert [row["00100020"]["Value"] for row in there.json] == [["P077"]]


async def test_a_store_is_judged_by_the_archive_it_goes_to(two: Running, vna: FakeArchive) -> None:
    await two.ask(study(HERE))
    for mount, patient, status in (
        (THERE, "P001", 404),
        (HERE, "P002", 404),
        (THERE, "P002", 200),
        (HERE, "P001", 200),
    ):
        part = instance(study=CT.uid, series=CT.series, sop=f"{CT.uid}.7.{mount.count('r')}", patient_id=patient)
        kind, body = multipart(part)
        answer = await two.ask(f"{mount}/studies", kind, method="POST", body=body, token=two.token("technologist"))
        assert answer.status == status, (mount, patient, two.about(answer))
    posts = [[asked for asked in one.asked if asked.startswith("POST")] for one in (two.archive, vna)]
    assert [len(posted) for posted in posts] == [2, 2]


async def test_one_that_is_down_leaves_the_others_at_work(two: Running, vna: FakeArchive) -> None:
    async def gone(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    vna.replaced["/"] = gone
    assert (await two.ask(study(THERE))).status in {404, 502}
    assert (await two.ask(study(HERE))).status == 200
    assert {name: told["state"] for name, told in two.gateway.status()["upstreams"].items()} == {
        "vna": "upstream-unreachable", "main": "ok",
    }  # fmt: skip
    assert all((await two.gateway.ready()).values())
    del vna.replaced["/"]
    assert (await two.ask(study(THERE, "1.2.3.4"))).status == 200
    assert two.gateway.status()["upstreams"]["vna"]["state"] == "ok"


async def test_one_that_is_slow_does_not_hold_the_places_of_another(two: Running, vna: FakeArchive) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        asked.set()
        await go.wait()
        return web.json_response([])

    vna.replaced["/dicom-web/studies/1.2.3.4/metadata"] = slow
    waiting = [asyncio.create_task(two.ask(study(THERE, "1.2.3.4"))) for _ in range(30)]
    await asked.wait()
    assert (await two.ask(study(HERE))).status == 200
    go.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} <= {200, 502, 503}


async def test_a_reload_that_removes_one_ends_what_runs_there_and_nothing_else(two: Running, vna: FakeArchive) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        begun.set()
        await go.wait()
        return web.json_response([], content_type="application/dicom+json")

    vna.replaced["/dicom-web/studies/1.2.3.4/metadata"] = slow
    kept = two.gateway.parts.archives["main"]
    waiting = asyncio.create_task(two.ask(study(THERE, "1.2.3.4")))
    await begun.wait()
    file = two.folder / "leadglass.yaml"
    file.write_text(file.read_text().replace(f"vna: {SECOND % vna.url}, ", ""))
    await two.gateway.reload()
    assert (await waiting).reasons == ["route-unknown"]
    go.set()
    assert two.gateway.parts.archives == {"main": kept}
    assert (await two.ask(study(THERE, "1.2.3.4"))).reasons == ["route-unknown"]
    assert (await two.ask(study(HERE))).status == 200


async def test_a_name_that_moves_to_another_archive_takes_nothing_along(two: Running, vna: FakeArchive) -> None:
    assert (await two.ask(study(HERE))).status == 200
    file, main = two.folder / "leadglass.yaml", two.archive.url
    moved = file.read_text().replace(vna.url, "SWAP").replace(main, vna.url).replace("SWAP", main)
    file.write_text(moved)
    await two.gateway.reload()
    assert (await two.ask(study(HERE))).status == 404  # of the patient whom only oncologists may see
    assert (await two.ask(study(THERE))).status == 200


async def test_what_runs_in_one_archive_is_not_judged_by_the_facts_of_another(two: Running, vna: FakeArchive) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        begun.set()
        await go.wait()
        return web.json_response([], content_type="application/dicom+json")

    vna.replaced[f"/dicom-web/studies/{CT.uid}/metadata"] = slow
    waiting = asyncio.create_task(two.ask(study(THERE), token=two.token("oncologist")))
    await begun.wait()
    file, main = two.folder / "leadglass.yaml", two.archive.url
    file.write_text(file.read_text().replace(vna.url, "SWAP").replace(main, vna.url).replace("SWAP", main))
    await two.gateway.reload()  # the name stands for an archive in which that UID is another patient's
    assert (await waiting).reasons == ["route-unknown"]
    go.set()


async def test_what_is_being_stored_is_one_for_all_names_of_an_archive_and_outlasts_a_reload(tmp_path: Path) -> None:
    async with (
        fake_archive([ALONE]) as archive,
        running(tmp_path, change=lambda folder: add(folder, archive.url)) as run,
    ):
        file = run.folder / "leadglass.yaml"
        text = file.read_text().replace("upstreams: {", f"upstreams: {{again: {AGAIN % archive.url}, ", 1)
        file.write_text(text)
        await run.gateway.reload()
        first = run.gateway.parts.archives
        assert first["vna"].studies.begin("1.9", "P001")
        assert not first["again"].studies.begin("1.9", "P002")
        assert first["main"].studies.begin("1.9", "P002"), "another archive"
        file.write_text(f"{text}time_zone: Europe/Berlin\n")
        await run.gateway.reload()
        assert run.gateway.parts.archives["vna"].studies is not first["vna"].studies
        assert not run.gateway.parts.archives["vna"].studies.begin("1.9", "P002")
        first["vna"].studies.end("1.9")
        assert run.gateway.parts.archives["again"].studies.begin("1.9", "P002")


async def test_metrics_name_the_archive(two: Running) -> None:
    from leadglass.telemetry import metrics

    await two.ask(study(HERE, MR.uid))
    page = metrics.render().decode()
    for name in ("main", "vna"):
        assert f'leadglass_upstream_connections{{state="running",upstream="{name}"}} 0.0' in page
        assert f'leadglass_upstream_up{{upstream="{name}"}} 1.0' in page


async def test_a_role_may_be_for_some_archives_only(tmp_path: Path, vna: FakeArchive) -> None:
    roles = "transactions: ['wado-rs.*', 'qido-rs.*']\nroles: {radiologist: {allow: [{actions: [retrieve, search], upstreams: [main]}]}}\n"

    def change(folder: Path) -> None:
        add(folder, vna.url)
        (folder / "policies/data/roles.yaml").write_text(roles)

    async with running(tmp_path, change=change) as run:
        assert [(await run.ask(study(HERE))).status, (await run.ask(f"{HERE}/studies")).status] == [200, 200]
        for path in (study(THERE, "1.2.3.4"), f"{THERE}/studies"):
            assert (await run.ask(path)).reasons == ["not-granted"]
    assert not vna.relayed
