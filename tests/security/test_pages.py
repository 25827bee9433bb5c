"""One study made to be a nuisance must not take everybody's search results away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.facts import element, series_row, study_row
from support.gateway import CT, Running, running

PLANTED = "1.2.826.0.1.3680043.10.1491.66"


@pytest.fixture
async def lists(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that asks for the facts of a page in one query."""
    async with running(tmp_path, kind="orthanc") as run:
        yield run


@pytest.mark.parametrize("tag", ["00081030", "00100020", "00080090"])
async def test_a_planted_text_of_a_megabyte_hides_nothing_else(lists: Running, tag: str) -> None:
    run, planted = lists, study_row(PLANTED)
    planted[tag] = element("LO", "\x01" * 690_000)
    run.archive.answer("/dicom-web/studies", [study_row(CT.uid), planted])
    run.archive.answer("/dicom-web/series", [series_row(CT.uid), series_row(PLANTED)])
    for uid in (CT.uid, PLANTED):
        run.archive.answer(f"/dicom-web/studies/{uid}/series", [series_row(uid)])
    answer = await run.ask("/dicom-web/studies")
    assert answer.status == 200, answer.body
    assert CT.uid.encode() in answer.body


async def test_a_patient_id_beyond_bounds_is_one_that_is_not_known(run: Running) -> None:
    planted = study_row(PLANTED, modalities=["MR"])
    planted["00100020"] = element("LO", "P" * 5_000)
    run.archive.answer("/dicom-web/studies", [planted])
    run.archive.answer(f"/dicom-web/studies/{PLANTED}/series", [series_row(PLANTED, modality="MR")])
    assert (await run.ask(f"/dicom-web/studies/{PLANTED}/metadata")).status == 404
