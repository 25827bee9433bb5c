"""A device goes into its row and comes back the same."""

import orjson

from leadglass.devices.enrolled import Enrolled, Posture, from_row, posture_row
from leadglass.hazmat.statement import DeviceKey
from support.device import Key

POSTURE = Posture(1000.0, 3, "boot", 5.5, "leadglass-agent 0.1.0", {"b": {"status": "fail"}, "a": {"status": "pass"}})
DEVICE = Enrolled(
    "AQ", "ws", "dr.smith", "https://idp.example.org", "Debian", "tpm", DeviceKey(Key().jwk), 900.0, posture=POSTURE
)


def test_it_comes_back_the_same() -> None:
    row = {**DEVICE.row(), **posture_row(POSTURE), "revoked": None, "revoked_reason": None}
    assert from_row(row) == DEVICE


def test_one_that_never_reported_has_no_posture() -> None:
    row = {**DEVICE.row(), "received": None, "revoked": 950.0, "revoked_reason": "lost"}
    device = from_row(row)
    assert device.posture is None
    assert not device.active
    assert device.shown(1000.0)["checks"] is None


def test_policy_sees_its_facts() -> None:
    facts = DEVICE.facts(2000.0, 7.0)
    assert (facts.key_protection, facts.binding, facts.expires, facts.received) == ("tpm", "mtls", 2000.0, 7.0)
    assert (facts.owner, facts.owner_issuer) == ("dr.smith", "https://idp.example.org")
    assert orjson.loads(orjson.dumps(facts.document))["checks"] == POSTURE.checks


def test_an_administrator_sees_ages_that_are_never_negative() -> None:
    assert DEVICE.shown(1003.0)["posture_age_seconds"] == 3
    assert DEVICE.shown(990.0)["posture_age_seconds"] == 0
    assert list(POSTURE.summary()) == ["a", "b"]
