"""Forms that work without script; what they do is tests/access/test_emergency.py, test_glass.py and test_why.py."""

import re
from pathlib import Path

import pytest

from leadglass.model.control import PeerFacts
from leadglass.model.request import Headers
from support.control import V1, control_site, request


def facts(back: str = "") -> PeerFacts:
    query = (("return", back),) if back else ()
    return PeerFacts("01J", "192.0.2.1", origin="https://pacs.test", query=query, page=True)


async def body(folder: Path, path: str, peer: PeerFacts) -> str:
    async with control_site(folder) as control:
        asked = request(V1 + path, "GET", headers=Headers({}))
        return (await control.relay.ask(asked, b"", peer)).body.decode()


async def test_the_emergency_form_is_whole_and_labelled(tmp_path: Path) -> None:
    page = await body(tmp_path, "emergency", facts())
    assert "<script" not in page
    names = re.findall(r'<input id="([a-z]+)" name="\1" required', page)
    assert names == ["name", "code", "reason"]
    assert [name for name in names if f'<label for="{name}">' not in page] == []
    assert 'method="post" action="/.leadglass/v1/emergency"' in page


@pytest.mark.parametrize(
    ("back", "kept"),
    [
        ("/viewer/?x=1", 'value="/viewer/?x=1"'),
        ("//evil.example", ""),
        ('/"><script>', ""),
        ("/.leadglass/v1/logout", ""),
    ],
)
async def test_it_leads_back_to_our_own_origin_alone(tmp_path: Path, back: str, kept: str) -> None:
    page = await body(tmp_path, "emergency", facts(back))
    assert ('name="return"' in page) == bool(kept)
    assert kept in page


async def test_without_a_session_there_is_no_glass_to_break(tmp_path: Path) -> None:
    page = await body(tmp_path, "break-glass", facts())
    assert "<form" not in page
