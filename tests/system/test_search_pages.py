"""Pages of a real Orthanc, whose order is its own, walked while studies come in and go: every row once, and none lost."""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from support.gateway import Answer, Running, running
from support.orthanc import Orthanc
from support.studies import instance

pytestmark = pytest.mark.system

ROOT = "1.2.826.0.1.3680043.10.1491.700"
KEPT = 90
INSERTED = 40
DAY = "20260102"
TAGS = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
_numbers = count()


def stored(orthanc: Orthanc, *, hidden: bool = False, modality: str = "MR", name: str = "Pages^Many") -> str:
    """Store a study of one instance, and return its UID."""
    uid = f"{ROOT}.{next(_numbers)}"
    patient = "P002" if hidden else "P001"  # the one whose MR is for oncologists alone
    orthanc.upload(
        instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.1", modality=modality, patient_id=patient, patient_name=name, size=0)
    )  # fmt: skip
    return uid


def deleted(orthanc: Orthanc, uid: str) -> None:
    status, _, found = orthanc.request("POST", "/tools/lookup", uid.encode())
    assert status == 200
    for known in json.loads(found):
        assert orthanc.request("DELETE", known["Path"])[0] == 200


class Shelf:
    """The studies of one test, which are gone again after it: `many` may be seen, and as many may not."""

    def __init__(self, orthanc: Orthanc) -> None:
        self.orthanc, self.uids = orthanc, list[str]()
        self.many = [self.store() for _ in range(KEPT)]
        for _ in range(KEPT):
            self.store(hidden=True)

    def store(self, *, hidden: bool = False) -> str:
        self.uids.append(stored(self.orthanc, hidden=hidden))
        return self.uids[-1]

    def delete(self, uid: str) -> None:
        deleted(self.orthanc, uid)
        self.uids.remove(uid)


@pytest.fixture
def shelf(orthanc: Orthanc) -> Iterator[Shelf]:
    shelf = Shelf(orthanc)
    yield shelf
    for uid in list(shelf.uids):
        shelf.delete(uid)


@pytest.fixture
async def run(tmp_path: Path, orthanc: Orthanc) -> AsyncIterator[Running]:
    async with running(tmp_path, upstream=orthanc.url, kind="orthanc") as run:
        yield run


async def page(run: Running, token: str, level: str, offset: int, limit: int = 10) -> Answer:
    return await run.ask(f"/dicom-web/{level}?PatientName=Pages%5EMany&limit={limit}&offset={offset}", token=token)


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
async def test_pages_hold_every_row_once_while_studies_come_in_and_go(run: Running, shelf: Shelf, level: str) -> None:
    token, tail = run.token(), {"studies": "", "series": ".1", "instances": ".1.1"}[level]
    walked, came, gone, offset = list[str](), list[str](), set[str](), 0
    while rows := (await page(run, token, level, offset)).json:
        walked += (row[TAGS[level]]["Value"][0].removesuffix(tail) for row in rows)
        offset += len(rows)
        if len(came) < INSERTED:
            came += (shelf.store(hidden=bool(number % 2)) for number in range(4))
            victim = next(uid for uid in walked if uid in shelf.many and uid not in gone)
            shelf.delete(victim)
            gone.add(victim)
    assert len(walked) == len(set(walked)), "a row came twice"
    assert set(shelf.many) - gone <= set(walked), "a row was lost"
    assert set(walked) <= {*shelf.many, *came[::2]}, "a row that is hidden"
    assert len(came) >= INSERTED


async def test_orthanc_by_itself_repeats_rows(shelf: Shelf) -> None:
    """What the test above would find without the gateway: the order is Orthanc's own, and rows move on."""
    walked = list[str]()
    for offset in range(0, 2 * KEPT, 10):
        _, _, body = shelf.orthanc.request("GET", f"/dicom-web/studies?PatientName=Pages^Many&limit=10&offset={offset}")
        walked += (row["0020000D"]["Value"][0] for row in json.loads(body))
        for _ in range(4):
            shelf.store()
    assert len(walked) > len(set(walked))


async def test_a_page_is_full_whatever_is_hidden(run: Running, shelf: Shelf) -> None:
    answer = await page(run, run.token(), "studies", 0, 60)
    found = {row[TAGS["studies"]]["Value"][0] for row in answer.json}
    assert len(found) == 60
    assert found <= set(shelf.many)
    assert "299" in answer.headers["warning"]
    rest = await page(run, run.token(), "studies", 60, 60)
    assert len(rest.json) == 30
    assert "warning" not in rest.headers


async def test_pages_by_modality_follow_one_another(run: Running, shelf: Shelf) -> None:
    """Orthanc by itself gives an empty second page of a search by modality."""
    token, walked = run.token(), list[str]()
    for offset in range(0, 200, 30):
        answer = await run.ask(f"/dicom-web/studies?ModalitiesInStudy=MR&limit=30&offset={offset}", token=token)
        walked += (row[TAGS["studies"]]["Value"][0] for row in answer.json)
    assert set(shelf.many) <= set(walked)
    assert len(walked) == len(set(walked))


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
async def test_orthanc_is_asked_for_the_modalities_of_a_role_alone(
    tmp_path: Path, orthanc: Orthanc, level: str
) -> None:
    def change(folder: Path) -> None:
        (folder / "policies/data/roles.yaml").write_text(
            'transactions: ["qido-rs.*"]\neveryone: {description: none, allow: []}\nroles:\n'
            "  reader: {description: two kinds, allow: [{actions: [search], modalities: [CT, PT]}]}\n"
        )

    mine = [stored(orthanc, modality=modality, name="Kinds^Few") for modality in ("CT", "PT", "US", "MR")]
    try:
        async with running(tmp_path, upstream=orthanc.url, kind="orthanc", change=change) as run:
            answer = await run.ask(f"/dicom-web/{level}?StudyDate={DAY}&limit=200", token=run.token("reader"))
            tail = {"studies": "", "series": ".1", "instances": ".1.1"}[level]
            found = {row[TAGS[level]]["Value"][0] for row in answer.json}
            assert {uid + tail for uid in mine} & found == {uid + tail for uid in mine[:2]}
    finally:
        for uid in mine:
            deleted(orthanc, uid)
