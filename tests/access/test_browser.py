"""Requests that a cookie authorises, at the door: what they must show, and what ends with the session (E3, E4)."""

import asyncio
from pathlib import Path

import pytest

from support.gateway import CT, HOST
from support.oidc import ORIGIN, V1, site
from support.trickle import trickle

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


async def test_a_cookie_and_a_token_are_two_credentials(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        browser = await place.signed_in()
        answer = await browser.ask(METADATA, f"Authorization: Bearer {place.run.token()}")
        assert (answer.status, answer.reasons) == (400, ["two-credentials"])
        cookie = browser.cookies["__Host-leadglass"]
        twice = f"Cookie: __Host-leadglass={cookie}; __Host-leadglass={'A' * 43}"
        assert (await place.run.ask(METADATA, twice, token=None)).reasons == ["two-credentials"]
        lines = (f"Cookie: __Host-leadglass={cookie}", "Cookie: __Host-leadglass=x")
        assert (await place.run.ask(METADATA, *lines, token=None)).reasons == ["http-malformed"]
        bomb = "Cookie: " + "; ".join(f"__Host-leadglass_{n}={'A' * 200}" for n in range(200))
        assert (await place.run.ask(METADATA, bomb, token=None)).status == 431


CROSS = [
    ("POST", V1 + "logout", ("Origin: https://evil.example",)),
    ("POST", V1 + "logout", ("Origin: null",)),
    ("POST", V1 + "logout", ("Sec-Fetch-Site: same-site",)),
    ("POST", V1 + "logout", ()),
    ("POST", V1 + "session", ("Sec-Fetch-Site: cross-site", f"Origin: {ORIGIN}")),
    ("POST", "/dicom-web/studies", ("Origin: https://evil.example",)),
    ("POST", "/dicom-web/studies", ()),
    ("GET", METADATA, ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")),
    ("GET", METADATA, ("Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors")),
]


async def test_what_another_site_causes_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        browser = await place.signed_in()
        for method, path, fields in CROSS:
            kind = 'Content-Type: multipart/related; type="application/dicom"; boundary=b'
            given = (kind, *fields) if method == "POST" else fields
            answer = await browser.ask(path, *given, method=method, body=b"" if method == "POST" else None)
            assert (answer.status, answer.reasons) == (403, ["origin-refused"]), (method, path, fields)
        assert (await browser.ask(METADATA, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors")).status == 200


FRAMES = f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[0].sop}/frames/1"


@pytest.mark.parametrize("how", ["administrator", "back-channel", "person revoked", "signed out", "roles withdrawn"])
async def test_what_runs_on_a_session_ends_with_it(tmp_path: Path, how: str) -> None:
    async with site(tmp_path, seconds=50) as place:
        browser = await place.signed_in()
        gateway, cookie = place.run.gateway, browser.cookies["__Host-leadglass"]
        sessions = gateway.browsers.sessions
        place.run.archive.replaced[FRAMES] = trickle
        async with asyncio.timeout(15), place.run.client() as client:
            await client.send(
                f"GET {FRAMES} HTTP/1.1\r\nHost: {HOST}\r\nCookie: __Host-leadglass={cookie}\r\n\r\n".encode()
            )
            assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await client.reader.readexactly(4096)
            if how == "administrator":
                await sessions.end(sessions.all()[0]["id"], "lost", {"user": "root"})
            elif how == "person revoked":
                await gateway.revocations.revoke("user", "dr.demo", "left", None, {"uid": 0, "user": "root"})
            elif how == "back-channel":
                await browser.post(V1 + "backchannel-logout", {"logout_token": place.oidc.logout_token()})
            elif how == "signed out":
                await browser.post(V1 + "logout", {})
            else:
                place.oidc.roles = ()
                place.run.clock.advance(25)
                await sessions.look()  # a minute before the token ends, the issuer is asked anew
            with pytest.raises(ConnectionError):
                await client.reader.read()  # to the end, which is a reset and no end
