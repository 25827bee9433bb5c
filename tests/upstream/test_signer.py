"""The signer's key: made once, published, rotated with overlap and on record; no key for whoever only looks."""

from pathlib import Path

import pytest

from leadglass.model.errors import ConfigurationError, Refusal
from leadglass.upstream.signer import Signer
from support.clock import FakeClock
from support.device import ADMIN, Events


async def test_a_rotation_is_on_record_before_it_is_in_force(tmp_path: Path) -> None:
    clock, events = FakeClock(), Events()
    signer = Signer(tmp_path / "assertion.key", clock, events)
    with pytest.raises(ConfigurationError, match="no archive is told"):
        await signer.rotate(ADMIN)
    signer.keys()
    said = await signer.rotate(ADMIN)
    assert events.kinds == ["assertion-key-rotated"]
    assert [jwk["kid"] for jwk in signer.jwks()] == [said["from"], said["to"]]
    assert (said["since"] < said["until"], signer.keys() is signer.keys()) == (True, True)
    with pytest.raises(ConfigurationError, match="is being rotated"):
        await signer.rotate(ADMIN)
    assert len(events.kinds) == 1
    restarted = Signer(tmp_path / "assertion.key", clock, events)
    restarted.keys()
    assert restarted.jwks() == signer.jwks()


async def test_one_that_cannot_be_recorded_or_written_does_not_take_place(tmp_path: Path) -> None:
    events = Events()
    signer = Signer(tmp_path / "var/assertion.key", FakeClock(), events)
    (tmp_path / "var").mkdir()
    signer.keys()
    before = signer.jwks()
    events.broken = True
    with pytest.raises(Refusal):
        await signer.rotate(ADMIN)
    events.broken = False
    (tmp_path / "var").rename(tmp_path / "elsewhere")
    with pytest.raises(Refusal) as caught:
        await signer.rotate(ADMIN)
    assert caught.value.causes[0].reason.code == "store-unavailable"
    assert signer.jwks() == before


def test_who_only_looks_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no key of assertions") as caught:
        Signer(tmp_path / "assertion.key", FakeClock()).keys()
    assert "start the gateway once" in caught.value.hint
    Signer(tmp_path / "assertion.key", FakeClock(), Events()).keys()
    Signer(tmp_path / "assertion.key", FakeClock()).keys()
