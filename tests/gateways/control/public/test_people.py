"""Forms that browsers and issuers send (the pages are tests/access/test_signin.py)."""

from pathlib import Path

import pytest

from leadglass.model.request import Headers
from support.control import V1, control_site, request
from support.device import peer

FORM = "application/x-www-form-urlencoded"
FORMS = [
    ("twice", FORM, b"logout_token=a&logout_token=b", 400),
    ("many", FORM, b"&".join(b"f%d=x" % n for n in range(20)), 400),
    ("no-pair", FORM, b"logout_token", 400),
    ("not-utf-8", FORM, b"\xff\xfe", 400),
    ("text", "text/plain", b"logout_token=a", 400),
    ("json-list", "application/json", b"[]", 400),
    ("json-number", "application/json", b'{"logout_token": 1}', 400),
    ("json-twice", "application/json", b'{"logout_token": "a", "logout_token": "b"}', 400),
    ("json-deep", "application/json", b"[" * 100_000, 400),
    ("empty", FORM, b"", 400),
    ("not-a-token", FORM, b"logout_token=a", 400),
]


@pytest.mark.parametrize(("media", "body", "status"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
async def test_what_is_no_form_is_refused(tmp_path: Path, media: str, body: bytes, status: int) -> None:
    async with control_site(tmp_path) as control:
        asked = request(V1 + "backchannel-logout", headers=Headers({"content-type": media}))
        assert (await control.relay.ask(asked, body, peer())).status == status
