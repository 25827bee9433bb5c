"""The device CA rotates under a running gateway: nobody is cut off, devices learn the new one as they renew."""

import ssl
from pathlib import Path

import pytest

from leadglass.hazmat.mac import sha256
from leadglass.hazmat.x509 import Outcome
from leadglass.model.errors import Refusal
from support.device import ADMIN, ISSUER, Agent, peer
from support.gateway import OWNER, contexts, running


async def test_certificates_of_both_are_good_and_new_ones_are_by_the_new_one(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        devices, folder = run.gateway.devices, tmp_path / "var/device-ca"
        old = devices.authority.fingerprint
        code = await devices.codes.make(OWNER, ISSUER, ADMIN)
        said = await devices.rotation.rotate(ADMIN)
        assert (said["from"], said["codes_void"]) == (old.hex(), 1)
        assert sha256(ssl.PEM_cert_to_DER_cert((folder / "ca.pem").read_text())).hex() == said["to"]
        assert await run.alive(), "over a new connection, with the certificate of the CA before"
        renewed = await devices.renewal.renew(run.agent.renewal(), peer())
        assert sha256(ssl.PEM_cert_to_DER_cert(renewed["ca"])).hex() == said["to"]
        run.agent.renewed(renewed)
        run.context, _ = contexts(tmp_path, run.agent)
        assert await run.alive(), "and with one of the new CA"
        with pytest.raises(Refusal, match="enrolment-refused"):
            await devices.enrolment.enrol(Agent().enrolment(code["code"]), peer())
        other = Agent()
        fresh = await devices.codes.make(OWNER, ISSUER, ADMIN)
        other.enrolled(await devices.enrolment.enrol(other.enrolment(fresh["code"]), peer()))
        (event,) = [line["fields"] for line in run.record("event") if line["kind"] == "device-ca-rotated"]
        assert event == {**said, "by": ADMIN}
        assert len(devices.rotation.jwks()) == 2


async def test_nothing_is_rotated_that_cannot_be_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as run:
        devices = run.gateway.devices
        before = devices.authority.fingerprint
        monkeypatch.setattr(run.gateway.audit._writer, "fault", "full")
        with pytest.raises(Refusal, match="audit-unavailable"):
            await devices.rotation.rotate(ADMIN)
        monkeypatch.setattr(run.gateway.audit._writer, "fault", None)
        assert devices.authority.fingerprint == before
        assert devices.authority.judge(run.agent.certificate, run.clock.now()).outcome is Outcome.OK
        assert sorted(path.name for path in (tmp_path / "var/device-ca").iterdir()) == ["ca.key", "ca.pem"]
