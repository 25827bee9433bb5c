"""A view that changes while a reply runs: it is cut, and the next reply is as the new view is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leadglass.model.reasons import Code
from support.gateway import CT, HOST, Client, running
from support.streams import FRAMES, SECONDS, completion, ended, endless
from support.views import BY, RESEARCH, Viewing, viewing

DEID = "deid: {profiles: profiles, masks: masks.yaml}\n"
LIVER = "title: Liver\noptions: [retain-modified-dates]\n"


@asynccontextmanager
async def frames(view: Viewing) -> AsyncIterator[Client]:
    """Let a researcher read frames that do not end."""
    (row,) = [row for row in await view.studies() if "CT" in str(row.get("00080061"))]
    study = str(row["0020000D"]["Value"][0])  # type: ignore[index]  # as JSON is
    (series,) = (await view.ask(f"/dicom-web/studies/{study}/series")).json
    base = f"/dicom-web/studies/{study}/series/{series['0020000E']['Value'][0]}/instances"
    instances = (await view.ask(base)).json
    (first,) = [one for one in instances if one["00200013"]["Value"] == [1]] or [instances[0]]
    endless(view.run)
    view.run.archive.replaced[FRAMES.rpartition("/instances/")[0] + "/instances/"] = view.run.archive.replaced[FRAMES]
    token = view.run.token("researcher-lung")
    target = f"{base}/{first['00080018']['Value'][0]}/frames/1"
    async with asyncio.timeout(20), view.run.client() as client:
        head = f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\nLeadglass-Purpose: HRESCH\r\n\r\n"
        await client.send(head.encode())
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        yield client


async def change_profile(view: Viewing) -> None:
    (view.run.folder / "profiles/research.yaml").write_text(LIVER)
    await view.run.gateway.reload()


async def change_masks(view: Viewing) -> None:
    mask = "{manufacturer: A, model: B, rows: 9, columns: 9, remove: [{left: 0, top: 0, width: 1, height: 1}]}"
    (view.run.folder / "masks.yaml").write_text(f"version: 1\nmasks: [{mask}]\n")
    await view.run.gateway.reload()


async def change_table(view: Viewing) -> None:
    table = view.run.folder / "policies/data/research.yaml"
    table.write_text(
        RESEARCH.replace("lung: {roles: [researcher-lung]}", "lung: {roles: [researcher-lung], profile: basic}")
    )
    await view.run.gateway.reload()


async def close_project(view: Viewing) -> None:
    await view.run.gateway.projects.close("lung", BY)


async def rotate_project(view: Viewing) -> None:
    await view.run.gateway.projects.rotate("lung", BY)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (change_profile, Code.VIEW_CHANGED),
        (change_masks, Code.VIEW_CHANGED),
        (change_table, Code.VIEW_CHANGED),
        (close_project, Code.PROJECT_CLOSED),
        (rotate_project, Code.VIEW_CHANGED),
    ],
    ids=lambda it: getattr(it, "__name__", None),
)
async def test_a_view_that_changes_cuts_what_runs(
    tmp_path: Path, act: Callable[[Viewing], Awaitable[None]], code: Code
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "masks.yaml").write_text("version: 1\nmasks: []\n")
    async with viewing(tmp_path, more=DEID) as view, frames(view) as client:
        await act(view)
        async with asyncio.timeout(SECONDS):
            assert await ended(client), "what was made by the old view went on"
        assert (await completion(view.run))["cut_by"] == code


async def test_a_reload_that_changes_nothing_leaves_views_running(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "masks.yaml").write_text("version: 1\nmasks: []\n")
    async with viewing(tmp_path, more=DEID) as view, frames(view) as client:
        await view.run.gateway.reload()
        await client.reader.readexactly(64 * 1024)
        assert len(view.run.gateway.live) == 1
        assert CT.uid in str(view.run.record())


async def test_the_steps_that_set_a_view_up(tmp_path: Path) -> None:
    """As docs/deidentification.md has them: a gateway runs, and a project is put on it."""
    async with running(tmp_path) as run:
        view = Viewing(run)
        asked = "/dicom-web/studies"
        assert (await view.ask(asked)).reasons == ["not-granted"]
        (tmp_path / "policies/data/research.yaml").write_text(
            "purposes: [HRESCH]\nprojects:\n  lung:\n    roles: [researcher-lung]\n    modalities: [CT, PT]\n"
        )
        await run.gateway.reload()
        assert (await view.ask(asked)).reasons == [Code.PROJECT_UNKNOWN]
        assert await run.gateway.projects.create("lung", "Lung nodules", "research", BY) is not None
        (row,) = await view.studies()
        assert "CT" in str(row["00080061"])
        assert (await run.ask(asked, token=run.token("researcher-lung"))).reasons == ["not-granted"]  # no purpose
