"""The page of a refusal."""

from types import MappingProxyType

from leadglass.gateways.http.page import page
from leadglass.model.disclosure import Said
from support.door import DECISION

EVIL = '<script>alert("1")</script>&\''


def test_the_page_says_it_all_and_escapes_it() -> None:
    said = Said(403, EVIL, EVIL, (EVIL,), (EVIL, "Second."), MappingProxyType({}), None)
    text = page(said, DECISION).decode()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 5
    assert DECISION in text
    assert "<li>Second.</li>" in text
    assert '<html lang="en">' in text
    assert "prefers-color-scheme:dark" in text
    assert "http://" not in text
    assert "https://" not in text
