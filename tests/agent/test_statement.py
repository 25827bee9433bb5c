from pathlib import Path

import pytest

from leadglass_agent import __version__
from leadglass_agent.checks.base import Result
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.state import State
from leadglass_agent.statement import boot, statement
from support.fakegateway import jwk_key, read_jws


def test_it_has_exactly_the_claims_of_the_protocol(tmp_path: Path) -> None:
    key, state = SoftwareKey.create(tmp_path / "k"), State("https://g", "device", "o", ())
    checks = {"vpn": Result("fail", {"tunnels": []}, "no tunnel is up"), "os_patch": Result("pass")}
    signed = statement(key, state, checks, nonce="n", seq=3, now=12.9, booted=("boot", 5.5))
    header, claims = read_jws(signed, "leadglass-posture+jwt", jwk_key(key.public_jwk()))
    assert header == {"alg": "ES256", "typ": "leadglass-posture+jwt", "kid": "device"}
    assert claims == {
        "eat_profile": "urn:leadglass:posture:1",
        "eat_nonce": "n",
        "ueid": "device",
        "iat": 12,
        "swname": "leadglass-agent",
        "swversion": __version__,
        "seq": 3,
        "boot_id": "boot",
        "uptime": 5.5,
        "checks": {
            "vpn": {"status": "fail", "value": {"tunnels": []}, "reason": "no tunnel is up"},
            "os_patch": {"status": "pass"},
        },
    }


def test_boot_reads_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("0d1b-ff\n")
    (tmp_path / "proc/uptime").write_text("123.45 99.00\n")
    assert boot(tmp_path) == ("0d1b-ff", 123.45)
    assert boot()[1] > 0


def test_a_kernel_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="boot_id"):
        boot(tmp_path)


HOSTILE = "a\x00b\nc\x1b[31m\x9f\u2028\ud800é"


def test_anybodys_names_stay_within_the_bounds_of_the_protocol(tmp_path: Path) -> None:
    value = {"names": [HOSTILE, "x" * 999, *["y"] * 99], "n": 3, "none": None}
    key = SoftwareKey.create(tmp_path / "k")
    checks = {"vpn": Result("fail", value, HOSTILE)}
    signed = statement(key, State("https://g", "d", "o", ()), checks, nonce="n", seq=1, now=0, booted=("b", 1.0))
    told = read_jws(signed, "leadglass-posture+jwt", jwk_key(key.public_jwk()))[1]["checks"]["vpn"]
    assert told["reason"] == "a?b?c?[31m???é"
    assert told["value"]["names"][:2] == ["a?b?c?[31m???é", "x" * 256]
    assert len(told["value"]["names"]) == 64
    assert (told["value"]["n"], told["value"]["none"]) == (3, None)
