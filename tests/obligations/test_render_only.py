"""Pictures and lists, and never the data behind them."""

import orjson
import pytest

from leadglass.limits import OFFLOAD_BYTES
from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations import render_only
from leadglass.obligations.plan import Plan
from leadglass.obligations.treatment import PageRow, Verdict
from support.matches import JSON, FakeReply, code, decided
from support.views import asking

ONLY = Obligation("render-only", {})
STUDY = "/dicom-web/studies/1.2.3"
INSTANCE = STUDY + "/series/4/instances/5"
WADO = "/wado?requestType=WADO&studyUID=1.2&seriesUID=3&objectUID=4"
ROW = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "7FE00010": {"vr": "OW", "BulkDataURI": "http://pacs/bulk/7FE00010"},
    "00880200": {"vr": "SQ", "Value": [{"7FE00010": {"vr": "OB", "InlineBinary": "AAAA"}, "00280010": {"vr": "US", "Value": [4]}}]},
    "00081140": {"vr": "SQ", "Value": [{}]},
}  # fmt: skip
LESS = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00880200": {"vr": "SQ", "Value": [{"00280010": {"vr": "US", "Value": [4]}}]},
    "00081140": {"vr": "SQ", "Value": [{}]},
}


def plan(target: str, method: str = "GET") -> Plan:
    occasion = asking(target, method=method)
    return Plan.of(decided(ONLY), occasion.match, lambda: occasion)


@pytest.mark.parametrize(
    "target",
    [STUDY, STUDY + "/series/4", INSTANCE, INSTANCE + "/frames/1", INSTANCE + "/bulk/PixelData", INSTANCE + "/bulkdata/00420011", STUDY + "/bulkdata",
     STUDY + "/pixeldata", WADO + "&contentType=application%2Fdicom"],
)  # fmt: skip
def test_the_data_behind_pictures_is_refused(target: str) -> None:
    with pytest.raises(Refusal) as caught:
        plan(target)
    assert code(caught) == Code.RENDER_ONLY
    assert caught.value.causes[0].params["what"]


@pytest.mark.parametrize(
    "target",
    ["/dicom-web/studies", STUDY + "/series", INSTANCE + "/rendered", STUDY + "/thumbnail", INSTANCE + "/frames/1/rendered", STUDY + "/metadata",
     INSTANCE + "/metadata", WADO],
)  # fmt: skip
def test_pictures_lists_and_attributes_pass(target: str) -> None:
    assert plan(target).describe()


async def test_a_picture_passes_as_it_is() -> None:
    reply = FakeReply(b"\xff\xd8\xff\xd9", headers={"content-type": "image/jpeg"})
    sealed = await plan(INSTANCE + "/rendered").treat(reply)
    assert b"".join([piece async for piece in sealed.body]) == b"\xff\xd8\xff\xd9"  # type: ignore[union-attr]  # it is iterated


@pytest.mark.parametrize("many", [1, OFFLOAD_BYTES // 200])
async def test_attributes_leave_without_bulk_data(many: int) -> None:
    reply = FakeReply(orjson.dumps([ROW] * many), headers=JSON, step=1_000)
    sealed = await plan(STUDY + "/metadata").treat(reply)
    left = orjson.loads(b"".join([piece async for piece in sealed.body]))  # type: ignore[union-attr]  # likewise
    assert left == [LESS] * many


async def test_rows_of_a_search_leave_without_bulk_data() -> None:
    rows = await plan("/dicom-web/studies").rows([PageRow("1.2.3", dict(ROW), 0)], Verdict({"1.2.3": "shown"}))
    assert [item.row for item in rows] == [LESS]


@pytest.mark.parametrize(
    ("body", "media"),
    [(b"nothing", "application/dicom+json"), (b"{}", "application/dicom+json"), (b"[1]", "application/dicom+json"), (b"<a/>", "application/dicom+xml")],
)  # fmt: skip
async def test_attributes_that_cannot_be_read_do_not_leave(body: bytes, media: str) -> None:
    with pytest.raises(Refusal) as caught:
        await plan(STUDY + "/metadata").treat(FakeReply(body, headers={"content-type": media}))
    assert code(caught) == Code.UPSTREAM_INVALID


async def test_attributes_beyond_the_bound_are_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_only, "JUDGED_JSON_BYTES", 100)
    with pytest.raises(Refusal, match="upstream-invalid"):
        await plan(STUDY + "/metadata").treat(FakeReply(orjson.dumps([ROW]), headers=JSON))


def test_it_describes_itself() -> None:
    assert plan(STUDY + "/metadata").describe()[0].endswith(".")
