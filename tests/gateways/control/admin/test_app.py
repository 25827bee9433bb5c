"""The admin socket: for root and the gateway's own user, every act in the record."""

import os
import pwd
import stat
from typing import Any

import aiohttp
import pytest

from leadglass.gateways.control.admin import app as module
from leadglass.gateways.control.admin.app import administrator
from leadglass.model.errors import ConfigurationError
from support.control import Control
from support.device import ISSUER

ME = {"uid": os.geteuid(), "user": pwd.getpwuid(os.geteuid()).pw_name}


async def ask(control: Control, method: str, path: str, form: object = None) -> tuple[int, dict[str, Any]]:
    connector = aiohttp.UnixConnector(path=str(control.admin))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"http://admin{path}", json=form) as reply,
    ):
        return reply.status, await reply.json(content_type=None)


async def test_the_socket_is_private(control: Control) -> None:
    assert stat.S_IMODE(control.admin.stat().st_mode) == 0o600


async def test_another_user_is_refused(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "peer_uid", lambda _: os.geteuid() + 4711)
    for method, path in [("GET", "/devices"), ("POST", "/devices/codes"), ("POST", "/reload"), ("GET", "/status")]:
        status, told = await ask(control, method, path, {"owner": "x"})
        assert (status, told["title"]) == (403, "Not you")
    assert control.site.events.lines == []


@pytest.mark.parametrize(
    ("uid", "may"), [(0, True), (os.geteuid(), True), (os.geteuid() + 4711, False), (-1, False), (None, False)]
)
def test_only_root_and_the_gateways_user_may(uid: int | None, may: bool) -> None:  # noqa: FBT001 - rows of a table
    assert (administrator(uid) is not None) is may


async def test_a_device_is_let_in_looked_at_and_withdrawn(control: Control) -> None:
    agent = await control.site.enrol()
    control.site.events.lines.clear()
    status, made = await ask(control, "POST", "/devices/codes", {"owner": "dr.smith", "issuer": ISSUER})
    assert (status, made["owner"], made["owner_issuer"], made["code"][:4]) == (201, "dr.smith", ISSUER, "LG1-")
    status, listed = await ask(control, "GET", "/devices")
    assert [device["id"] for device in listed["devices"]] == [agent.id]
    status, shown = await ask(control, "GET", f"/devices/{agent.id}")
    assert (status, shown["state"]) == (200, "active")
    status, told = await ask(control, "POST", f"/devices/{agent.id}/revoke", {"reason": "lost"})
    assert (status, told) == (200, {"id": agent.id, "state": "revoked"})
    status, told = await ask(control, "POST", f"/devices/{agent.id}/revoke", {"reason": "lost"})
    assert (status, told["title"]) == (404, "No such device")
    assert control.site.events.kinds == ["device-code-issued", "devices-listed", "device-shown", "device-revoked"]
    assert [fields["by"] for _, fields in control.site.events.lines] == [ME] * 4


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/devices/codes", {}),
        ("/devices/codes", {"owner": "x"}),
        ("/devices/codes", {"owner": "x", "issuer": ""}),
        ("/devices/codes", {"owner": "", "issuer": "i"}),
        ("/devices/codes", {"owner": "a\nb", "issuer": "i"}),
        ("/devices/codes", {"owner": 7, "issuer": "i"}),
        ("/devices/codes", {"owner": "x", "issuer": "i", "more": 1}),
        ("/devices/AQ/revoke", {"reason": ""}),
        ("/devices/AQ/revoke", {"reason": "\x1b[2J"}),
    ],
    ids=range(9),
)
async def test_malformed_requests_are_refused(control: Control, path: str, form: object) -> None:
    status, told = await ask(control, "POST", path, form)
    assert (status, told["title"]) == (400, "Malformed")


async def test_unknown_devices_are_not_found(control: Control) -> None:
    assert (await ask(control, "GET", "/devices/nobody"))[0] == 404


async def test_a_reload_says_what_is_in_force(control: Control) -> None:
    control.reloads.append("sha256:1")
    assert await ask(control, "POST", "/reload") == (200, {"revision": "sha256:1"})
    control.reloads.append(ConfigurationError("policy broken", hint="mend it", where="a.rego:3"))
    status, told = await ask(control, "POST", "/reload")
    assert (status, told["detail"], told["hint"]) == (409, "a.rego:3: policy broken", "mend it")
    assert control.site.events.lines == [("reload-asked", {"by": ME})] * 2


async def test_a_crash_is_a_refusal(control: Control) -> None:
    status, told = await ask(control, "POST", "/reload")  # nothing to pop
    assert (status, told["reasons"]) == (500, ["internal-fault"])


async def test_status_is_told(control: Control) -> None:
    assert await ask(control, "GET", "/status") == (200, {"version": "0.1.0"})


async def test_what_cannot_be_recorded_is_not_done(control: Control) -> None:
    control.site.events.broken = True
    for method, path, form in [
        ("GET", "/devices", None),
        ("POST", "/devices/codes", {"owner": "x", "issuer": "i"}),
        ("POST", "/reload", None),
    ]:
        status, told = await ask(control, method, path, form)
        assert (status, told["reasons"]) == (503, ["audit-unavailable"])


async def test_keys_rotate_and_no_other_is_known(control: Control) -> None:
    status, told = await ask(control, "POST", "/keys/record/rotate")
    assert (status, told["to"]) == (200, "b")
    before = control.site.devices.authority.fingerprint.hex()
    status, told = await ask(control, "POST", "/keys/device-ca/rotate")
    assert (status, told["from"]) == (200, before)
    status, told = await ask(control, "POST", "/keys/session/rotate")
    assert (status, told["sessions"]) == (200, 0)
    status, told = await ask(control, "POST", "/keys/session/rotate")
    assert (status, told["title"]) == (409, "Not rotated")
    status, told = await ask(control, "POST", "/keys/tls/rotate")
    assert (status, told["title"]) == (404, "No such key")
    assert "record, device-ca, session" in told["hint"]
    assert [said["by"] for kind, said in control.site.events.lines if kind == "device-ca-rotated"] == [ME]
