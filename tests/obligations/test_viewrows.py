from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from leadglass.deid.headers import header_of
from leadglass.deid.masks import Mask, Masks, Rectangle
from leadglass.model.errors import Cut, Refusal
from leadglass.model.facts import Resource, Study
from leadglass.model.reasons import Code
from leadglass.obligations.treatment import PageRow
from leadglass.obligations.viewrows import metadata, shown
from support.facts import element, instance_row, study_row
from support.matches import code
from support.views import FakePictures, looking

STUDY = Study("1.2", patient_id="P001")
CT, US = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.6.1"


def instance(uid: str, sop_class: str = CT, modality: str = "CT") -> dict[str, Any]:
    return {
        **instance_row("1.2", "1.2.1", uid),
        "00080016": element("UI", sop_class),
        "00080060": element("CS", modality),
        "00100010": element("PN", {"Alphabetic": "Demo^Patient"}),
        "00081190": element("UR", f"http://archive/studies/1.2/series/1.2.1/instances/{uid}"),
        "7FE00010": {"vr": "OW", "BulkDataURI": f"http://archive/studies/1.2/instances/{uid}/bulk/7fe00010"},
        "00420011": {"vr": "OB", "BulkDataURI": "http://archive/document"},
    }


PICTURES = FakePictures(
    {"1.2.1": {uid: header_of(instance(uid, *how)) for uid, how in {"1": (), "2": (US, "US")}.items()}}
)


async def body(data: object) -> AsyncIterator[bytes]:
    yield orjson.dumps(data)


async def test_rows_of_studies() -> None:
    view, projects = looking("/dicom-web/studies", STUDY)
    rows = [PageRow("1.2", study_row("1.2"), 0), PageRow("1.9", study_row("1.9"), 1)]
    (row,) = await shown(view, rows, "study")
    assert row.study_uid == "1.2"  # for the record
    assert b"P001" not in orjson.dumps(row.row)
    assert row.row["0020000D"]["Value"] == [view.spelt("0020000D", "1.2")]
    assert {one.original for one in projects.kept} >= {"1.2", "P001"}


async def test_rows_of_instances_and_series_leave_out_what_is_not_in_the_view() -> None:
    view, _ = looking("/dicom-web/studies/1.2/instances", STUDY, pictures=PICTURES)
    rows = [PageRow("1.2", instance(uid), at) for at, uid in enumerate(("1", "2", "3"))]
    (row,) = await shown(view, rows, "instance")
    assert row.place == 0
    (link,) = row.row["00081190"]["Value"]
    assert link.startswith("https://pacs.example.org/dicom-web/studies/2.25.")
    series = {**instance_row("1.2", "1.2.1", "1"), "00201209": element("IS", 2)}
    (row,) = await shown(view, [PageRow("1.2", series, 0)], "series")
    assert row.row["00201209"]["Value"] == [1]
    assert await shown(view, [PageRow("1.2", instance_row("1.2", "1.9", "1"), 0)], "series") == []


async def test_metadata_has_handles_and_no_address_of_the_archive() -> None:
    view, projects = looking("/dicom-web/studies/1.2/metadata", STUDY)
    rows = [instance("1"), instance("2", US, "US")]
    (made,) = [piece async for piece in metadata(view, body(rows), Resource("study", "1.2"), STUDY)]
    (row,) = orjson.loads(made)
    assert b"archive" not in made
    assert b"Demo" not in made
    uri = row["7FE00010"]["BulkDataURI"]
    handle = uri.rpartition("/handles/")[2]
    assert (await projects.original(handle) or ("", ""))[1] == "1/7FE00010"
    assert "00420011" not in row or "BulkDataURI" not in row["00420011"]
    assert row["00120062"]["Value"] == ["YES"]


async def test_pictures_in_items_have_no_handles_nor_do_masked_ones_of_floats() -> None:
    floats = {"7FE00008": {"vr": "OF", "BulkDataURI": "http://archive/floats"}, "00280010": element("US", 4)}
    row = {
        **instance("1"),
        **floats,
        "00280011": element("US", 4),
        "00080070": element("LO", "ACME"),
        "00081090": element("LO", "Writer"),
        "00283010": {"vr": "SQ", "Value": [{"7FE00010": {"vr": "OW", "BulkDataURI": "http://archive/nested"}}]},
    }
    region = Rectangle(left=0, top=0, width=4, height=1)
    mask = Mask(manufacturer="ACME", model="Writer", rows=4, columns=4, remove=(region,))
    for masks, shown_floats in ((Masks(), True), (Masks((mask,)), False)):
        view, _ = looking("/dicom-web/studies/1.2/metadata", STUDY, masks=masks)
        (made,) = [piece async for piece in metadata(view, body([row]), Resource("study", "1.2"), STUDY)]
        (found,) = orjson.loads(made)
        assert "BulkDataURI" not in str(found["00283010"])
        assert ("BulkDataURI" in found.get("7FE00008", {})) is shown_floats
        assert ("BulkDataURI" in found["7FE00010"]) is shown_floats


@pytest.mark.parametrize("told", [{}, {"0020000D": element("UI", "1.9")}, {"0020000E": element("UI", "1", "2")}])
async def test_metadata_of_others_ends_the_reply(told: dict[str, Any]) -> None:
    view, _ = looking("/dicom-web/studies/1.2/metadata", STUDY)
    row = {**instance("1"), **told} if told else {"00080018": element("UI", "1")}
    with pytest.raises(Cut):
        await anext(metadata(view, body([row]), Resource("study", "1.2"), STUDY))


async def test_an_instance_at_risk_is_refused_by_itself_in_words() -> None:
    view, _ = looking("/dicom-web/studies/1.2/metadata", STUDY)
    resource = Resource("study", "1.2")
    for wanted, said in (
        (replace(resource, series_uid="1.2.1", instance_uid="2"), Code.PIXELS_AT_RISK),
        (resource, Code.STUDY_NOT_VISIBLE),
    ):
        with pytest.raises(Refusal) as caught:
            await anext(metadata(view, body([instance("2", US, "US")]), wanted, STUDY))
        assert code(caught) == said
