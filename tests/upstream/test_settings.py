import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from leadglass.model.ask import Ask
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.upstream.settings import UpstreamSettings
from support.rawupstream import raw_upstream, reply
from support.upstreams import opened, permit, self_signed, settings


@pytest.mark.parametrize(
    "url",
    ["http://h", "http://127.0.0.1:8042", "https://[::1]:8042", "https://pacs.example.org:443"],
)
def test_origins(url: str) -> None:
    assert settings(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "ftp://h",
        "http://",
        "http://h/",
        "http://h/p",
        "http://u@h",
        "http://h?q",
        "http://h:0",
        "http://h:99999",
        "http://h x",
        "http://h\n",
        "http://h%41",
    ],
)
def test_no_origins(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(url)


@pytest.mark.parametrize(
    "values",
    [
        {"links": "rewritten"},
        {"link_bases": ["http://pacs:8042"]},
        {"links": "rewrite", "link_bases": ["pacs:8042"]},
        {"links": "rewrite", "link_bases": ["http://u@pacs"]},
        {"links": "rewrite", "link_bases": [f"http://pacs-{n}" for n in range(9)]},
        {"kind": "dicomserver"},
        {"max_connections": 3},
        {"max_connections": "24"},
        {"dicomweb": "dicom-web"},
        {"dicomweb": "/a/../b?"},
        {"unknown": 1},
        {"auth": {"basic": "user:password"}},
        {"auth": {"bearer": "token"}},
        {"auth": {"certificate": "c.pem"}},
        {"auth": {"key": "k.pem"}},
        {"auth": {"certificate": "c.pem", "key": "k.pem"}},  # over plain http
    ],
)
def test_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings("http://h", **values)


@pytest.mark.parametrize(
    "auth",
    [{"basic": "env:A", "bearer": "env:B"}, {"basic": "env:B"}, {"bearer": "env:SPACED"}, {"bearer": "env:LONG"}],
)
def test_secrets_that_are_none(auth: dict[str, str]) -> None:
    values = {"kind": "orthanc", "url": "http://h", "auth": auth}
    secrets = {"A": "a:b", "B": "t0kzz", "SPACED": "t0 kzz", "LONG": "t" * 20_000}
    with pytest.raises(ValidationError) as caught:
        UpstreamSettings.model_validate_json(json.dumps(values), context={"base": Path(), "environ": secrets})
    assert not any(secret in str(caught.value) for secret in secrets.values())


async def test_tls(tmp_path: Path) -> None:
    pem, secret = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    async with raw_upstream(reply(b"ok"), tls=context) as archive:
        url = f"https://localhost:{archive.port}"
        async with opened(url, ca=str(pem)) as upstream:
            assert await (await upstream.open(permit(), Ask("GET", "dicomweb", "/studies"))).read(9) == b"ok"
        trusts: list[tuple[str, dict[str, Any]]] = [(url, {}), (f"https://127.0.0.1:{archive.port}", {"ca": str(pem)})]
        for other, ca in trusts:
            async with opened(other, **ca) as upstream:
                with pytest.raises(Refusal) as caught:
                    await upstream.open(permit(), Ask("GET", "dicomweb", "/studies"))
                assert caught.value.causes[0].reason.code == Code.UPSTREAM_UNREACHABLE


def test_who_leads_the_links() -> None:
    asked = {kind: settings("http://h", kind=kind).rewrites for kind in ("orthanc", "dcm4chee", "generic")}
    assert asked == {"orthanc": False, "dcm4chee": True, "generic": True}
    assert settings("http://h", links="rewrite").rewrites
    assert not settings("http://h", kind="dcm4chee", links="forwarded").rewrites
    assert settings("http://h", kind="generic", link_bases=["http://pacs:8042/rs/", "http://[::1]"]).link_bases
