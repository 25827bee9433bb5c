"""What a cookie authorises must come from our own origin (E4)."""

import pytest

from leadglass.codec.sameorigin import check
from leadglass.model.errors import Refusal
from leadglass.model.request import CleanRequest, Headers

OURS = "https://pacs.example.org"
GOOD = [
    ("GET", {}),
    ("GET", {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}),
    ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}),
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}),
    ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
    ("GET", {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
    ("GET", {"origin": OURS}),
    ("POST", {"origin": OURS}),
    ("POST", {"sec-fetch-site": "same-origin"}),
    ("DELETE", {"origin": OURS, "sec-fetch-site": "same-origin"}),
]
BAD = [
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}),
    ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}),
    ("GET", {"sec-fetch-site": "cross-site"}),
    ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
    ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "object"}),
    ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "embed"}),
    ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "websocket", "origin": "https://sub.pacs.example.org"}),
    ("GET", {"origin": "https://evil.example"}),
    ("GET", {"origin": "null"}),
    ("HEAD", {"origin": "https://evil.example"}),
    ("POST", {}),
    ("PUT", {}),
    ("DELETE", {}),
    ("POST", {"origin": "null"}),
    ("POST", {"origin": "https://evil.example"}),
    ("POST", {"origin": "https://pacs.example.org.evil.example"}),
    ("POST", {"origin": "https://evil.example/https://pacs.example.org"}),
    ("POST", {"origin": "http://pacs.example.org"}),
    ("POST", {"origin": "https://pacs.example.org:8443"}),
    ("POST", {"origin": "https://sub.pacs.example.org"}),
    ("POST", {"origin": "HTTPS://PACS.EXAMPLE.ORG"}),
    ("POST", {"origin": f"{OURS} https://evil.example"}),
    ("POST", {"origin": OURS, "sec-fetch-site": "cross-site"}),
    ("POST", {"origin": OURS, "sec-fetch-site": "same-site"}),
    ("POST", {"origin": "https://evil.example", "sec-fetch-site": "same-origin"}),
    ("POST", {"sec-fetch-site": "none"}),
    ("POST", {"referer": f"{OURS}/viewer/"}),
]


def request(method: str, fields: dict[str, str]) -> CleanRequest:
    return CleanRequest(method, "/x", ("x",), (), "pacs.example.org", Headers(fields))


@pytest.mark.parametrize(("method", "fields"), GOOD, ids=str)
def test_ours_pass(method: str, fields: dict[str, str]) -> None:
    check(request(method, fields), OURS)


@pytest.mark.parametrize(("method", "fields"), BAD, ids=str)
def test_others_do_not(method: str, fields: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="origin-refused"):
        check(request(method, fields), OURS)
