"""How dcm4chee is asked, as its documentation and source have it."""

import pytest

from leadglass.codec.kinds.dcm4chee import DCM4CHEE
from leadglass.codec.routes import Table
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from support.matches import asked_as

TABLE = Table(kind="dcm4chee")
I = "/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4"  # noqa: E741 - as the route table has it


@pytest.mark.parametrize(
    ("target", "order"),
    [
        ("/dicom-web/studies?offset=10", "StudyInstanceUID"),
        ("/dicom-web/studies/1.2/series", "SeriesInstanceUID"),
        ("/dicom-web/series", "SeriesInstanceUID"),
        ("/dicom-web/studies/1.2/series/1.2.3/instances", "SOPInstanceUID"),
    ],
)
def test_pages_follow_one_another_because_an_order_is_asked_for(target: str, order: str) -> None:
    assert f"&orderby={order}&limit=" in f"&{TABLE.match(asked_as(target)).ask.query}"


@pytest.mark.parametrize("word", ["bulk", "bulkdata"])
def test_bulk_data_is_at_its_own_address(word: str) -> None:
    found = TABLE.match(asked_as(f"{I}/{word}/7FE00010"))
    assert found.ask.path == f"{I.removeprefix('/dicom-web')}/bulkdata/7FE00010"
    assert found.resource.attribute == "7FE00010"


@pytest.mark.parametrize(
    ("target", "method", "transaction"),
    [
        (f"{I}/renderedmpr", "GET", "wado-rs.instance-mpr"),
        ("/dicom-web/studies/1.2/rendered3d", "GET", "wado-rs.study-3d"),
        ("/dicom-web/studies/1.2/series/1.2.3", "DELETE", "delete.series"),
        ("/dicom-web/servers", "GET", "orthanc.servers"),
    ],
)
def test_what_it_does_not_offer_is_refused_in_words(target: str, method: str, transaction: str) -> None:
    with pytest.raises(Refusal) as caught:
        TABLE.match(asked_as(target, method))
    (cause,) = caught.value.causes
    assert (cause.reason.code, cause.params["transaction"]) == (Code.TRANSACTION_UNSUPPORTED, transaction)


def test_deleting_a_study_is_offered_and_off() -> None:
    assert DCM4CHEE.has("delete.study")
    with pytest.raises(Refusal) as caught:
        TABLE.match(asked_as("/dicom-web/studies/1.2", "DELETE"))
    assert caught.value.causes[0].reason.code == Code.TRANSACTION_DISABLED
