import gzip
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from leadglass.codec.inflate import inflate
from leadglass.codec.routes import Table
from leadglass.limits import MIB
from leadglass.model.decision import Obligation
from leadglass.model.errors import Cut, Refusal, UpstreamBroken
from leadglass.model.reasons import Code
from leadglass.obligations.led import LedReply
from leadglass.obligations.page import read_page
from leadglass.obligations.part_guard import GuardedReply
from leadglass.obligations.plan import TREATMENTS, Plan
from support.links import ARCHIVE, EVIL, PUBLIC, Led
from support.matches import JSON, FakeReply, asked_as, code, decided, placed, rows_reply, study

SEARCH = "/dicom-web/studies"
STUDY = "/dicom-web/studies/1.2.3"
METADATA = STUDY + "/metadata"
DICOM = 'multipart/related; type="application/dicom"; boundary=bb'


# --- obligations ---


@pytest.mark.parametrize("name", ["redact", "max-rate", "", "Log", "filter_rows"])
def test_unknown_obligations(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(Obligation(name)), placed(STUDY))
    assert code(caught) == Code.OBLIGATION_UNKNOWN


@pytest.mark.parametrize(
    ("obligation", "target"),
    [
        (Obligation("log", {"level": "x"}), STUDY),
        (Obligation("log", {"note": 1}), STUDY),
        (Obligation("log", {"note": "x" * 201}), STUDY),
        (Obligation("filter-rows", {"rows": []}), SEARCH),
        (Obligation("filter-rows"), STUDY),
    ],
)
def test_obligations_that_cannot_be_met(obligation: Obligation, target: str) -> None:
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(obligation), placed(target))
    assert code(caught) == Code.OBLIGATION_UNKNOWN


def test_known_obligations() -> None:
    plan = Plan.of(decided(Obligation("log", {"note": "audit"}), Obligation("filter-rows")), placed(SEARCH))
    assert len(plan.describe()) == 2
    assert all(sentence.endswith(".") for sentence in plan.describe())
    assert set(TREATMENTS) == {
        "deidentify", "filter-rows", "hide-attributes", "log", "narrow-search", "outlive-token", "render-only", "watermark",
    }  # fmt: skip


def test_a_denial_has_no_plan() -> None:
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(allow=False), placed(STUDY))
    assert code(caught) == Code.NOT_GRANTED


# --- relayed replies ---


@pytest.mark.parametrize(
    ("target", "accept", "kind", "sent"),
    [
        (STUDY, None, DICOM, 'multipart/related; type="application/dicom"; boundary="bb"'),
        (METADATA, None, "application/dicom+json", "application/dicom+json"),
        (METADATA, None, "application/json; charset=utf-8", "application/dicom+json"),
        (
            STUDY + "/series/1.2/instances/1/frames/1",
            None,
            'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"; boundary=b',
            'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"; boundary="b"',
        ),
        (STUDY + "/series/1.2/instances/1/rendered", "image/png", "image/png", "image/png"),
    ],
)
def test_media_types(target: str, accept: str | None, kind: str, sent: str) -> None:
    reply = FakeReply(b"x", headers={"content-type": kind, "set-cookie": "a=b", "location": "http://evil"})
    sealed = Plan.of(decided(), placed(target, accept)).seal(reply)
    assert sealed.headers == ((b"Content-Type", sent.encode()),)
    assert sealed.length == 1
    assert isinstance(sealed.body, GuardedReply) == ("application/dicom" in kind and "json" not in kind)


@pytest.mark.parametrize("accept", [None, "application/json", "*/*"])
def test_json_that_is_not_dicoms_keeps_its_name(accept: str | None) -> None:
    match = Table(enabled={"orthanc.servers"}).match(asked_as("/dicom-web/servers", "GET", accept))
    assert match.ask.accept == "application/json"
    sealed = Plan.of(decided(), match).seal(FakeReply(b"[]", headers={"content-type": "application/json"}))
    assert sealed.headers == ((b"Content-Type", b"application/json"),)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (STUDY, ""),
        (STUDY, "text/html"),
        (STUDY, "application/dicom"),
        (STUDY, "application/dicom+json"),
        (STUDY, 'multipart/related; type="application/octet-stream"; boundary=b'),
        (STUDY, 'multipart/related; type="application/dicom"'),
        (STUDY, 'multipart/mixed; type="application/dicom"; boundary=b'),
        (STUDY, "application/zip"),
        (STUDY, "application/dicom, text/html"),
        (METADATA, "text/html"),
        (METADATA, 'multipart/related; type="application/dicom+xml"; boundary=b'),
        (SEARCH, "application/dicom+json"),
    ],
)
def test_media_types_that_lie(target: str, kind: str) -> None:
    reply = FakeReply(b"x", headers={"content-type": kind})
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(), placed(target)).seal(reply)
    assert code(caught) == Code.UPSTREAM_INVALID
    assert reply.aborted


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_codings_that_nobody_asked_for(coding: str) -> None:
    for target, kind in ((STUDY, DICOM), (METADATA, "application/dicom+json")):
        reply = FakeReply(b"x", headers={"content-type": kind, "content-encoding": coding})
        with pytest.raises(Refusal):
            Plan.of(decided(), placed(target)).seal(reply)


def test_gzip_is_for_json_alone() -> None:
    with pytest.raises(Refusal):
        Plan.of(decided(), placed(STUDY)).seal(
            FakeReply(b"x", headers={"content-type": DICOM, "content-encoding": "gzip"}), gzip=True
        )


async def inflated(body: bytes, step: int) -> bytes:
    reply = FakeReply(body, headers={**JSON, "content-encoding": "gzip"}, step=step)
    sealed = Plan.of(decided(), placed(METADATA)).seal(reply)
    assert sealed.length is None
    assert sealed.headers == ((b"Content-Type", b"application/dicom+json"),)
    assert isinstance(sealed.body, AsyncIterator)
    return b"".join([piece async for piece in sealed.body])


@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
async def test_gzip_for_those_who_take_it_and_those_who_do_not(step: int) -> None:
    text = orjson.dumps([study(f"1.{n}") for n in range(400)])
    body = gzip.compress(text)
    reply = FakeReply(body, headers={**JSON, "content-encoding": "gzip"})
    sealed = Plan.of(decided(), placed(METADATA)).seal(reply, gzip=True)
    assert (b"Content-Encoding", b"gzip") in sealed.headers
    assert sealed.body is reply
    assert await inflated(body, step) == text
    for wrong in (body[:-1], body + b"x", b"no gzip"):
        with pytest.raises(UpstreamBroken):
            await inflated(wrong, step)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_no_body(status: int) -> None:
    sealed = Plan.of(decided(), placed(STUDY)).seal(
        FakeReply(b"", status=status, headers={"content-type": "text/html"})
    )
    assert (sealed.status, sealed.body, sealed.headers) == (status, b"", ())


# --- searches ---


async def searched(
    reply: FakeReply,
    target: str = SEARCH,
    *,
    hidden: tuple[int, ...] = (),
    listed: tuple[int, ...] = (),
    patients: dict[str, str] | None = None,
    gzip: bool = False,
) -> tuple[Any, Any]:
    match = placed(target)
    page = await read_page(reply, match, 20_000)
    plan, added = Plan.of(decided(hidden=hidden, listed=listed), match), match.search.added if match.search else ()
    shown = await plan.show(page, page.studies, patients, added=added)
    sealed = await Plan.seal_rows([shown], gzip=gzip)
    assert sealed.status == 200
    assert isinstance(sealed.body, bytes)
    packed = (b"Content-Encoding", b"gzip") in sealed.headers
    return orjson.loads(inflate(sealed.body, MIB) if packed else sealed.body), sealed


async def test_rows() -> None:
    rows = [study("1.1"), study("1.2"), study("1.1", a=1), study("1.3")]
    got, sealed = await searched(rows_reply(*rows), hidden=(1,), patients={"1.1": "P1", "1.2": "P2"})
    assert got == [rows[0], rows[2], rows[3]]
    assert sealed.disclosed == {"1.1": "P1", "1.3": ""}
    assert sealed.headers == ((b"Content-Type", b"application/dicom+json"),)


async def test_listed_rows_say_nothing_else() -> None:
    got, sealed = await searched(rows_reply(study("1.1"), study("1.2")), listed=(0,))
    assert got[0] == {
        "0020000D": {"vr": "UI", "Value": ["1.1"]},
        "00081030": {"vr": "LO", "Value": ["restricted"]},
    }
    assert set(sealed.disclosed) == {"1.2"}
    series = [study("1.1", x=1), study("1.1", x=2)]
    assert (await searched(rows_reply(*series), "/dicom-web/series", listed=(0,)))[0] == []


async def test_an_empty_page_tells_nothing() -> None:
    replies = [
        await searched(rows_reply()),
        await searched(FakeReply(b"", status=204)),
        await searched(rows_reply(study("1.1")), hidden=(0,)),
        await searched(rows_reply({"0020000D": {"vr": "UI", "Value": ["1..2"]}})),
    ]
    assert [(got, sealed.headers, sealed.length) for got, sealed in replies] == [([], replies[0][1].headers, 2)] * 4


async def test_studies_that_were_not_judged_vanish() -> None:
    match = placed(SEARCH)
    page = await read_page(rows_reply(study("1.1"), study("1.2")), match, 2)
    sealed = await Plan.seal_rows([await Plan.of(decided(), match).show(page, ("1.2",))])
    assert set(sealed.disclosed) == {"1.2"}


async def test_a_denial_of_a_row_that_is_not_there() -> None:
    with pytest.raises(Refusal) as caught:
        await searched(rows_reply(study("1.1")), hidden=(1,))
    assert code(caught) == Code.DECISION_UNDEFINED


async def test_what_was_asked_for_to_judge_by_is_cut() -> None:
    match = placed("/dicom-web/studies/1.2.3/series")
    assert match.search is not None
    assert match.search.added == ("0020000D",)
    got, _ = await searched(rows_reply(study("1.2.3", a=1)), "/dicom-web/studies/1.2.3/series")
    assert "0020000D" not in got[0]
    assert got[0]["a"]["Value"] == [1]


async def test_gzipped_rows() -> None:
    rows = [study(f"1.{n}") for n in range(3000)]
    body = gzip.compress(orjson.dumps(rows))
    reply = FakeReply(body, headers={**JSON, "content-encoding": "gzip"})
    target = "/dicom-web/studies/1.2.3/series"
    match = placed(SEARCH)
    page = await read_page(reply, match, 200)
    assert len(page.studies) == 200
    got, sealed = await searched(rows_reply(*(study("1.2.3", n=n) for n in range(1500))), target, gzip=True)
    assert len(got) == 1500
    assert (b"Content-Encoding", b"gzip") in sealed.headers
    assert len(sealed.body) == sealed.length


async def test_only_searches_leave_row_by_row() -> None:
    page = await read_page(rows_reply(study("1.1")), placed(SEARCH), 1)
    with pytest.raises(Refusal):
        await Plan.of(decided(), placed(STUDY)).show(page, page.studies)


# --- links that are led ---

FIELD = (b"Content-Type", b"application/dicom+json")
LISTED = orjson.dumps([{"7FE00010": {"vr": "OW", "BulkDataURI": f"{ARCHIVE}/1"}}])
WANTED = [{"7FE00010": {"vr": "OW", "BulkDataURI": f"{PUBLIC}/1"}}]


async def taken(body: Any) -> bytes:  # noqa: ANN401 - whatever a sealed reply holds
    return b"".join([piece async for piece in (body.chunks() if isinstance(body, LedReply) else body)])


@pytest.mark.parametrize(("packed", "takes"), [(False, False), (False, True), (True, False), (True, True)])
async def test_links_of_json_are_led(packed: bool, takes: bool) -> None:  # noqa: FBT001 - a table
    headers = JSON | ({"content-encoding": "gzip"} if packed else {})
    reply = FakeReply(gzip.compress(LISTED) if packed else LISTED, headers=headers, links=Led())
    sealed = Plan.of(decided(), placed(METADATA)).seal(reply, gzip=takes)
    body = await taken(sealed.body)
    assert sealed.length is None
    assert sealed.headers == ((FIELD, (b"Content-Encoding", b"gzip")) if packed and takes else (FIELD,))
    assert orjson.loads(gzip.decompress(body) if packed and takes else body) == WANTED


async def test_links_of_part_headers_are_led_behind_the_guard() -> None:
    frames = STUDY + "/series/1.2/instances/1/frames/1"
    part = b"--b\r\nContent-Type: application/octet-stream\r\nContent-Location: %b\r\n\r\nx\r\n--b--\r\n"
    kind = 'multipart/related; type="application/octet-stream"; boundary=b'
    reply = FakeReply(part % f"{ARCHIVE}/1".encode(), headers={"content-type": kind}, links=Led())
    assert f"Content-Location: {PUBLIC}/1\r\n".encode() in await taken(
        Plan.of(decided(), placed(frames)).seal(reply).body
    )
    reply = FakeReply(
        b"--bb\r\nContent-Type: application/dicom\r\n\r\nno DICOM at all" * 9,
        headers={"content-type": DICOM},
        links=Led(),
    )
    with pytest.raises((Cut, UpstreamBroken)):
        await taken(Plan.of(decided(), placed(STUDY)).seal(reply).body)


def test_what_holds_no_links_is_relayed() -> None:
    reply = FakeReply(b"x", headers={"content-type": "image/png"}, links=Led())
    sealed = Plan.of(decided(), placed(STUDY + "/series/1.2/instances/1/rendered", "image/png")).seal(reply)
    assert (sealed.body, sealed.length) == (reply, 1)


@pytest.mark.parametrize("links", [None, Led()])
def test_fields_with_links_pass_when_they_are_led(links: Led | None) -> None:
    headers = {"location": f"{ARCHIVE}/1", "content-location": EVIL, "link": f"<{ARCHIVE}/2>", "set-cookie": "a=b"}
    led = () if links is None else ((b"Location", f"{PUBLIC}/1".encode()), (b"Link", f"<{PUBLIC}/2>".encode()))
    for body in (b"", LISTED):
        sealed = Plan.of(decided(), placed(METADATA)).seal(FakeReply(body, headers=JSON | headers, links=links))
        assert sealed.headers == (((FIELD,) if body else ()) + led)


async def test_links_of_rows_are_led() -> None:
    rows = [study("1.2") | {"00081190": {"vr": "UR", "Value": [f"{ARCHIVE}/studies/1.2", EVIL]}}]
    page = await read_page(FakeReply(orjson.dumps(rows), headers=JSON, links=Led()), placed(SEARCH), 1)
    shown = await Plan.of(decided(), placed(SEARCH)).show(page, ["1.2"])
    sealed = await Plan.seal_rows([shown])
    assert isinstance(sealed.body, bytes)
    assert orjson.loads(sealed.body)[0]["00081190"] == {"vr": "UR", "Value": [f"{PUBLIC}/studies/1.2"]}
    assert sealed.length == len(sealed.body)


async def test_rows_whose_links_cannot_be_read_are_no_answer() -> None:
    rows = [study("1.2") | {"00081190": {"vr": "SQ", "Value": [{}]}}]
    page = await read_page(FakeReply(orjson.dumps(rows), headers=JSON, links=Led()), placed(SEARCH), 1)
    shown = await Plan.of(decided(), placed(SEARCH)).show(page, ["1.2"])
    with pytest.raises(Refusal) as caught:
        await Plan.seal_rows([shown])
    assert code(caught) == Code.UPSTREAM_INVALID
