from dataclasses import replace

import pytest

from leadglass.deid.instance import Header
from leadglass.deid.known import Known
from leadglass.model.errors import Refusal
from leadglass.model.facts import Study
from leadglass.model.reasons import Code
from leadglass.obligations.view import View
from support.matches import code, placed
from support.views import FakeProjects, looking

STUDY = Study("1.2.3", patient_id="P001")
TARGET = "/dicom-web/studies/1.2.3/series/1.4/metadata"


def spelt(view: View, target: str) -> View:
    """Return the view of the same request, as the client spelt it."""
    occasion = replace(view.occasion, asked=placed(target))
    return View(occasion, view.lens, view.project, FakeProjects())


def test_only_the_spelling_of_the_view_is_taken() -> None:
    view, _ = looking(TARGET, STUDY)
    study, series = (view.spelt(tag, uid) for tag, uid in (("0020000D", "1.2.3"), ("0020000E", "1.4")))
    spelt(view, f"/dicom-web/studies/{study}/series/{series}/metadata").check_spelling()
    for wrong in ("1.2.3/series/1.4", f"{study}/series/1.4", f"1.2.3/series/{series}", f"{series}/series/{study}"):
        with pytest.raises(Refusal) as caught:
            spelt(view, f"/dicom-web/studies/{wrong}/metadata").check_spelling()
        assert code(caught) == Code.STUDY_NOT_VISIBLE
    with pytest.raises(Refusal):
        view.check_spelling()  # as it is


async def test_what_is_shown_is_written_down_before() -> None:
    view, projects = looking(TARGET, STUDY)
    values = view.values(STUDY, Known())
    shown = values.pseudonyms.uid("1.2.3")
    await view.keep()
    assert [(one.pseudonym, one.original) for one in projects.kept] == [(shown, "1.2.3")]
    await view.keep()
    assert len(projects.kept) == 1


def test_nothing_is_shown_of_a_study_of_which_nobody_knows_whose_it_is() -> None:
    view, _ = looking(TARGET, STUDY)
    question = view.occasion.question
    assert question is not None
    occasion = replace(view.occasion, question=replace(question, missing=("studies[0].patient_id",)))
    with pytest.raises(Refusal) as caught:
        View(occasion, view.lens, view.project, FakeProjects()).values(STUDY, Known())
    assert code(caught) == Code.UPSTREAM_UNREACHABLE


async def test_identifiers_are_read_back() -> None:
    view, _ = looking(TARGET, STUDY)
    values = view.values(STUDY, Known())
    patient, accession = values.pseudonyms.patient_id, values.pseudonyms.identifier("accession-number", "A1")
    await view.keep()
    assert await view.original(0x00100020, patient) == "P001"
    assert await view.original(0x00080050, accession) == "A1"
    assert await view.original(0x00100020, "P001") is None


def test_pixels_and_bulk_data_of_the_view() -> None:
    view, _ = looking(TARGET, STUDY)
    assert view.judge(Header("", sop_class_uid="1.2.840.10008.5.1.4.1.1.2", modality="CT")) is not None
    assert view.judge(Header("", sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1", modality="US")) is None
    assert view.shows_bulk("7FE00010")
    assert not view.shows_bulk("00420011")  # an encapsulated document
    assert not view.shows_bulk("00100010")
    assert not view.shows_bulk("00283010.7FE00010")  # a picture in an item, which nobody judged
    assert view.shows_bulk("00283010.00283006")  # LUT Data
    assert not view.shows_bulk("00880200.00283006")  # of an icon, which is not shown
    assert view.handle("1.2", "7FE00010") != view.handle("1.3", "7FE00010")


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises(Refusal) as caught:
        looking(TARGET, STUDY, profile="unheard-of")
    assert code(caught) == Code.PROFILE_UNKNOWN
