"""The session key rotates: nobody is signed out, sign-ins under way come back, and the old key goes."""

import asyncio
from pathlib import Path

import pytest

from leadglass.hazmat.aead import Unsealable, load_or_make_box
from leadglass.hazmat.mac import KEY_BYTES
from leadglass.model.errors import ConfigurationError, Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.sessions import rotation as module
from support.device import ADMIN
from support.gateway import CT
from support.oidc import site

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


async def test_sessions_go_on_under_the_new_key(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        browser = await place.signed_in()
        gateway, file = place.run.gateway, tmp_path / "var/session.key"
        box, key = gateway.browsers.key._box, gateway.browsers.key
        before = file.read_bytes()
        begun = box.seal(b"a sign-in under way", b"here")
        said = await key.rotate(ADMIN)
        assert said["sessions"] == 1
        with pytest.raises(ConfigurationError, match="is being rotated"):
            await key.rotate(ADMIN)
        assert box.open(begun, b"here") == b"a sign-in under way"
        opened = load_or_make_box(file)
        await key.forget()
        assert before not in file.read_bytes()
        with pytest.raises(Unsealable):
            box.open(begun, b"here")
        again = await type(gateway.browsers).open(
            gateway.store, file, gateway.audit, clock=place.run.clock, epochs=gateway._epochs, tasks=gateway._tasks,
            providers=lambda: gateway.parts.providers, devices=gateway.devices,
        )  # fmt: skip
        assert len(again.sessions) == 1
        assert opened.rotating
        assert browser.cookies["__Host-leadglass"]
        (event,) = [line["fields"] for line in place.run.record("event") if line["kind"] == "session-key-rotated"]
        assert event == {**said, "by": ADMIN}


async def test_nothing_is_rotated_that_cannot_be_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(tmp_path) as place:
        gateway, file = place.run.gateway, tmp_path / "var/session.key"
        before = file.read_bytes()
        monkeypatch.setattr(gateway.audit._writer, "fault", "full")
        with pytest.raises(Refusal, match="audit-unavailable"):
            await gateway.browsers.key.rotate(ADMIN)
        monkeypatch.setattr(gateway.audit._writer, "fault", None)
        assert file.read_bytes() == before
        assert not gateway.browsers.key._box.rotating


async def test_a_store_that_is_busy_keeps_the_old_key_no_longer_than_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site(tmp_path) as place:
        key, tries, gone = place.run.gateway.browsers.key, list[int](), asyncio.Event()
        await key.rotate(ADMIN)

        async def reseal() -> int:
            tries.append(1)
            if len(tries) < 3:
                raise refuse(Code.STORE_UNAVAILABLE, "busy")
            gone.set()
            return 0

        monkeypatch.setattr(module, "SIGN_IN_SECONDS", 0.0)
        monkeypatch.setattr(key._sessions, "reseal", reseal)
        key.resume()
        async with asyncio.timeout(10):
            await gone.wait()
        await asyncio.sleep(0)
        assert not key._box.rotating
        assert len((tmp_path / "var/session.key").read_bytes()) == KEY_BYTES
