from pathlib import Path

import pytest

from leadglass.attributes.geo import Location
from leadglass.attributes.network import Networks, Place, load
from leadglass.codec.address import canonical
from leadglass.model.errors import ConfigurationError
from leadglass.model.request import IPAddress

TABLE = {
    "hospital": ["10.0.0.0/8", "fd00::/8"],
    "reading-room": ["10.1.2.0/24"],
    "mapped": ["::ffff:192.0.2.0/120"],
    "everything-v4": ["0.0.0.0/0"],
    "everything-v6": ["::/0"],
}


@pytest.mark.parametrize(
    ("ip", "place"),
    [
        ("10.1.2.3", Place("10.1.2.3", ("everything-v4", "hospital", "reading-room"))),
        ("10.2.0.1", Place("10.2.0.1", ("everything-v4", "hospital"))),
        ("::ffff:10.1.2.3", Place("10.1.2.3", ("everything-v4", "hospital", "reading-room"))),
        ("::FFFF:0a01:0203", Place("10.1.2.3", ("everything-v4", "hospital", "reading-room"))),
        ("192.0.2.7", Place("192.0.2.7", ("everything-v4", "mapped"))),
        ("198.51.100.1", Place("198.51.100.1", ("everything-v4",))),
        ("fd00::1", Place("fd00::1", ("everything-v6", "hospital"))),
        ("FD00:0:0::1", Place("fd00::1", ("everything-v6", "hospital"))),
        ("fe80::1%eth0", Place("fe80::1", ("everything-v6",))),
        ("", Place("", ())),
        ("unix", Place("unix", ())),
        ("10.0.0.01", Place("10.0.0.01", ())),  # octal or not: nobody knows
        ("10.0.0.1, 10.1.2.3", Place("10.0.0.1, 10.1.2.3", ())),
    ],
)
def test_an_address_has_the_names_of_its_networks(ip: str, place: Place) -> None:
    networks = Networks(TABLE)
    assert networks.place(ip) == place
    assert networks.place(ip) is networks.place(ip)


def test_where_in_the_world_is_asked_once_and_for_addresses_alone() -> None:
    asked: list[str] = []

    def locate(address: IPAddress) -> Location:
        asked.append(str(address))
        return Location("GB", "London")

    networks = Networks(TABLE, locate)
    for ip in ("81.2.69.142", "::ffff:81.2.69.142", "81.2.69.142", "unix", ""):
        networks.place(ip)
    assert networks.place("::ffff:81.2.69.142") == Place("81.2.69.142", ("everything-v4",), Location("GB", "London"))
    assert networks.whereabouts("81.2.69.142") == ("GB", "London")
    assert networks.whereabouts("unix") == (None, None)
    assert asked == ["81.2.69.142"] * 2
    networks.forget()
    networks.place("81.2.69.142")
    assert len(asked) == 3


def test_the_memory_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.attributes.network.CLIENT_ADDRESSES", 3)
    networks = Networks(TABLE)
    for last in range(10):
        networks.place(f"10.0.0.{last}")
    assert len(networks._places) <= 3


def test_another_table_is_in_force_at_once_and_a_bad_one_never() -> None:
    networks = Networks({"a": ["10.0.0.0/8"]})
    assert networks.place("10.0.0.1").networks == ("a",)
    with pytest.raises(ConfigurationError, match="network b"):
        networks.replace({"c": ["10.0.0.0/8"], "b": ["10.0.0.1/8"]})
    assert networks.place("10.0.0.1").networks == ("a",)
    networks.replace({"c": ["10.0.0.0/8"]})
    assert networks.place("10.0.0.1").networks == ("c",)


@pytest.mark.parametrize(
    "block", ["10.0.0.1/8", "10.0.0.0/33", "hospital", "", "10.0.0.0/8 ", "::ffff:10.0.0.1/96", "10.0.0.0-10.1.0.0"]
)
def test_a_malformed_block_is_an_error_with_its_line(tmp_path: Path, block: str) -> None:
    file = tmp_path / "networks.yaml"
    file.write_text(f'networks:\n  fine: [10.0.0.0/8]\n  odd:\n    - 172.16.0.0/12\n    - "{block}"\n')
    with pytest.raises(ConfigurationError, match=r"networks\.yaml:5: networks\.odd\.1"):
        load(file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no mapping"),
        ("a: 1", "holds no mapping"),
        ("networks: []", "holds no mapping"),
        ("networks: {a: 10.0.0.0/8}", "must be a list"),
        ("networks: {a: [10]}", "must be a list"),
        ("networks: {a: [10.0.0.0/8], a: [10.0.0.0/9]}", "duplicate key"),
    ],
)
def test_a_malformed_table_is_an_error(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "networks.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        Networks.load(file)


def test_the_shipped_table_is_readable() -> None:
    networks = Networks.load(Path(__file__).parents[2] / "policies/data/networks.yaml")
    assert networks.place("127.0.0.1").networks == ("loopback",)
    assert networks.place("::ffff:192.168.1.1").networks == ("private",)


def test_the_number_of_blocks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.attributes.network.NETWORKS_NAMED", 2)
    with pytest.raises(ConfigurationError, match="more than 2"):
        Networks({"a": ["10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/10"]})


def test_a_mapped_address_is_the_one_it_stands_for() -> None:
    assert str(canonical("::ffff:127.0.0.1")) == "127.0.0.1"
    with pytest.raises(ValueError, match="does not appear"):
        canonical("127.1")
