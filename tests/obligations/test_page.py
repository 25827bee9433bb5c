import gzip

import pytest

from leadglass.limits import JUDGED_JSON_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.page import read_page
from support.matches import JSON, FakeReply, code, placed, rows_reply, study

SEARCH = "/dicom-web/studies"
STUDY = "/dicom-web/studies/1.2.3"


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"0020000D": {"vr": "UI"}},
        {"0020000D": {"vr": "UI", "Value": []}},
        {"0020000D": {"vr": "UI", "Value": ["1.1", "1.2"]}},
        {"0020000D": {"vr": "UI", "Value": [11]}},
        {"0020000D": {"vr": "UI", "Value": "1.1"}},
        {"0020000D": {"vr": "UI", "Value": [""]}},
        {"0020000D": {"vr": "UI", "Value": ["1.01"]}},
    ],
    ids=repr,
)
async def test_rows_that_cannot_be_judged_vanish(row: object) -> None:
    page = await read_page(rows_reply(row, study("1.1")), placed(SEARCH), 9)
    assert page.studies == ("1.1",)
    assert len(page.rows) == 1


async def test_rows_of_another_study_than_the_address_names_vanish() -> None:
    page = await read_page(rows_reply(study("1.2.3"), study("1.2.4")), placed(STUDY + "/series"), 9)
    assert page.studies == ("1.2.3",)


async def test_rows_beyond_the_limit_vanish() -> None:
    page = await read_page(rows_reply(*(study(f"1.{n}") for n in range(9))), placed(SEARCH), 3)
    assert page.studies == ("1.0", "1.1", "1.2")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(FakeReply(b"[]", headers={"content-type": "text/html"}), id="html"),
        pytest.param(FakeReply(b"[]"), id="no type"),
        pytest.param(FakeReply(b"{}", headers=JSON), id="no list"),
        pytest.param(FakeReply(b"[", headers=JSON), id="cut"),
        pytest.param(FakeReply(b"[[]]", headers=JSON), id="no row"),
        pytest.param(FakeReply(b'[{"0020000D":["1.1"]}]', headers=JSON), id="no attribute"),
        pytest.param(FakeReply(b'["\xff"]', headers=JSON), id="not utf-8"),
        pytest.param(FakeReply(b"[NaN]", headers=JSON), id="nan"),
        pytest.param(FakeReply(b"[" * 100_000, headers=JSON), id="deep"),
        pytest.param(FakeReply(b"[]", headers={**JSON, "content-encoding": "br"}), id="br"),
        pytest.param(FakeReply(b"[]", headers={**JSON, "content-encoding": "gzip"}), id="not gzip"),
        pytest.param(
            FakeReply(gzip.compress(b" " * (JUDGED_JSON_BYTES + 1)), headers={**JSON, "content-encoding": "gzip"}),
            id="bomb",
        ),
    ],
)
async def test_pages_that_cannot_be_read(reply: FakeReply) -> None:
    with pytest.raises(Refusal) as caught:
        await read_page(reply, placed(SEARCH), 9)
    assert code(caught) == Code.UPSTREAM_INVALID
