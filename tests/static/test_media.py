import pytest

from leadglass.static.media import BYTES, is_hashed, media_type

TYPES = [
    ("index.html", "text/html; charset=utf-8"), ("a.JS", "text/javascript; charset=utf-8"), ("a.wasm", "application/wasm"),
    ("app.bundle.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml"), ("LICENSE", BYTES), ("a.exe", BYTES),
    ("js", BYTES), ("a.", BYTES),
]  # fmt: skip


@pytest.mark.parametrize(("name", "media"), TYPES)
def test_a_name_says_its_media_type(name: str, media: str) -> None:
    assert media_type(name) == media


NAMES = [
    ("app.bundle.096daabbdde29bd851ab.js", True), ("17dd54813d5acc10bf8f.wasm", True), ("2591.css", False),
    ("app.bundle.js", False), ("index.html", False), ("lib-0123456789abcdef.js", True), ("lib-0123456789abcde.js", False),
    ("deadbeef.js", False), ("20260101120000.js", False), ("0123456789abcdef", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hashed"), NAMES)
def test_only_a_digest_makes_a_name_lasting(name: str, hashed: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_hashed(name) is hashed
