"""Where an address is: read from every kind of file, kept when the next one is spoilt, and never raised into a request."""

import asyncio
import logging
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from leadglass.attributes import geo as module
from leadglass.attributes.geo import NOWHERE, Geo, Location, load, registries
from leadglass.attributes.settings import GeoSettings
from leadglass.epochs import Epochs
from leadglass.model.errors import ConfigurationError
from support.geo import LINKOEPING, LONDON, TOKYO, city, write

NOT_OF_THE_WORLD = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "::1", "100.64.0.1", "169.254.1.1", "fe80::1", "fc00::1",
    "192.0.2.1", "2001:db8::1", "0.0.0.1", "224.0.0.1", "255.255.255.255", "ff02::1",
)  # fmt: skip


class Site:
    """A source over a file, and what it told."""

    def __init__(self, file: Path | None, *, embedded: bool = True) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.changes = 0
        self.changed_twice = asyncio.Event()
        self.epochs = Epochs()
        self.geo = Geo(
            GeoSettings.model_construct(database=file, embedded=embedded),
            self.epochs,
            lambda kind, said: self.told.append((kind, said)),
        )
        self.geo.changed = self._changed

    def _changed(self) -> None:
        self.changes += 1
        if self.changes == 2:
            self.changed_twice.set()

    def at(self, ip: str) -> tuple[str | None, str | None]:
        found = self.geo.find(ip_address(ip))
        return found.country, found.city


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (city("GB", "London"), Location("GB", "London")),
        (city("SE"), Location("SE")),
        ({"country_code": "US", "country": "United States", "asn": "AS15169"}, Location("US")),  # IPinfo Lite
        ({"country": "US", "city": "Mountain View"}, Location("US", "Mountain View")),  # IPinfo Location
        ({"registered_country": {"iso_code": "US"}}, NOWHERE),  # whose block it is, not where it is
        ({"country": {"iso_code": "usa"}, "city": {"names": {"en": "x" * 101}}}, NOWHERE),
        ({"country": {"iso_code": 7}, "city": {"names": {"en": "a\nb"}}}, NOWHERE),
        ({"country": {"iso_code": "GB"}, "city": {"names": {"de": "London"}}}, Location("GB")),
    ],
)
def test_records_of_every_maker(tmp_path: Path, record: Any, expected: Location) -> None:  # noqa: ANN401 - whatever a file holds
    found = load(write(tmp_path / "geo.mmdb", {"81.2.69.0/24": record, "89.160.0.0/16": city("SE")}))
    assert found.find(ip_address(LONDON)) == expected


async def test_addresses_of_the_world(tmp_path: Path) -> None:
    site = Site(write(tmp_path / "geo.mmdb"))
    await site.geo.start()
    try:
        assert site.at(LONDON) == ("GB", "London")
        assert site.at(LINKOEPING) == ("SE", None)
        assert site.at(TOKYO) == ("JP", "Tōkyō")
        assert site.at("8.8.8.8") == (None, None)
    finally:
        await site.geo.close()


@pytest.mark.parametrize("ip", NOT_OF_THE_WORLD)
async def test_addresses_of_nobody_are_nowhere(tmp_path: Path, ip: str) -> None:
    everywhere = {"0.0.0.0/0": city("GB", "London"), "2000::/3": city("GB")}
    site = Site(write(tmp_path / "geo.mmdb", everywhere))
    await site.geo.look()
    assert site.at("8.8.8.8") == ("GB", "London")
    assert site.at(ip) == (None, None)
    assert Site(None).at(ip) == (None, None)


async def test_a_file_of_ipv4_alone(tmp_path: Path) -> None:
    site = Site(write(tmp_path / "geo.mmdb", {"81.2.69.0/24": city("GB")}, ip_version=4))
    await site.geo.look()
    assert (site.at(LONDON), site.at(TOKYO)) == (("GB", None), (None, None))
    assert [kind for kind, _ in site.told] == ["geo-loaded"]


def test_without_a_file_the_registries_know(tmp_path: Path) -> None:
    site = Site(None)
    assert site.at("193.0.6.139") == ("NL", None)  # of the registry for Europe itself
    assert site.at("2001:67c:2e8::1") == ("NL", None)
    assert site.geo.source.startswith("registries (iptocc ")
    assert registries()[0](ip_address("10.0.0.1")) == NOWHERE
    off = Site(None, embedded=False)
    assert (off.at("193.0.6.139"), off.geo.source) == ((None, None), "none")


SPOILT = {
    "empty": lambda _: b"",
    "no database": lambda _: b"x" * 10_000,
    "cut short": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-40],
    "without its begin": lambda data: data[60:],
    "other bytes in the tree": lambda data: b"\xff" * 300 + data[300:],
    "other bytes in the data": lambda data: data[: data.index(b"iso_code") - 1] + b"\xff" * 40 + data[data.index(b"iso_code") + 39 :],
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
async def test_a_spoilt_file_leaves_the_one_before(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path / "geo.mmdb")
    site = Site(file)
    await site.geo.look()
    generation = site.epochs.generation
    (tmp_path / "next").write_bytes(SPOILT[name](file.read_bytes()))  # type: ignore[no-untyped-call]  # lambdas of a table
    (tmp_path / "next").replace(file)
    await site.geo.look()
    assert (site.at(LONDON), site.changes, site.epochs.generation) == (("GB", "London"), 1, generation)
    assert [kind for kind, _ in site.told] == ["geo-loaded", "geo-refused"]
    assert "the one before stays in force" in caplog.text
    await site.geo.look()
    assert len(site.told) == 2, "said once"


@cache
def sound() -> bytes:
    with TemporaryDirectory() as folder:
        return write(Path(folder) / "geo.mmdb").read_bytes()


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20), st.floats(0, 1))
@examples(max_examples=150, deadline=None)
def test_whatever_its_bytes_nothing_but_a_refusal_comes_of_it(changes: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(sound())
    for place, byte in changes:
        data[int(place * len(data))] = byte
    with TemporaryDirectory() as folder:
        file = Path(folder) / "geo.mmdb"
        file.write_bytes(data[: int(kept * len(data))] if kept < 0.5 else data)  # every other one is whole
        site = Site(None, embedded=False)
        try:
            site.geo._find = load(file).find
        except ConfigurationError:
            return
    for ip in (LONDON, LINKOEPING, TOKYO, "8.8.8.8", "2a00::1"):
        country, city = site.at(ip)
        assert country is None or (len(country) == 2 and country.isupper())
        assert city is None or city.isprintable()


async def test_one_that_cannot_be_read_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(tmp_path / "geo.mmdb")
    await site.geo.look()
    assert site.at(LONDON) == (None, None), "not what the registries say: that is another answer"
    assert "no country is known" in caplog.text
    assert site.told[0][0] == "geo-refused"
    write(tmp_path / "geo.mmdb")
    await site.geo.look()
    assert site.at(LONDON) == ("GB", "London")


async def test_a_new_file_is_in_force_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_WATCH_SECONDS", 0.001)
    file = write(tmp_path / "geo.mmdb")
    site = Site(file)
    await site.geo.start()
    try:
        generation = site.epochs.generation
        write(file, {"81.2.69.0/24": city("FR", "Paris")}, kind="Other")
        async with asyncio.timeout(20):
            await site.changed_twice.wait()
        assert site.at(LONDON) == ("FR", "Paris")
        assert site.epochs.generation > generation
        assert site.geo.source.startswith("Other of 20")
    finally:
        await site.geo.close()


def test_a_huge_one_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GEO_BYTES", 1_000)
    with pytest.raises(ConfigurationError, match="is larger than 1000 bytes"):
        load(write(tmp_path / "geo.mmdb"))


def test_one_of_something_else_is_said_to_be(tmp_path: Path) -> None:
    networks = {"81.2.69.0/24": {"autonomous_system_number": 1}}
    with pytest.raises(ConfigurationError, match="GeoLite2-ASN and knows no countries"):
        load(write(tmp_path / "geo.mmdb", networks, kind="GeoLite2-ASN"))


def test_what_a_look_at_the_file_does_not_find_is_found_by_a_request(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(None)

    def spoilt(_: object) -> Location:
        raise IndexError("bytearray index out of range")

    site.geo._find = spoilt
    caplog.set_level(logging.ERROR)
    assert [site.at(LONDON), site.at(LINKOEPING)] == [(None, None)] * 2
    assert caplog.text.count("spoilt") == 1
    assert [kind for kind, _ in site.told] == ["geo-refused"]
