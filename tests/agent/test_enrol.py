import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from leadglass_agent.enrol import Code, EnrolmentError, enrol, machine, parse_code
from leadglass_agent.gateway import Unreachable
from leadglass_agent.keys import SoftwareKey
from support.device import b64u, derive
from support.fakegateway import Authority, FakeGateway, problem, unb64u


@pytest.fixture
def key(tmp_path: Path) -> SoftwareKey:
    return SoftwareKey.create(tmp_path / "device.key")


async def test_it_makes_the_device_known_and_pins_what_to_trust(gateway: FakeGateway, key: SoftwareKey) -> None:
    state = await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian\t13", hostname="ws 17/ä")
    assert (state.gateway, state.device_id, state.owner) == (gateway.url, gateway.device_id, "dr.smith")
    assert state.trust == (gateway.serving.pem,)
    claims = gateway.enrolments[0]
    assert claims["device_jwk"] == key.public_jwk() != claims["session_jwk"]
    assert (claims["hostname"], claims["key_protection"]) == ("ws-17--", "software")


def typed(code: str) -> list[Any]:
    return [
        pytest.param(code, id="as-printed"),
        pytest.param(code.lower(), id="lower"),
        pytest.param(code.replace("-", " ") + "\n", id="spaces"),
        pytest.param(code.replace("-", ""), id="joined"),
    ]


CODE = FakeGateway(Path()).make_code()


@pytest.mark.parametrize("text", typed(CODE))
def test_a_code_is_read_as_people_type_it(text: str) -> None:
    data = base64.b32decode(CODE.replace("-", "")[3:])
    assert parse_code(text) == Code(data[16:48], *derive(data[:16], data[16:48]))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("LG1", id="prefix-alone"),
        pytest.param("LG2" + CODE[3:], id="another-version"),
        pytest.param(CODE[:-1], id="cut"),
        pytest.param(CODE + "A", id="longer"),
        pytest.param(CODE[:10] + ("A" if CODE[10] != "A" else "B") + CODE[11:], id="typing-mistake"),
        pytest.param(CODE[:9] + "1" + CODE[10:], id="no-base32"),
        pytest.param("LG1" + "é" * 80, id="no-ascii"),
    ],
)
def test_a_mistyped_code_is_told_before_anything_is_sent(text: str) -> None:
    with pytest.raises(EnrolmentError, match="mistyped"):
        parse_code(text)


def reply_by(gateway: FakeGateway, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the next reply be changed by somebody who knows the code."""
    real = gateway._enrol

    async def changed(request: web.Request) -> web.Response:
        form = await request.json()
        answer = json.loads(str((await real(request)).text))
        told = json.loads(unb64u(answer["reply"]))
        result = change(told)
        reply = b64u(json.dumps(told if result is None else result).encode())
        reply_key = derive(gateway.code[:16], gateway.code[16:])[2]
        tag = b64u(hmac.digest(reply_key, f"{form['request']}.{reply}".encode(), "sha256"))
        return web.json_response({"reply": reply, "mac": tag}, status=201)

    gateway._enrol = changed  # type: ignore[method-assign]  # a gateway that lies


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda told: told.update(ca=Authority("evil").pem), id="another-ca"),
        pytest.param(lambda told: told.update(ca="x"), id="no-ca"),
        pytest.param(lambda told: told.update(ca=1), id="ca-no-text"),
        pytest.param(lambda told: told.pop("owner") and None, id="no-owner"),
        pytest.param(lambda told: told.update(device_id=1), id="id-no-text"),
        pytest.param(lambda told: told.update(trust="x"), id="trust-no-list"),
        pytest.param(lambda told: told.update(trust=[None]), id="trust-no-text"),
        pytest.param(lambda _: [], id="no-object"),
    ],
)
async def test_a_reply_with_the_right_mac_is_still_read_with_care(
    tmp_path: Path, key: SoftwareKey, change: Callable[[dict[str, Any]], object]
) -> None:
    gateway = FakeGateway(tmp_path)
    reply_by(gateway, change)
    await gateway.start()
    try:
        with pytest.raises(EnrolmentError, match="does not know the code"):
            await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian")
    finally:
        await gateway.stop()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="empty"),
        pytest.param({"reply": "e30", "mac": "AAAA"}, id="wrong-mac"),
        pytest.param({"reply": "é", "mac": "é"}, id="no-ascii"),
        pytest.param({"reply": 1, "mac": None}, id="no-text"),
    ],
)
async def test_whoever_does_not_know_the_code_is_no_gateway(
    gateway: FakeGateway, key: SoftwareKey, body: dict[str, Any]
) -> None:
    gateway.plan("enrol", lambda: web.json_response(body, status=201))
    with pytest.raises(EnrolmentError, match="does not know the code") as raised:
        await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian")
    assert "tell the administrator" in raised.value.hint


async def test_a_relayed_reply_to_another_request_is_not_believed(gateway: FakeGateway, key: SoftwareKey) -> None:
    """The MAC covers the request: what was answered to one device is nothing to another with the same code."""
    code = parse_code(gateway.make_code())
    kept: list[bytes] = []
    real = gateway._enrol

    async def keep(request: web.Request) -> web.Response:
        answer = await real(request)
        kept.append(bytes(answer.body))  # type: ignore[arg-type]  # a JSON reply has bytes
        return answer

    gateway.planned["enrol"] = []
    gateway._enrol = keep  # type: ignore[method-assign]  # a listener
    await gateway.stop()
    await gateway.start()
    await enrol(gateway.url, code, key, os_name="Debian")
    gateway.plan("enrol", lambda: web.Response(body=kept[0], content_type="application/json", status=201))
    with pytest.raises(EnrolmentError, match="does not know the code"):
        await enrol(gateway.url, code, key, os_name="Debian", hostname="another")


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [(403, "enrolment-refused", "device code"), (429, "rate-limited", "wait"), (503, "draining", "wait")],
)
async def test_a_refusal_says_what_to_do(
    gateway: FakeGateway, key: SoftwareKey, status: int, reason: str, hint: str
) -> None:
    gateway.plan("enrol", lambda: problem(status, reason))
    with pytest.raises(EnrolmentError, match=reason) as raised:
        await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian")
    assert hint in raised.value.hint


async def test_the_code_never_travels(gateway: FakeGateway, key: SoftwareKey) -> None:
    code = gateway.make_code()
    parsed = parse_code(code)
    seen: list[bytes] = []

    async def look(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return problem(403, "enrolment-refused")

    gateway._enrol = look  # type: ignore[method-assign]  # a listener
    await gateway.stop()
    await gateway.start()
    with pytest.raises(EnrolmentError):
        await enrol(gateway.url, parsed, key, os_name="Debian")
    secret = base64.b32decode(code.replace("-", "")[3:])[:16]
    for form in (secret.hex(), b64u(secret), code, parsed.request_key.hex(), b64u(parsed.reply_key)):
        assert form.encode() not in seen[0]
    assert hashlib.sha256(seen[0]).digest()


async def test_nobody_at_the_address_is_not_a_refusal(gateway: FakeGateway, key: SoftwareKey) -> None:
    await gateway.stop()
    with pytest.raises(Unreachable, match="cannot be reached"):
        await enrol(gateway.url, parse_code(gateway.make_code()), key, os_name="Debian")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('NAME=x\nPRETTY_NAME="Debian GNU/Linux 13"\n', "Debian GNU/Linux 13"),
        ('PRETTY_NAME="a\x1b[31mb"\n', "a[31mb"),
        ("NAME=x\n", "unknown"),
        ("PRETTY_NAME=\n", "unknown"),
    ],
)
def test_the_operating_system_names_itself(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(text)
    assert machine(str(tmp_path)) == name


def test_a_machine_without_a_name_is_unknown(tmp_path: Path) -> None:
    assert machine(str(tmp_path)) == "unknown"
