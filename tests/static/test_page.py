import base64
import hashlib

import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.static.page import policy, strays, with_scripts

PAGE = (
    b"<!doctype html><html><HEAD lang='en'><script>console.time('x');\n</script>"
    b'<link rel="manifest" href="/manifest.json"/><script src="/app.js">ignored</script>'
    b"<script>console.time('x');\n</script><script type='module'>y</script></head></html>"
)


def test_our_scripts_come_before_all_others() -> None:
    made = with_scripts(PAGE, [("/v/a.js", {"roots": '/dicom-web "/wado'}), ("/d.js", {})])
    head = b"<HEAD lang='en'>"
    ours = b'<script src="/v/a.js" data-roots="/dicom-web &quot;/wado"></script><script src="/d.js"></script>'
    assert made.partition(head)[2].startswith(ours)
    assert made.replace(ours, b"").replace(b' crossorigin="use-credentials"', b"") == PAGE


def test_the_manifest_is_fetched_with_the_session() -> None:
    assert b'<link rel="manifest" crossorigin="use-credentials" href="/manifest.json"/>' in with_scripts(PAGE, [])
    said = b'<head><link rel="manifest" href="/m" crossorigin="anonymous">'
    assert with_scripts(said, []) == said


def test_a_page_without_a_head_is_none() -> None:
    with pytest.raises(ConfigurationError, match="no <head>"):
        with_scripts(b"<header></header>", [])


def test_inline_scripts_run_by_their_hash_and_nothing_else_inline_does() -> None:
    def hashed(text: bytes) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"

    scripts = next(part for part in policy(PAGE).split("; ") if part.startswith("script-src"))
    hashes = [part for part in scripts.split() if part.startswith("'sha256-")]
    assert hashes == [hashed(b"console.time('x');\n"), hashed(b"y")]
    assert "'unsafe-inline'" not in scripts


def test_the_policy_reaches_no_other_origin() -> None:
    parts = dict(part.partition(" ")[::2] for part in policy(PAGE).split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["connect-src"] == "'self' data: blob:"
    assert (parts["base-uri"], parts["frame-ancestors"]) == ("'none'", "'none'")
    assert not any("http" in sources or "*" in sources for sources in parts.values())
    assert "connect-src 'self' data: blob: http://127.0.0.1:7911;" in policy(PAGE, ["http://127.0.0.1:7911"])


def test_a_page_built_for_another_path_is_seen() -> None:
    assert strays(PAGE, "/") == []
    assert strays(PAGE, "/viewer/") == ["/manifest.json", "/app.js"]
    assert strays(b'<link href="/viewer/a.css"><script src="b.js"></script>', "/viewer/") == []
