"""Projects: stable pseudonyms, mappings that open what they should and nothing else, keys that change and go."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.deid.pseudonyms import ACCESSION_NUMBER, PATIENT_ID, Patient, Pseudonyms
from leadglass.hazmat.mac import KEY_BYTES
from leadglass.limits import PROJECTS
from leadglass.model.errors import Refusal
from leadglass.model.project import Project
from leadglass.projects import projects as module
from leadglass.projects.projects import Projects
from support.device import ADMIN
from support.projects import PATIENT, Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as desk:
        yield desk


def refused(name: str, projects: Projects) -> str:
    with pytest.raises(Refusal) as refusal:
        projects.get(name)
    return refusal.value.causes[0].reason.code


async def shown(desk: Desk, project: Project, uid: str = "1.2.3") -> str:
    """Return the UID that stands for `uid`, kept."""
    made = desk.pseudonyms(project)
    pseudonym = made.uid(uid)
    await desk.projects.keep(project, made.take())
    return pseudonym


async def test_pseudonyms_are_the_same_after_a_restart(desk: Desk) -> None:
    project = await desk.made()
    made = desk.pseudonyms(project)
    before = (made.uid("1.2.3"), made.patient_id, made.shift)
    await desk.again()
    again = desk.pseudonyms(desk.projects.get("lung"))
    assert (again.uid("1.2.3"), again.patient_id, again.shift) == before
    assert desk.projects.get("lung") == project


async def test_projects_have_nothing_in_common(desk: Desk) -> None:
    one, other = await desk.made(), await desk.made("heart")
    assert desk.pseudonyms(one).uid("1.2.3") != desk.pseudonyms(other).uid("1.2.3")
    assert desk.pseudonyms(one).patient_id != desk.pseudonyms(other).patient_id


async def test_what_was_kept_is_found_and_what_was_not_is_not(desk: Desk) -> None:
    project = await desk.made()
    made = desk.pseudonyms(project)
    unkept = made.uid("1.2.4")
    made.take()
    uid, patient, accession = made.uid("1.2.3"), made.patient_id, made.identifier(ACCESSION_NUMBER, "A1")
    await desk.projects.keep(project, made.take())
    for _ in range(2):  # from what is remembered, and from the store
        projects = desk.projects
        assert await projects.original(uid) == (project, "1.2.3")
        assert await projects.original(unkept) is None
        assert await projects.original_patient(project, patient) == PATIENT
        assert await projects.original_identifier(project, ACCESSION_NUMBER, accession) == "A1"
        assert await projects.original_identifier(project, PATIENT_ID, accession) is None
        assert await projects.original_patient(project, accession) is None
        await desk.again()


async def test_an_identifier_is_of_its_project_alone(desk: Desk) -> None:
    one, other = await desk.made(), await desk.made("heart")
    made = desk.pseudonyms(one)
    patient = made.patient_id
    await desk.projects.keep(one, made.take())
    assert await desk.projects.original_patient(other, patient) is None


async def test_nothing_that_a_pseudonym_stands_for_is_in_the_store_in_the_clear(desk: Desk) -> None:
    project = await desk.made()
    made = desk.projects.pseudonyms(project, Patient.of("hospital-of-canaries", "CANARY-4711"), 365)
    for text in (made.uid("1.2.276.0.7230010.3.77777"), made.patient_id):
        assert text
    await desk.projects.keep(project, made.take())
    await desk.store.close()
    for file in desk.folder.iterdir():
        data = file.read_bytes()
        assert not any(canary in data for canary in (b"CANARY", b"canaries", b"77777")), file
    assert stat.S_IMODE(desk.key.stat().st_mode) == 0o600
    await desk.__aenter__()


async def test_one_that_is_not_there_is_unknown(desk: Desk) -> None:
    assert refused("lung", desk.projects) == "project-unknown"
    await desk.made()
    assert await desk.projects.create("lung", "Another", "basic", ADMIN) is None
    assert desk.projects.get("lung").title == "Lung study"


async def test_a_rotated_project_opens_nothing_of_before_and_still_tells_who_it_was(desk: Desk) -> None:
    project = await desk.made()
    old = await shown(desk, project)
    rotated = await desk.projects.rotate("lung", ADMIN)
    assert rotated is not None
    assert rotated.generation == 2
    for _ in range(2):
        assert await desk.projects.original(old) is None
        new = await shown(desk, desk.projects.get("lung"))
        assert new != old
        assert await desk.projects.original(new) == (rotated, "1.2.3")
        assert await desk.projects.reidentify("lung", old) == [{"kind": "uid", "original": "1.2.3"}]
        await desk.again()


async def test_a_view_that_is_under_way_ends_when_its_project_changes(desk: Desk) -> None:
    project = await desk.made()
    await shown(desk, project)
    made, generation = desk.pseudonyms(project), desk.epochs.generation
    made.uid("1.2.3")  # known, so nothing would be written
    await desk.projects.rotate("lung", ADMIN)
    assert desk.epochs.generation > generation, "what runs is judged again"
    with pytest.raises(Refusal, match="project-closed"):
        await desk.projects.keep(project, made.take())
    with pytest.raises(Refusal, match="project-closed"):
        desk.pseudonyms(project)


async def test_a_closed_project_opens_nothing_and_still_tells_who_it_was(desk: Desk) -> None:
    project = await desk.made()
    pseudonym = await shown(desk, project)
    assert await desk.projects.close("lung", ADMIN) == await desk.projects.close("lung", ADMIN)
    for _ in range(2):
        assert refused("lung", desk.projects) == "project-closed"
        assert await desk.projects.original(pseudonym) is None
        with pytest.raises(Refusal, match="project-closed"):
            await desk.projects.keep(project, [])
        with pytest.raises(Refusal, match="project-closed"):
            await desk.projects.rotate("lung", ADMIN)
        assert await desk.projects.reidentify("lung", pseudonym) == [{"kind": "uid", "original": "1.2.3"}]
        await desk.again()


async def test_a_destroyed_key_opens_with_nothing_that_is_left(desk: Desk) -> None:
    """Not even out of a copy of the store that was made before, nor of pages that sqlite left in the file."""
    project, other = await desk.made(), await desk.made("heart")
    pseudonym = await shown(desk, project)
    kept = await shown(desk, other, "1.2.4")
    await desk.store.close()
    copy = (desk.folder / "leadglass.db").read_bytes()
    await desk.__aenter__()
    destroyed = await desk.projects.destroy("lung", ADMIN)
    assert destroyed is not None
    assert (destroyed.state, destroyed.destroyed) == ("closed", desk.clock.now())
    for _ in range(2):
        assert await desk.projects.reidentify("lung", pseudonym) == []
        assert await desk.projects.original(pseudonym) is None
        assert await desk.projects.original(kept) == (other, "1.2.4"), "others keep theirs"
        assert refused("lung", desk.projects) == "project-closed"
        await desk.again()
    await desk.store.close()
    assert len(desk.key.read_bytes()) == KEY_BYTES
    (desk.folder / "leadglass.db").write_bytes(copy)
    await desk.__aenter__()
    assert refused("lung", desk.projects) == "project-closed"
    assert await desk.projects.reidentify("lung", pseudonym) == []
    assert desk.projects.one("none") is None


@pytest.mark.parametrize("verb", ["destroy", "rotate_seal"])
async def test_a_change_of_the_seal_that_broke_off_is_finished(desk: Desk, verb: str) -> None:
    project = await desk.made()
    pseudonym = await shown(desk, project)
    desk.events.broken = True
    for _ in range(3):
        with pytest.raises(Refusal, match="audit-unavailable"):
            await getattr(desk.projects, verb)(*(["lung"] if verb == "destroy" else []), ADMIN)
        assert len(desk.key.read_bytes()) == 2 * KEY_BYTES
        assert await desk.projects.original(pseudonym) == (project, "1.2.3"), "what is not recorded did not happen"
    await desk.again()
    assert len(desk.key.read_bytes()) == KEY_BYTES
    assert await desk.projects.original(pseudonym) == (project, "1.2.3")


async def test_keys_are_sealed_anew(desk: Desk) -> None:
    project = await desk.made()
    pseudonym, before = await shown(desk, project), desk.key.read_bytes()
    assert await desk.projects.rotate_seal(ADMIN) == {"keys": 1}
    assert desk.key.read_bytes() != before
    await desk.again()
    assert await desk.projects.original(pseudonym) == (project, "1.2.3")
    assert desk.events.kinds == ["project-created", "projects-key-rotated"]


async def test_a_lost_key_closes_all_projects_and_loses_no_more(desk: Desk) -> None:
    project = await desk.made()
    pseudonym = await shown(desk, project)
    desk.key.unlink()
    await desk.again()
    assert refused("lung", desk.projects) == "project-closed"
    assert await desk.projects.original(pseudonym) is None
    rotated = await desk.projects.rotate("lung", ADMIN)
    assert rotated is not None
    assert await desk.projects.original(await shown(desk, rotated)) == (rotated, "1.2.3")


@pytest.mark.parametrize("verb", ["create", "rotate", "close", "destroy"])
async def test_nothing_is_done_that_cannot_be_recorded(desk: Desk, verb: str) -> None:
    project = await desk.made()
    desk.events.broken = True
    words = ("heart", "Heart", "basic") if verb == "create" else ("lung",)
    with pytest.raises(Refusal, match="audit-unavailable"):
        await getattr(desk.projects, verb)(*words, ADMIN)
    for _ in range(2):
        assert [one["name"] for one in desk.projects.all()] == ["lung"]
        assert desk.projects.get("lung") == project
        await desk.again()


async def test_what_is_done_is_recorded_with_who_did_it(desk: Desk) -> None:
    await desk.made()
    await desk.projects.rotate("lung", ADMIN)
    await desk.projects.close("lung", ADMIN)
    await desk.projects.destroy("lung", ADMIN)
    assert desk.events.kinds == ["project-created", "project-rotated", "project-closed", "project-key-destroyed"]
    assert all(fields["project"] == "lung" and fields["by"] == ADMIN for _, fields in desk.events.lines)


@pytest.mark.parametrize("verb", ["rotate", "close", "destroy"])
async def test_nothing_is_done_to_one_that_is_not_there(desk: Desk, verb: str) -> None:
    assert await getattr(desk.projects, verb)("lung", ADMIN) is None
    assert desk.events.kinds == []


async def test_there_is_room_for_so_many(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PROJECTS > 100
    monkeypatch.setattr(module, "MOST", 1)
    await desk.made()
    with pytest.raises(Refusal, match="rate-limited"):
        await desk.made("heart")


async def test_what_is_done_at_once_is_done_one_by_one(desk: Desk) -> None:
    await desk.made("heart")
    done = await asyncio.gather(
        desk.projects.create("lung", "One", "basic", ADMIN),
        desk.projects.create("lung", "Other", "basic", ADMIN),
        desk.projects.rotate_seal(ADMIN),
        desk.projects.create("knee", "Knee", "basic", ADMIN),
        desk.projects.destroy("heart", ADMIN),
        desk.projects.rotate("lung", ADMIN),
        desk.projects.rotate_seal(ADMIN),
    )
    assert [one is None for one in done] == [False, True, False, False, False, False, False]
    await desk.again()
    assert (desk.projects.get("lung").generation, desk.projects.get("knee").generation) == (2, 1)
    assert refused("heart", desk.projects) == "project-closed"


async def test_a_key_that_was_brought_makes_the_same_pseudonyms_in_one_project_alone(desk: Desk) -> None:
    key = bytes(range(32))
    made = await desk.projects.create("lung", "Lung", "basic", ADMIN, key)
    assert made is not None
    elsewhere = Pseudonyms(key, PATIENT, 365)
    for _ in range(2):
        assert desk.pseudonyms(made).patient_id == elsewhere.patient_id
        assert await desk.projects.create("heart", "Heart", "basic", ADMIN, key) is None
        await desk.again()
    assert [fields["brought"] for _, fields in desk.events.lines] == [True]
