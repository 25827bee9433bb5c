"""Breaking the glass from a browser: asked of policy, kept in the session, whole again in time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from leadglass.audit.review import cases
from leadglass.policy.engine import Unavailable
from support.gateway import CT, HOST, MR
from support.oidc import ORIGIN, V1, Browser, Site, site
from support.trickle import trickle

HIDDEN = f"/dicom-web/studies/{MR.uid}/metadata"
ABSENT = f"/dicom-web/studies/{MR.uid}9/metadata"
PAGE = V1 + "break-glass"
REASON = "unconscious in the trauma room"
TABLE = "enabled: {enabled}\nroles: [{roles}]\noverrides: [oncology]\nmax_age_seconds: 600\n"
FROM_PAGE = ("Sec-Fetch-Mode: navigate", f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")


def write(folder: Path, *, enabled: str = "true", roles: str = "radiologist") -> None:
    (folder / "policies/data").mkdir(parents=True, exist_ok=True)
    (folder / "policies/data/break_glass.yaml").write_text(TABLE.format(enabled=enabled, roles=roles))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    write(tmp_path)
    async with site(tmp_path) as opened:
        yield opened


async def status(browser: Browser, path: str = HIDDEN) -> int:
    return (await browser.ask(path)).status


async def later(place: Site, seconds: int) -> None:
    """Let time pass on a device that goes on reporting."""
    while seconds > 0:
        place.run.clock.advance(min(seconds, 60))
        seconds -= 60
        await place.run.tell()


async def test_a_viewer_sees_what_was_hidden_for_as_long_as_the_sign_in_is_fresh(place: Site) -> None:
    browser = await place.signed_in()
    assert await status(browser) == 404
    await later(place, 100)
    form = await browser.look(PAGE + "?return=%2Fviewer%2F")
    assert (form.status, b'value="/viewer/"' in form.body) == (200, True)
    answer = await browser.post(PAGE, {"reason": REASON, "return": "/viewer/"}, *FROM_PAGE)
    assert (answer.status, answer.headers["location"]) == (303, "/viewer/")
    assert await status(browser) == 200
    (taken,) = place.events("glass-taken")
    assert (taken["reason"], taken["session"]["glass"]["reason"]) == (REASON, REASON)
    (broken,) = place.events("glass-broken")
    assert (broken["reason"], broken["studies"]) == (REASON, [MR.uid])
    assert len(cases(place.run.folder / "var/decisions.jsonl")) == 1
    await later(place, 499)
    assert await status(browser) == 200
    place.run.clock.advance(1)
    assert (await status(browser), await status(browser, f"/dicom-web/studies/{CT.uid}/metadata")) == (404, 200)


async def test_it_is_made_whole_before_its_time(place: Site) -> None:
    browser = await place.signed_in()
    await browser.post(PAGE, {"reason": REASON})
    assert await status(browser) == 200
    page = await browser.look(V1 + "session")
    assert b"The glass is broken" in page.body
    assert (await browser.post(PAGE, {"end": "1"})).json == {"glass": None}
    assert await status(browser) == 404
    assert len(place.events("glass-mended")) == 1


async def test_a_new_sign_in_makes_it_whole(place: Site) -> None:
    browser = await place.signed_in()
    await browser.post(PAGE, {"reason": REASON})
    await browser.sign_in()
    assert await status(browser) == 404


async def test_an_old_sign_in_is_asked_again_and_comes_back_to_the_form(place: Site) -> None:
    browser = await place.signed_in()
    place.run.clock.advance(601)
    page = await browser.look(PAGE + "?return=%2Fviewer%2F")
    assert (page.status, b"break-glass-sign-in" in page.body) == (401, True)
    (link,) = (part.split('"')[0] for part in page.body.decode().split('href="')[1:])
    assert "max_age=600" in link
    answer = await browser.sign_in("?" + link.replace("&amp;", "&").partition("?")[2])
    assert answer.headers["location"].endswith("?return=" + quote(PAGE + "?return=%2Fviewer%2F", safe=""))
    assert (await browser.look(PAGE + "?return=%2Fviewer%2F")).status == 200


@pytest.mark.parametrize(
    ("table", "code"), [({"enabled": "false"}, 403), ({"roles": "physician"}, 403)], ids=["off", "another role"]
)
async def test_whoever_may_not_is_told_so(tmp_path: Path, table: dict[str, str], code: int) -> None:
    write(tmp_path, **table)
    async with site(tmp_path) as place:
        browser = await place.signed_in()
        answer = await browser.post(PAGE, {"reason": REASON})
        assert (answer.status, answer.reasons) == (code, ["break-glass-refused"])
        (line,) = (line for line in place.run.about(answer) if line["type"] == "decision")
        assert [reason["code"] for reason in line["decision"]["reasons"]] == ["break-glass-refused"]
        assert (place.events("glass-taken"), await status(browser)) == ([], 404)


async def test_whoever_may_not_breaks_nothing_while_the_gateway_observes(tmp_path: Path) -> None:
    """It would last beyond the end of observation, and write an event of something that nobody allowed."""
    write(tmp_path, enabled="false")
    async with site(tmp_path, settings='mode: {observe_until: "2027-01-15T09:00:00Z"}') as place:
        browser = await place.signed_in()
        answer = await browser.post(PAGE, {"reason": REASON})
        assert answer.reasons == ["break-glass-refused"]
        assert (place.events("glass-taken"), await status(browser)) == ([], 200)


@pytest.mark.parametrize("reason", ["", " ", "x" * 257, "a\x1bb"])
async def test_a_reason_is_needed(place: Site, reason: str) -> None:
    browser = await place.signed_in()
    assert (await browser.post(PAGE, {"reason": reason})).reasons == ["http-malformed"]
    assert place.events("glass-taken") == []


async def test_nobody_signed_in_breaks_nothing(place: Site) -> None:
    browser = place.browser()
    assert (await browser.post(PAGE, {"reason": REASON})).reasons == ["user-unauthenticated"]
    assert b"not signed in" in (await browser.look(PAGE)).body


async def test_another_site_breaks_nothing(place: Site) -> None:
    browser = await place.signed_in()
    answer = await browser.post(PAGE, {"reason": REASON}, "Origin: https://evil.example")
    assert answer.reasons == ["origin-refused"]
    assert await status(browser) == 404


async def test_policy_without_an_answer_breaks_nothing(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await place.signed_in()

    async def down(_document: bytes) -> object:
        raise Unavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(place.run.gateway.policy.active.engine, "evaluate", down)
        assert (await browser.post(PAGE, {"reason": REASON})).reasons == ["decision-unavailable"]
    assert await status(browser) == 404


async def test_an_emergency_is_not_made_whole(place: Site) -> None:
    browser = place.browser()
    (made,) = await place.run.gateway.browsers.codes.make(1, None, 3600.0, {"uid": 0})
    await browser.post(V1 + "emergency", {"code": str(made["code"]), "name": "x", "reason": "y"}, *FROM_PAGE)
    assert await status(browser) == 200
    assert (await browser.post(PAGE, {"end": "1"})).reasons == ["http-malformed"]


async def test_absent_and_hidden_offer_the_same(place: Site) -> None:
    browser = await place.signed_in()
    hidden, absent = [await browser.look(path) for path in (HIDDEN, ABSENT)]
    assert PAGE.encode() in hidden.body

    def plain(body: bytes, uid: str, decision: str) -> bytes:
        return body.replace(uid.encode(), b"UID").replace(decision.encode(), b"ID")

    assert plain(hidden.body, MR.uid, hidden.decision_id) == plain(absent.body, MR.uid + "9", absent.decision_id)


async def test_a_viewer_is_told_where_to_break_it(place: Site) -> None:
    browser = await place.signed_in()
    ways = (await browser.ask(HIDDEN)).json["ways"]
    assert [way["path"].partition("?")[0] for way in ways] == [V1 + "why", PAGE]
    assert "ways" not in (await place.run.ask(HIDDEN)).json


async def test_what_runs_under_a_broken_glass_ends_when_it_is_made_whole(place: Site) -> None:
    browser = await place.signed_in()
    await browser.post(PAGE, {"reason": REASON})
    frames = f"/dicom-web/studies/{MR.uid}/series/{MR.series}/instances/{MR.instances[0].sop}/frames/1"
    place.run.archive.replaced[frames] = trickle
    cookie = browser.cookies["__Host-leadglass"]
    async with asyncio.timeout(15), place.run.client() as client:
        await client.send(
            f"GET {frames} HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-leadglass={cookie}\r\n\r\n".encode()
        )
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        await browser.post(PAGE, {"end": "1"})
        with pytest.raises(ConnectionError):
            await client.reader.read()  # to the end, which is a reset and no end
