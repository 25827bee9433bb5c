"""What an archive is found to do: told in words, with what the gateway chose, and without touching anything in it."""

import re

import pytest

from leadglass.upstream import finding
from leadglass.upstream.finding import Finding
from leadglass.upstream.probe import probe
from leadglass.upstream.traits import ABSENT
from support.lying import JSON, UIDS, Keys, lying, matching, page
from support.orthanc import Orthanc
from support.rawupstream import reply
from support.upstreams import settings

PUBLIC = ("https://pacs.example.org",)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {found.name: found for found in findings}


async def test_a_sound_archive_is_told_trait_by_trait() -> None:
    said = {
        "GET /system": reply(b'{"Version": "1.12.4"}'),
        "GET /plugins/dicom-web": reply(b'{"Version": "1.18"}'),
        "HEAD /dicom-web/studies?limit=1": reply(b"", fields=[JSON]),
        "GET /dicom-web/studies?limit=1 Range": reply(b"[", status="206 Partial Content"),
        f"GET /dicom-web/studies/{ABSENT}/metadata": reply(f"no {ABSENT}".encode(), status="404 Not Found"),
    }
    async with lying(rest=said.get) as archive:
        told = by_name(await probe(settings(archive.url), PUBLIC))
    assert {name: (found.found, found.chosen) for name, found in told.items() if found.found} == {
        "links": ("not told: no row", "built by the archive, unquoted"),
        "version": ("Orthanc 1.12.4, DICOMweb 1.18", "as orthanc (seen: Orthanc 1.10.1, DICOMweb 1.7)"),
        "lists of UIDs": ("matched", "a page of studies in one question"),
        "pages": ("follow one another", "taken as they come"),
        "HEAD": ("works", "refused"),
        "Range": ("works", "refused"),
        "errors": ("404 for a study that is not there; UIDs are quoted", "only the status is passed on"),
    }
    assert all(found.ok for found in told.values())


@pytest.mark.parametrize("kind", ["orthanc", "dcm4chee", "generic"])
async def test_nothing_that_is_asked_changes_an_archive(kind: str) -> None:
    async with lying() as archive:
        await probe(settings(archive.url, kind=kind, links="rewrite"), PUBLIC)
    assert len(archive.heads) > 6
    for head in archive.heads:
        assert re.match(rb"(GET|HEAD) /\S* HTTP/1\.1\r\n", head), head
        assert not re.search(rb"(?i)content-length|transfer-encoding|cookie", head)


def shuffled(keys: Keys) -> bytes:
    order = UIDS if keys.get("offset") is None else UIDS[::-1]
    return page(matching(keys, order))


def deaf(keys: Keys) -> bytes:
    """Answer as one that knows no lists: nothing matches a name with a comma in it."""
    return page(() if "," in keys.get("0020000D", "") else matching(keys))


def everything(keys: Keys) -> bytes:
    """Answer as one that ignores keys which it does not understand."""
    return page(matching({name: value for name, value in keys.items() if name != "0020000D"}))


WRONG = {
    # id: (kind, what answers searches, what is found at fault, whether it is a warning, part of the fix)
    "no lists": ("orthanc", deaf, "lists of UIDs", False, "kind: generic"),
    "lists ignored": ("orthanc", everything, "lists of UIDs", False, "kind: generic"),
    "no lists where none are needed": ("generic", deaf, None, False, ""),
    "pages shuffled": ("orthanc", shuffled, "pages", True, "narrow"),
}


@pytest.mark.parametrize(("kind", "search", "name", "warning", "fix"), WRONG.values(), ids=WRONG.keys())
async def test_what_would_hide_studies_is_at_fault(
    kind: str, search: object, name: str | None, *, warning: bool, fix: str
) -> None:
    async with lying(search) as archive:  # type: ignore[arg-type] # of a table
        found = [one for one in await probe(settings(archive.url, kind=kind), PUBLIC) if not one.ok]
    assert [(one.name, one.warning) for one in found] == ([] if name is None else [(name, warning)])
    assert all(fix in one.hint and one.problem for one in found)
    assert not any(uid in f"{one}" for one in found for uid in UIDS)


async def test_an_order_is_asked_for_where_the_kind_needs_one() -> None:
    async with lying(lambda keys: page(matching(keys)) if keys.get("orderby") else shuffled(keys)) as archive:
        told = by_name(await probe(settings(archive.url, kind="dcm4chee", links="forwarded"), PUBLIC))
    assert (told["pages"].ok, told["pages"].chosen) == (True, "asked for with orderby=StudyInstanceUID")


@pytest.mark.parametrize("held", [(), UIDS[:1]])
async def test_what_cannot_be_told_is_no_fault(held: tuple[str, ...]) -> None:
    async with lying(lambda keys: page(matching(keys, held))) as archive:
        told = by_name(await probe(settings(archive.url), PUBLIC))
    assert told["pages"].found == "not told: too few studies"
    assert told["lists of UIDs"].found == ("matched" if held else "not told: too few studies")
    assert all(found.ok for found in told.values())


NASTY = {
    "html": reply(b"<html>1.2.3</html>", fields=["Content-Type: text/html"]),
    "a loop": reply(status="302 Found", fields=["Location: /dicom-web/studies"]),
    "away": reply(status="301 Moved", fields=["Location: http://evil.example/"]),
    "not http": b"220 mail.example ESMTP\r\n\r\n",
    "huge": b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 999999999999\r\n\r\n[",
    "no end": b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n\r\n[",
    "deep": reply(b"[" * 100_000, fields=[JSON]),
    "not rows": reply(b'{"0020000D": 1}', fields=[JSON]),
    "rows of nothing": reply(b'[null, 1, {"0020000D": {"Value": ["../../etc"]}}]', fields=[JSON]),
    "a version of lies": reply(b'{"Version": "1.0\\u001b[2J rm -rf"}'),
}


@pytest.mark.parametrize("answer", NASTY.values(), ids=NASTY.keys())
async def test_whatever_else_it_answers_is_no_trait_and_no_crash(answer: bytes) -> None:
    begun = False

    def search(keys: Keys) -> bytes:
        nonlocal begun
        first, begun = not begun, True
        return page(matching(keys)) if first else answer

    async with lying(search, lambda _: answer) as archive:
        told = by_name(await probe(settings(archive.url, kind="generic"), PUBLIC))
    assert {"version", "lists of UIDs", "pages", "HEAD", "Range", "errors"} <= told.keys()
    assert (told["version"].found, told["pages"].found) == ("not told", "not told: the list cannot be read")
    assert all(found.ok for found in told.values())
    assert not any(text in f"{told}" for text in ("evil", "1.2.3", "rm -rf", "etc"))


@pytest.mark.parametrize("from_the_start", [True, False])
async def test_one_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch, *, from_the_start: bool) -> None:
    monkeypatch.setattr(finding, "PROBE_SECONDS", 0.05)
    search = (lambda _: b"hang") if from_the_start else (lambda keys: page(matching(keys)))
    async with lying(search, lambda _: b"hang") as archive:
        found = await probe(settings(archive.url), PUBLIC)
    (fault,) = [one for one in found if not one.ok]
    assert (fault.name, fault.warning) == (("reachable", False) if from_the_start else ("patience", True))


@pytest.mark.system
async def test_the_real_orthanc(orthanc: Orthanc) -> None:
    before = orthanc.request("GET", "/statistics")[2], orthanc.request("GET", "/changes?last")[2]
    told = by_name(await probe(settings(orthanc.url), PUBLIC))
    assert {name: found.found for name, found in told.items() if found.found} == {
        "links": "lead to the gateway",
        "version": "Orthanc 1.10.1, DICOMweb 1.7",
        "lists of UIDs": "matched",
        "pages": "follow one another",
        "HEAD": "answers 404",
        "Range": "ignored",
        "errors": "404 for a study that is not there; UIDs are quoted",
    }
    assert all(found.ok for found in told.values())
    assert (orthanc.request("GET", "/statistics")[2], orthanc.request("GET", "/changes?last")[2]) == before
