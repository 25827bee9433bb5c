"""What `config check` says of countries."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.attributes.geo import load
from leadglass.config import check as checker
from leadglass.config.check import Finding, check
from support import gateway
from support.clock import FakeClock
from support.gateway import idp_key, write_site
from support.geo import city, write

NOW = FakeClock().now()
BOUND = "except: []\neveryone: {}\nroles: {radiologist: {allowed: [DE]}}\n"
FREE = "except: []\neveryone: {}\nroles: {}\n"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    with patch.object(checker, "prepare", gateway.quick_prepare):
        yield made


def plant(file: Path, geo: str, table: str | None = None) -> None:
    file.write_text(file.read_text() + f"geo: {geo}\n")
    if table is not None:
        (file.parent / "policies/data/countries.yaml").write_text(table)


async def found(file: Path, at: float) -> list[Finding]:
    return [one for one in await check(file, FakeClock(at), offline=True) if ": geo" in one.where]


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(0, "ok", "GeoLite2-City, 0 days old"), (59, "ok", "59 days"), (90, "warning", "90 days old")],
)
async def test_a_database_and_its_age(file: Path, days: int, level: str, words: str) -> None:
    built = load(write(file.parent / "geo.mmdb", {"81.2.69.0/24": city("GB")})).built
    plant(file, "{database: geo.mmdb}")
    (one,) = await found(file, built + days * 86_400.0)
    assert (one.level, words in one.problem) == (level, True)


@pytest.mark.parametrize("content", [None, b"spoilt"])
async def test_one_that_cannot_be_used(file: Path, content: bytes | None) -> None:
    if content is not None:
        (file.parent / "geo.mmdb").write_bytes(content)
    plant(file, "{database: geo.mmdb}")
    (one,) = await found(file, NOW)
    assert (one.level, "geo.mmdb" in one.problem, bool(one.fix)) == ("error", True, True)


@pytest.mark.parametrize(
    ("geo", "table", "told"),
    [
        ("{embedded: false}", BOUND, True),
        ("{embedded: false}", FREE, False),
        ("{embedded: false}", None, False),
        ("{embedded: false}", "except: [", False),  # said of the policy
        ("{embedded: true}", BOUND, False),
    ],
)
async def test_countries_that_nothing_tells(file: Path, geo: str, table: str | None, *, told: bool) -> None:
    plant(file, geo, table)
    with patch.object(checker, "_policy", _nothing):
        assert [one.level for one in await found(file, NOW)] == ["error"] * told


async def _nothing(*_: object, **__: object) -> list[Finding]:
    return []
