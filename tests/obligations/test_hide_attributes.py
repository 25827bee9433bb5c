import pytest
from pydantic import ValidationError

from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.hide_attributes import HideAttributes, HideAttributesParams
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.treatment import PageRow, Verdict
from support.matches import code, placed

ADDRESS = HideAttributes(HideAttributesParams(attributes=["00101040", "00400007"]))


async def asked(target: str) -> str:
    match = placed(target)
    search = (await ADDRESS.ask(match, Occasion(match))).search
    assert search is not None
    return search.text


async def test_what_is_hidden_is_not_asked_for() -> None:
    text = await asked("/dicom-web/studies?includefield=PatientAddress,StudyDescription,00400275.00400007")
    assert text == "includefield=00081030&limit=200"


async def test_fuzzy_matching_is_not_asked_for() -> None:
    target = "/dicom-web/studies?fuzzymatching=true&emptyvaluematching=true"
    assert await asked(target) == "emptyvaluematching=true&limit=200"


@pytest.mark.parametrize("key", ["PatientAddress", "00400275.00400007"])
async def test_what_is_hidden_cannot_be_searched_by(key: str) -> None:
    with pytest.raises(Refusal) as caught:
        await asked(f"/dicom-web/studies?{key}=A*")
    assert code(caught) == Code.SEARCH_KEY_HIDDEN


def test_what_is_hidden_leaves_rows_at_every_depth() -> None:
    item = {"00400007": {"vr": "LO", "Value": ["x"]}, "00400009": {"vr": "SH", "Value": ["y"]}}
    row = {
        "00101040": {"vr": "LO", "Value": ["Main Street"]},
        "00400275": {"vr": "SQ", "Value": [{"00081140": {"vr": "SQ", "Value": [item]}, **item}, None]},
        "00081030": {"vr": "LO", "Value": ["CT"]},
        "0008103E": {"vr": "SQ", "Value": "no list"},
    }
    (kept,) = ADDRESS.apply([PageRow("1.2", row, 0)], Verdict(), placed("/dicom-web/studies"))
    assert "Main Street" not in str(kept)
    assert "'x'" not in str(kept)
    assert str(kept).count("'y'") == 2
    assert "CT" in str(kept)


def test_only_searches_have_rows() -> None:
    assert ADDRESS.fits(placed("/dicom-web/series"))
    assert not ADDRESS.fits(placed("/dicom-web/studies/1.2.3"))


@pytest.mark.parametrize(
    "attributes", [[], ["0020000D"], ["0020000E"], ["00080018"], ["PatientName"], ["00101040.00400007"]]
)
def test_attributes_that_cannot_be_hidden(attributes: list[str]) -> None:
    with pytest.raises(ValidationError):
        HideAttributesParams(attributes=attributes)
