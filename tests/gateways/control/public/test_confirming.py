"""The form on which a person confirms; what it does is tests/access/test_reidentify.py."""

from pathlib import Path

import pytest

from leadglass.codec.landing import landing
from leadglass.model.control import PeerFacts
from leadglass.model.request import Headers
from support.control import V1, control_site, request

PAGE = V1 + "reidentify"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_sees_it_who_is_not_signed_in(tmp_path: Path, method: str) -> None:
    peer = PeerFacts("01J", "192.0.2.1", origin="https://pacs.test", query=(("request", "abc"),), page=True)
    kind = {} if method == "GET" else {"content-type": "application/x-www-form-urlencoded"}
    async with control_site(tmp_path) as control:
        asked = request(PAGE, method, headers=Headers(kind))
        body = b"" if method == "GET" else b"request=abc&answer=yes"
        answer = await control.relay.ask(asked, body, peer)
    assert answer.status == 401
    assert b"<form" not in answer.body
    assert b"return=%2F.leadglass%2Fv1%2Freidentify%3Frequest%3D" in answer.body


def test_a_sign_in_comes_back_to_it() -> None:
    assert landing(PAGE + "?request=abc") == PAGE + "?request=abc"
    assert landing(PAGE + "/x") is None
    assert landing(PAGE + "?request=<") is None
