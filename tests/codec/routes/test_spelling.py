import pytest

from leadglass.codec.routes.spelling import handle, opened, respelt, uids
from support.matches import placed

STUDY, SERIES, INSTANCE = "2.25.1", "2.25.2", "2.25.3"
REAL = {STUDY: "1.1", SERIES: "1.2", INSTANCE: "1.3"}
PLACE = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}"
WADO = f"/wado?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={INSTANCE}&contentType=application/dicom"


@pytest.mark.parametrize("target", [f"{PLACE}/metadata", f"{PLACE}/frames/2,1", WADO])
def test_every_uid_of_an_address_is_named_and_replaced(target: str) -> None:
    match = placed(target)
    assert [uid for _, uid in uids(match)] == [STUDY, SERIES, INSTANCE]
    real = respelt(match, REAL)
    assert [uid for _, uid in uids(real)] == ["1.1", "1.2", "1.3"]
    assert "2.25." not in real.ask.path + real.ask.query
    assert respelt(real, {uid: name for name, uid in REAL.items()}).ask == match.ask


def test_keys_of_a_search_are_replaced_where_they_are_uids() -> None:
    match = placed(f"/dicom-web/studies?StudyInstanceUID={STUDY},1.9&StudyDescription={SERIES}")
    assert {uid for _, uid in uids(match)} == {STUDY, "1.9"}
    real = respelt(match, REAL)
    assert real.search is not None
    assert real.search.matching == {"0020000D": ("1.1", "1.9"), "00081030": (SERIES,)}
    assert real.resource.query == real.search.matching
    assert real.ask.query == real.search.text
    assert "0020000D=1.1,1.9" in real.ask.query


def test_what_is_no_pseudonym_stays() -> None:
    match = placed("/dicom-web/studies/1.5/series?Modality=CT")
    assert respelt(match, REAL) == match


def test_handles_of_bulk_data() -> None:
    match = placed(f"{PLACE}/handles/2.25.9")
    assert handle(match) == "2.25.9"
    real = opened(respelt(match, REAL), "bulk", "300A00B0/1/300A00C2", "300A00B0.300A00C2")
    assert real.ask.path == "/studies/1.1/series/1.2/instances/1.3/bulk/300A00B0/1/300A00C2"
    assert real.resource.attribute == "300A00B0.300A00C2"
    assert handle(placed(f"{PLACE}/bulkdata/7FE00010")) is None
