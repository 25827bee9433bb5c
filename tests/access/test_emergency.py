"""Emergency codes through the whole gateway: nothing but the code is asked, and what it opens ends and is loud."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from leadglass.access.emergency import session_of, token, words
from leadglass.audit.review import cases
from leadglass.limits import EMERGENCY_SECONDS, EMERGENCY_SOURCE_TRIES
from leadglass.model.facts import EMERGENCY
from support.device import ADMIN
from support.gateway import CT, MR, Answer, Running, multipart
from support.oidc import ORIGIN, V1, Browser, Site, site

HIDDEN = f"/dicom-web/studies/{MR.uid}/metadata"
PAGE = V1 + "emergency"
NAME, REASON = "Dr. Night", "identity provider down, stroke"
FROM_PAGE = ("Sec-Fetch-Mode: navigate", f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as opened:
        yield opened


async def code_of(run: Running, name: str | None = None) -> str:
    (made,) = await run.gateway.browsers.codes.make(1, name, 86_400.0 * 365, ADMIN)
    return str(made["code"])


async def begin(browser: Browser, code: str, name: str = NAME, reason: str = REASON, **more: str) -> Answer:
    return await browser.post(PAGE, {"code": code, "name": name, "reason": reason, **more}, *FROM_PAGE)


async def api(run: Running, code: str, **more: str) -> Answer:
    body = orjson.dumps({"code": code, "name": NAME, "reason": REASON, **more})
    fields = ("Content-Type: application/json", f"Origin: {ORIGIN}")
    return await run.ask(PAGE, *fields, method="POST", body=body, token=None, device=False)


async def test_a_browser_reads_a_hidden_study_without_provider_factor_device_or_role(place: Site) -> None:
    browser = place.browser()
    assert b"<form" in (await browser.look(PAGE)).body
    answer = await begin(browser, await code_of(place.run), **{"return": "/viewer/?x=1"})
    assert (answer.status, answer.headers["location"]) == (303, "/viewer/?x=1")
    cookie = f"Cookie: __Host-leadglass={browser.cookies['__Host-leadglass']}"
    read = await place.run.ask(HIDDEN, cookie, token=None, device=False)
    assert read.status == 200
    decision = place.run.about(read)[0]
    assert (decision["subject"]["id"], decision["subject"]["issuer"]) == (NAME, EMERGENCY)
    assert decision["input"]["context"]["purpose"] == "ETREAT"
    assert decision["input"]["context"]["break_glass"] == {"reason": REASON}
    (begun,) = place.events("emergency-begun")
    assert (begun["subject"], begun["reason"], begun["client_ip"]) == (NAME, REASON, "127.0.0.1")
    (broken,) = place.events("glass-broken")
    assert (broken["decision_id"], broken["studies"]) == (read.decision_id, [MR.uid])
    (case,) = cases(place.run.folder / "var/decisions.jsonl")
    assert (case.subject, case.issuer, case.decisions) == (NAME, EMERGENCY, [answer.decision_id, read.decision_id])


async def test_a_viewer_without_cookies_is_given_a_token(place: Site) -> None:
    answer = await api(place.run, await code_of(place.run))
    assert (answer.status, answer.json["token_type"]) == (201, "Bearer")
    assert "set-cookie" not in answer.headers
    given = answer.json["token"]
    assert (await place.run.ask(HIDDEN, token=given, device=False)).status == 200
    assert (await place.run.ask(HIDDEN, token=given[:-1] + "-", device=False)).status in {401, 429}
    lines = (place.run.folder / "var/decisions.jsonl").read_bytes()
    assert given[4:].encode() not in lines


async def test_a_browsers_session_does_not_open_as_a_token(place: Site) -> None:
    browser = await place.signed_in()
    stolen = token(browser.cookies["__Host-leadglass"])
    assert (await place.run.ask(HIDDEN, token=stolen)).status == 401


async def test_reading_alone(place: Site) -> None:
    given = (await api(place.run, await code_of(place.run))).json["token"]
    kind, body = multipart(CT.instances[0].part10)
    stored = await place.run.ask("/dicom-web/studies", kind, method="POST", body=body, token=given, device=False)
    assert stored.status == 403
    assert "emergency-reads-only" in stored.reasons
    other = await place.run.ask(HIDDEN, "Leadglass-Purpose: TREAT", token=given, device=False)
    assert other.status == 403
    assert "emergency-reads-only" in other.reasons


async def test_it_ends_after_four_hours_idle_or_not(place: Site) -> None:
    given = (await api(place.run, await code_of(place.run))).json["token"]
    place.run.clock.advance(EMERGENCY_SECONDS - 1)
    assert (await place.run.ask(HIDDEN, token=given, device=False)).status == 200
    place.run.clock.advance(1)
    assert (await place.run.ask(HIDDEN, token=given, device=False)).status == 401


async def test_what_ends_it_early(place: Site) -> None:
    gateway = place.run.gateway
    for number, ends in enumerate(("session", "user")):
        answer = await api(place.run, await code_of(place.run), name=f"Dr {number}")
        given = answer.json["token"]
        assert (await place.run.ask(HIDDEN, token=given, device=False)).status == 200
        if ends == "session":
            await gateway.browsers.sessions.end(answer.json["session"], "asked", ADMIN)
        else:
            await gateway.revocations.revoke("user", f"Dr {number}", "asked", None, ADMIN)
        assert (await place.run.ask(HIDDEN, token=given, device=False)).status in {401, 403}


async def test_a_reload_leaves_it_alone(place: Site) -> None:
    given = (await api(place.run, await code_of(place.run))).json["token"]
    await place.run.gateway.reload()
    await place.run.gateway.browsers.sessions.look()
    assert (await place.run.ask(HIDDEN, token=given, device=False)).status == 200


async def test_a_code_is_good_once(place: Site) -> None:
    code = await code_of(place.run)
    assert (await api(place.run, code)).status == 201
    again = await api(place.run, code)
    assert (again.status, again.reasons) == (403, ["emergency-code-refused"])
    assert place.events("emergency-refused")[-1]["cause"] == "used"


async def test_two_at_once_begin_one_session(place: Site) -> None:
    code = await code_of(place.run)
    answers = await asyncio.gather(*(api(place.run, code) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403]
    assert len(place.events("emergency-begun")) == 1


@pytest.mark.parametrize(
    ("form", "cause"),
    [
        ({"name": " "}, "no name"),
        ({"reason": ""}, "no reason"),
        ({"reason": "x" * 300}, "no reason"),
        ({"name": "a\x1b[31m"}, "no name"),
        ({"code": "LGE-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"}, "no such code"),
        ({"code": "hello"}, "not a code"),
    ],
)
async def test_what_is_not_taken(place: Site, form: dict[str, str], cause: str) -> None:
    answer = await api(place.run, **{"code": await code_of(place.run), **form})
    assert (answer.status, answer.reasons) == (403, ["emergency-code-refused"])
    (event,) = place.events("emergency-refused")
    assert (event["cause"], event["client_ip"]) == (cause, "127.0.0.1")
    assert place.events("emergency-begun") == []


async def test_a_code_for_somebody_else(place: Site) -> None:
    answer = await api(place.run, await code_of(place.run, "Dr. Day"))
    assert answer.status == 403
    assert place.events("emergency-refused")[0]["cause"] == "for somebody else"


async def test_a_page_says_so_to_a_person(place: Site) -> None:
    answer = await begin(place.browser(), "nonsense")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (403, "text/html")
    assert f'href="{PAGE}"'.encode() in answer.body


async def test_guessing_is_slowed_down(place: Site) -> None:
    told = [await api(place.run, "nonsense") for _ in range(EMERGENCY_SOURCE_TRIES + 1)]
    assert [answer.status for answer in told] == [403] * EMERGENCY_SOURCE_TRIES + [429]
    good = await code_of(place.run)
    assert (await api(place.run, good)).status == 429
    place.run.clock.advance(60)
    assert (await api(place.run, good)).status == 201


async def test_another_site_cannot_begin_one(place: Site) -> None:
    body = orjson.dumps({"code": await code_of(place.run), "name": NAME, "reason": REASON})
    fields = ("Content-Type: application/json", "Origin: https://evil.example")
    answer = await place.run.ask(PAGE, *fields, method="POST", body=body, token=None)
    assert answer.reasons == ["origin-refused"]


async def test_where_the_provider_is_down_the_page_leads_here(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        place.oidc.url = "http://127.0.0.1:1"  # what the provider says of itself fits no more
        page = await place.browser().look(V1 + "login")
        assert page.status in {502, 503}
        assert f'href="{PAGE}"'.encode() in page.body


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        (f"Bearer lge_{'A' * 43}", "A" * 43),
        (f"bearer lge_{'A' * 43}", None),
        (f"Bearer lge_{'A' * 42}", None),
        (f"Bearer {'A' * 43}", None),
        (f"Basic lge_{'A' * 43}", None),
        (f"Bearer lge_{'A' * 43} x", None),
        (None, None),
    ],
)
def test_the_secret_in_a_field(value: str | None, secret: str | None) -> None:
    assert session_of(value) == secret


@pytest.mark.parametrize(
    ("text", "kept"),
    [(" a  b ", "a b"), ("", None), ("x" * 257, None), ("a\nb", "a b"), ("a\x1bb", None), ("\u202ex", None)],
)
def test_words(text: str, kept: str | None) -> None:
    assert words(text) == kept
