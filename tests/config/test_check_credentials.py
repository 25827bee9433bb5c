"""What `config check` says of the gateway's own certificate at the archive."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.check import check
from support import gateway
from support.clock import FakeClock
from support.gateway import idp_key, write_site

CLOCK = FakeClock()
URL = 'url: "http://127.0.0.1:9"'


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())
    with patch.object(checker, "prepare", gateway.quick_prepare):
        yield made


def sign_in(file: Path, certificate: str, mode: int) -> None:
    auth = f"auth: {{certificate: {certificate}, key: tls/server.key}}"
    file.write_text(file.read_text().replace(URL, f'url: "https://pacs.internal", {auth}'))
    (file.parent / "tls/server.key").chmod(mode)


@pytest.mark.parametrize(
    ("certificate", "mode", "path", "problem"),
    [
        ("tls/server.pem", 0o600, None, ""),
        ("tls/nix.pem", 0o600, "upstreams.main.auth.certificate", "nix.pem"),
        ("leadglass.yaml", 0o600, "upstreams.main.auth.certificate", "client certificate"),
        ("tls/server.pem", 0o644, "upstreams.main.auth.key", "others may read the private key"),
    ],
)
async def test_certificate_and_key(file: Path, certificate: str, mode: int, path: str | None, problem: str) -> None:
    sign_in(file, certificate, mode)
    found = [one for one in await check(file, CLOCK, offline=True) if one.level == "error" and "upstreams" in one.where]
    if path is None:
        assert found == []
    else:
        assert [(one.where.rsplit(": ", 1)[1], problem in one.problem, bool(one.fix)) for one in found] == [
            (path, True, True)
        ]
