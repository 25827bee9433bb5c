from typing import Any

import pytest
from pydantic import ValidationError

from leadglass.codec.routes import Table
from leadglass.obligations.narrow_search import NarrowSearch, NarrowSearchParams
from leadglass.obligations.occasion import Occasion
from support.matches import asked_as, placed

CT = {"00080061": ["CT"]}


async def asked(target: str, keys: dict[str, list[str]], kind: str = "generic") -> str:
    match = Table(kind=kind).match(asked_as(target))
    narrow = NarrowSearch(NarrowSearchParams.model_validate({"keys": keys}))
    assert narrow.fits(match)
    search = (await narrow.ask(match, Occasion(match))).search
    assert search is not None
    return search.text.removesuffix("limit=200").removesuffix("&")


@pytest.mark.parametrize(
    ("target", "keys", "kind", "text"),
    [
        ("/dicom-web/studies", CT, "generic", "00080061=CT"),
        ("/dicom-web/series", CT, "generic", "00080060=CT"),
        ("/dicom-web/instances", CT, "orthanc", "00080060=CT"),
        ("/dicom-web/studies", {"00080061": ["CT", "MR"]}, "orthanc", "00080061=CT,MR"),
        ("/dicom-web/studies", {"00080061": ["CT", "MR"]}, "dcm4chee", "00080061=CT,MR&orderby=StudyInstanceUID"),
        ("/dicom-web/studies", {"00080061": ["CT", "MR"]}, "generic", ""),  # it may not take several
        ("/dicom-web/studies", {"0020000D": ["1.2", "1.3"]}, "orthanc", "0020000D=1.2,1.3"),
        ("/dicom-web/studies", {"00080020": ["20260101-"]}, "generic", "00080020=20260101-"),
        ("/dicom-web/studies?ModalitiesInStudy=US", CT, "generic", "00080061=US"),  # what is asked for stays
        ("/dicom-web/studies?StudyDate=20260101", CT, "generic", "00080020=20260101&00080061=CT"),
    ],
)
async def test_the_archive_is_asked_for_less(target: str, keys: dict[str, list[str]], kind: str, text: str) -> None:
    assert await asked(target, keys, kind) == text


async def test_a_study_in_the_address_is_judged_by_itself() -> None:
    assert "CT" not in await asked("/dicom-web/studies/1.2.3/series", CT)


def test_only_searches_have_keys() -> None:
    narrow = NarrowSearch(NarrowSearchParams.model_validate({"keys": CT}))
    assert not narrow.fits(placed("/dicom-web/studies/1.2.3"))
    assert not narrow.changes


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"00080061": []},
        {"ModalitiesInStudy": ["CT"]},
        {"00080061": ["CT\\MR"]},
        {"00080061": ["C*"]},
        {"00080061": [""]},
    ],
)
def test_keys_that_are_none(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NarrowSearchParams.model_validate({"keys": keys})
