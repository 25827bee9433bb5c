import pytest

from leadglass.obligations.filter_rows import FilterRows, NoParams, restricted
from leadglass.obligations.treatment import PageRow, Verdict
from support.matches import placed

STUDIES = (("1.1", "a"), ("1.2", "b"), ("1.3", "c"), ("1.1", "d"))
ROWS = [PageRow(uid, {name: place + 1}, place) for place, (uid, name) in enumerate(STUDIES)]


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/dicom-web/studies", [{"a": 1}, restricted("1.2"), {"d": 4}]),
        ("/dicom-web/series", [{"a": 1}, {"d": 4}]),
        ("/dicom-web/instances", [{"a": 1}, {"d": 4}]),
    ],
)
def test_what_is_kept(target: str, kept: list[dict[str, int]]) -> None:
    verdict = Verdict({"1.1": "shown", "1.2": "listed"})  # nothing was said of 1.3
    rows = FilterRows(NoParams()).apply(ROWS, verdict, placed(target))
    assert [item.row for item in rows] == kept


def test_only_searches_have_rows() -> None:
    assert FilterRows(NoParams()).fits(placed("/dicom-web/studies"))
    assert not FilterRows(NoParams()).fits(placed("/dicom-web/studies/1.2"))
