"""Signing in with a browser, whole: gateway, provider and browser on sockets. Ids name rows of the attack list (E)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from leadglass.access.signin import device_path, sign_in_path
from leadglass.model.errors import StepUp
from support.gateway import CT, Answer
from support.oidc import CLIENT, NAVIGATE, ORIGIN, SECRET, V1, Browser, Site, site

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
SESSION, LOGIN = "__Host-leadglass", "__Host-leadglass-login"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as opened:
        yield opened


async def status(browser: Browser) -> int:
    return (await browser.ask(METADATA)).status


async def refused(place: Site, answer: Answer, cause: str) -> None:
    """Check that a callback was refused, by this cause, with a page and without a session."""
    assert answer.status == 403, answer.body
    assert b"sign-in-refused" in answer.body
    assert "set-cookie" not in answer.headers
    (line,) = place.run.about(answer)
    assert (line["decision"]["reasons"][0]["code"], cause in line["decision"]["detail"]) == ("sign-in-refused", True), (
        line
    )


async def test_a_person_signs_in_and_sees_what_they_wanted(place: Site) -> None:
    browser = place.browser()
    shown = await browser.look(METADATA)
    assert shown.status == 401
    assert f'href="{V1}login?return='.encode() in shown.body
    answer = await browser.sign_in(f"?return={METADATA}")
    assert (answer.status, answer.headers["location"]) == (303, device_path(METADATA))
    assert set(browser.cookies) == {SESSION, LOGIN}
    seen = await browser.ask(METADATA)
    assert seen.status == 200, seen.body
    (line,) = place.run.about(seen)
    assert line["subject"]["id"] == "dr.demo"
    assert not any("cookie" in name.lower() for head in place.run.archive.heads for name in head)


async def test_what_is_asked_of_the_provider(place: Site) -> None:
    begun = await place.browser().look(V1 + "login?acr_values=mfa&max_age=60")
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert {name: value for name, (value,) in asked.items() if name not in {"state", "nonce", "code_challenge"}} == {
        "response_type": "code", "client_id": CLIENT, "redirect_uri": f"{ORIGIN}{V1}callback", "scope": "openid",
        "code_challenge_method": "S256", "acr_values": "mfa", "max_age": "60",
    }  # fmt: skip
    assert len(asked["code_challenge"][0]) == 43


async def test_no_token_code_or_secret_is_in_a_url_a_log_or_the_record(
    place: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    browser = await place.signed_in()
    await browser.ask(METADATA)
    record = (place.run.folder / "var" / "decisions.jsonl").read_text()
    (form,) = (form for kind, form in place.oidc.asked if kind == "token")
    kept = [SECRET, form["code"], form["code_verifier"], browser.cookies[SESSION], browser.cookies[LOGIN]]
    store = b"".join(file.read_bytes() for file in (place.run.folder / "var").glob("leadglass.db*"))
    for secret in (*kept, *place.oidc.refreshes):
        assert secret not in caplog.text
        assert secret not in record
        assert secret.encode() not in store
    assert (place.run.folder / "var/session.key").stat().st_mode & 0o777 == 0o600


async def test_the_session_cookie_is_a_new_random_id_each_time(place: Site) -> None:
    """E2, E3: no fixation. What the browser brought is never what it leaves with."""
    browser = place.browser()
    browser.cookies[SESSION] = planted = "A" * 43
    await browser.sign_in()
    first = browser.cookies[SESSION]
    assert first != planted
    await browser.sign_in()
    assert browser.cookies[SESSION] != first
    assert await status(browser) == 200
    browser.cookies[SESSION] = first
    assert await status(browser) == 401
    assert len(place.run.gateway.browsers.sessions) == 1


CALLBACKS: list[tuple[str, Callable[[str], str], str]] = [
    ("missing", lambda back: back.replace("state=", "stat="), "no state"),
    ("garbled", lambda back: back.replace("state=", "state=A"), "not of this browser"),
    ("oversize", lambda back: back.replace("state=", "state=" + "A" * 6000), "no state"),
    ("no-code", lambda back: back.replace("code=", "kode="), "no code"),
    ("foreign-code", lambda back: back.replace("code=", "code=x"), "invalid_grant"),
    ("no-iss", lambda back: back.replace("iss=", "is="), "iss missing"),
    ("mix-up", lambda back: back.replace("iss=http", "iss=https"), "iss of the response"),
    ("denied", lambda back: back.replace("code=", "error=access_denied%0d%0aX&kode="), "the issuer said"),
]


async def test_a_callback_that_was_changed_signs_nobody_in(place: Site) -> None:
    for _, change, cause in CALLBACKS:
        browser = place.browser()
        changed = change(await browser.login())
        if "%0d" in changed:
            assert (await browser.look(changed)).status == 400  # control characters are no query
            changed = changed.replace("%0d%0a", "")
        await refused(place, await browser.look(changed), cause)
        assert SESSION not in browser.cookies


async def test_a_state_is_good_once(place: Site) -> None:
    browser = place.browser()
    back = await browser.login()
    assert (await browser.look(back)).status == 303
    await refused(place, await browser.look(back), "used before")


async def test_a_code_is_good_once_even_under_a_fresh_state(place: Site) -> None:
    browser = place.browser()
    first, second = await browser.login(), await browser.login()
    code = parse_qs(urlsplit(first).query)["code"][0]
    assert (await browser.look(first)).status == 303
    own = parse_qs(urlsplit(second).query)["code"][0]
    await refused(place, await browser.look(second.replace(own, code)), "invalid_grant")


async def test_a_state_of_another_browser_is_worth_nothing(place: Site) -> None:
    """Login CSRF: a victim led to the attacker's callback is not signed in as the attacker."""
    attacker, victim = place.browser(), place.browser()
    back = await attacker.login()
    await refused(place, await victim.look(back), "no sign-in cookie")
    await victim.login()
    await refused(place, await victim.look(back), "not of this browser")
    assert (await attacker.look(back)).status == 303


async def test_a_state_expires(place: Site) -> None:
    browser = place.browser()
    back = await browser.login()
    place.run.clock.advance(601)
    await refused(place, await browser.look(back), "expired")


async def test_tabs_do_not_disturb_each_other(place: Site) -> None:
    browser = place.browser()
    backs = [await browser.login() for _ in range(3)]
    assert [(await browser.look(back)).status for back in reversed(backs)] == [303, 303, 303]


async def test_two_issuers_are_chosen_between_and_never_mixed_up(tmp_path: Path) -> None:
    async with site(tmp_path, providers=2) as place:
        browser, (other,) = place.browser(), place.others
        shown = await browser.look(V1 + "login?return=/viewer/")
        assert shown.status == 200
        assert shown.body.count(b"issuer=") == 2
        assert (await browser.look(V1 + "login?issuer=https%3A%2F%2Fevil.example")).status == 403
        query = f"?issuer={quote(place.oidc.url, safe='')}"
        back = await browser.login(query)
        foreign = back.replace(place.oidc.url.rpartition(":")[2], other.url.rpartition(":")[2])
        await refused(place, await browser.look(foreign), "another issuer's")
        place.oidc.response = {"iss": ...}
        place.oidc.metadata = {"authorization_response_iss_parameter_supported": ...}
        await refused(place, await browser.sign_in(query), "iss missing")
        place.oidc.response = {}
        assert (await browser.sign_in(query)).status == 303


ID_TOKENS: list[tuple[str, dict[str, Any], str]] = [
    ("nonce-missing", {"id_claims": {"nonce": ...}}, "nonce missing"),
    ("nonce-mismatch", {"id_claims": {"nonce": "x"}}, "nonce is another's"),
    ("aud", {"id_claims": {"aud": "another"}}, "aud is another's"),
    ("aud-several", {"id_claims": {"aud": [CLIENT, "another"], "azp": ...}}, "no azp"),
    ("azp", {"id_claims": {"azp": "another"}}, "azp is another's"),
    ("iss", {"id_claims": {"iss": "https://idp.example.org/"}}, "iss is another's"),
    ("expired", {"id_claims": {"exp": 1_700_000_000}}, "expired"),
    ("no-iat", {"id_claims": {"iat": ...}}, "iat missing"),
    ("at-hash", {"id_claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "at_hash"),
    ("typ", {"id_typ": "at+jwt"}, "typ is of another kind"),
    ("no-id-token", {"token_reply": {"id_token": ...}}, "no access token or no ID token"),
    ("alg-none", {"token_reply": {"id_token": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30."}}, "algorithm not allowed"),
    ("token-type", {"token_reply": {"token_type": "DPoP"}}, "not of type Bearer"),
    ("another-person", {"access_claims": {"sub": "sub-x"}, "id_claims": {"at_hash": ...}}, "another person's"),
    ("access-aud", {"access_claims": {"aud": "account"}, "id_claims": {"at_hash": ...}}, "aud is another's"),
]


async def test_tokens_that_do_not_verify_sign_nobody_in(place: Site) -> None:
    good = replace(place.oidc)
    for _, fields, cause in ID_TOKENS:
        for name in ("id_claims", "access_claims", "token_reply", "id_typ"):
            setattr(place.oidc, name, fields.get(name, getattr(good, name)))
        await refused(place, await place.browser().sign_in(), cause)


async def test_a_provider_without_pkce_s256_is_not_used(place: Site) -> None:
    place.oidc.metadata = {"code_challenge_methods_supported": ["plain"]}
    answer = await place.browser().look(V1 + "login")
    assert (answer.status, b"sign-in-refused" in answer.body) == (403, True)


async def test_a_provider_that_is_down_is_said_so(place: Site) -> None:
    place.oidc.down = True
    answer = await place.browser().look(V1 + "login")
    assert (answer.status, b"sign-in-unavailable" in answer.body) == (503, True)


@pytest.mark.parametrize("query", ["?max_age=-1", "?max_age=9999999", "?max_age=1&max_age=2", "?acr_values=a%0Ab"])
async def test_wishes_that_are_none_are_refused(place: Site, query: str) -> None:
    assert (await place.browser().look(V1 + "login" + query)).status == 400


# --- step-up ----------------------------------------------------------------------------------------------------------
async def test_a_step_up_signs_in_again_at_the_level_that_was_asked_for(place: Site) -> None:
    place.oidc.acr = "pwd"
    browser = await place.signed_in()
    told = await browser.ask(METADATA)
    assert (told.status, told.reasons) == (401, ["mfa-required"])
    assert 'error="insufficient_user_authentication"' in told.headers["www-authenticate"]
    page = await browser.look(METADATA)
    link, why = (part.split('"')[0] for part in page.body.decode().split('href="')[1:])
    assert why.startswith(V1 + "why?decision=")
    query = "?" + link.replace("&amp;", "&").partition("?")[2]
    assert "acr_values=" in query
    old = browser.cookies[SESSION]
    await refused(place, await browser.sign_in(query), "acr is not one of those")
    assert browser.cookies[SESSION] == old  # what was, goes on
    place.oidc.acr = "mfa"
    answer = await browser.sign_in(query)
    assert (answer.status, answer.headers["location"]) == (303, device_path(METADATA))
    assert await status(browser) == 200
    assert [event["session"]["id"] for event in place.events("session-stepped-up")] == [
        event["session"]["id"] for event in place.events("session-begun")
    ]


@pytest.mark.parametrize("auth_time", [..., 0, 1_799_999_000], ids=["missing", "epoch", "old"])
async def test_a_fresh_sign_in_must_be_fresh(place: Site, auth_time: Any) -> None:  # noqa: ANN401 - ... leaves it out
    place.oidc.id_claims = {"auth_time": auth_time}
    place.oidc.access_claims = {"auth_time": auth_time}
    place.oidc.id_claims["at_hash"] = ...
    await refused(place, await place.browser().sign_in("?max_age=600"), "auth_time")


def test_what_would_be_enough_goes_along() -> None:
    assert sign_in_path("/viewer/?a=b", StepUp(("mfa", "x"), 600)) == (
        V1 + "login?return=%2Fviewer%2F%3Fa%3Db&acr_values=mfa%20x&max_age=600"
    )
    assert sign_in_path("//evil.example", StepUp()) == V1 + "login"


async def test_another_person_at_the_same_browser_replaces_the_session(place: Site) -> None:
    browser = await place.signed_in()
    place.oidc.person = "dr.other"
    await browser.sign_in()
    sessions = place.run.gateway.browsers.sessions.all()
    assert [session["subject"] for session in sessions] == ["dr.other"]
    assert place.events("session-ended")[-1]["why"] == "replaced"


# --- sign-out ---------------------------------------------------------------------------------------------------------
async def test_signing_out_ends_the_session_here_and_at_the_provider(place: Site) -> None:
    browser = await place.signed_in()
    cookie = browser.cookies[SESSION]
    (token,) = place.oidc.refreshes
    shown = await browser.look(V1 + "logout")
    assert b'<form method="post"' in shown.body
    assert f"form-action 'self' {place.oidc.url}" in shown.headers["content-security-policy"]
    answer = await browser.post(V1 + "logout", {})
    where = urlsplit(answer.headers["location"])
    assert (answer.status, f"{where.scheme}://{where.netloc}{where.path}") == (303, f"{place.oidc.url}/end")
    assert parse_qs(where.query) == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{ORIGIN}{V1}logout"]}
    assert SESSION not in browser.cookies
    browser.cookies[SESSION] = cookie
    assert await status(browser) == 401
    async with asyncio.timeout(5):
        while ("revoke", {"token": token, "token_type_hint": "refresh_token"}) not in place.oidc.asked:  # noqa: ASYNC110 - the provider has no event for it
            await asyncio.sleep(0.01)
    assert b"You are signed out" in (await browser.look(V1 + "logout")).body


async def test_the_provider_ends_sessions_by_back_channel(place: Site) -> None:
    browser = await place.signed_in()
    kind = "Content-Type: application/x-www-form-urlencoded"
    token = place.oidc.logout_token()
    for told, expected in ((200, b'{"ended":1}'), (400, b"replayed")):
        answer = await place.run.ask(
            V1 + "backchannel-logout", kind, method="POST", token=None, body=f"logout_token={token}".encode()
        )
        assert answer.status == told
        assert expected in answer.body
    assert await status(browser) == 401
    assert place.events("session-ended")[-1]["why"] == "back-channel"


LOGOUT_TOKENS: list[tuple[str, dict[str, Any], str]] = [
    ("typ", {"typ": "JWT"}, "typ"),
    ("nonce", {"nonce": "x"}, "nonce"),
    ("events", {"events": {}}, "events"),
    ("events-text", {"events": "http://schemas.openid.net/event/backchannel-logout"}, "events"),
    ("nobody", {"sid": ...}, "neither"),
    ("no-jti", {"jti": ...}, "jti"),
    ("no-iat", {"iat": ...}, "iat"),
    ("old", {"iat": 1_799_999_000}, "iat"),
    ("future", {"iat": 1_800_001_000}, "iat"),
    ("expired", {"exp": 1_799_999_000}, "expired"),
    ("aud", {"aud": "another"}, "aud"),
    ("iss", {"iss": "https://evil.example"}, "nobody"),
    ("several-aud", {"aud": [CLIENT, "another"]}, "azp"),
    ("an-event-of-signals", {"typ": "secevent+jwt"}, "typ"),
    ("two-events", {"events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}}}, "events"),
]


async def test_a_logout_token_that_is_none_ends_nothing(place: Site) -> None:
    browser = await place.signed_in()
    for _, claims, why in LOGOUT_TOKENS:
        form = {"logout_token": place.oidc.logout_token(**claims)}
        answer = await browser.post(V1 + "backchannel-logout", form)
        assert answer.status == 400
        assert answer.json["error"] == "invalid_request"
        assert why in answer.json["error_description"]
    assert await status(browser) == 200


# --- what the person sees ---------------------------------------------------------------------------------------------
async def test_a_person_sees_their_sessions_and_ends_one(place: Site) -> None:
    here, there = await place.signed_in(), await place.signed_in()
    told = (await here.ask(V1 + "session")).json
    assert (told["signed_in"], told["session"]["subject"], len(told["sessions"])) == (True, "dr.demo", 2)
    (other,) = (session["id"] for session in told["sessions"] if not session["current"])
    assert b"Your other sessions" in (await here.look(V1 + "session")).body
    assert (await here.post(V1 + "session", {"end": other})).status == 303
    assert (await status(here), await status(there)) == (200, 401)
    assert (await here.post(V1 + "session", {"end": other})).status == 403
    assert (await there.ask(V1 + "session")).json == {"signed_in": False, "sign_in": V1 + "login"}


async def test_nobody_ends_the_session_of_another(place: Site) -> None:
    mine = await place.signed_in()
    place.oidc.person = "dr.other"
    theirs = await place.signed_in()
    other = (await theirs.ask(V1 + "session")).json["session"]["id"]
    assert (await mine.post(V1 + "session", {"end": other})).status == 403
    assert (await theirs.ask(V1 + "session")).json["signed_in"]


@pytest.mark.parametrize("path", ["login", "logout", "session"])
async def test_pages_are_framed_by_nobody_and_run_no_script(place: Site, path: str) -> None:
    place.oidc.down = True
    answer = await place.browser().look(V1 + path)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert b"<script" not in answer.body
    assert b'<html lang="en">' in answer.body


async def test_a_person_s_name_is_text(place: Site) -> None:
    place.oidc.person = "<img src=x onerror=alert(1)>"
    browser = await place.signed_in()
    assert b"<img" not in (await browser.look(V1 + "session")).body


async def test_where_nobody_signs_in_there_is_no_such_path(tmp_path: Path) -> None:
    from support.gateway import running  # the one test that wants a plain site

    async with running(tmp_path) as run:
        assert (await run.ask(V1 + "login", *NAVIGATE, token=None)).status == 403
        page = await run.ask(METADATA, *NAVIGATE, token=None)
        assert (page.status, b"href" in page.body) == (401, False)
