import asyncio
import json
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from leadglass_agent import __version__
from support.enrolled import Enrolled
from support.fakegateway import FakeGateway, problem, read_jws

AGENT = str(Path(__file__).parents[2] / "agent")
SECONDS = 60


class Program:
    """`leadglass-agent` as a person starts it, in a folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state

    async def start(self, *words: str, state: bool = True) -> asyncio.subprocess.Process:
        given = ("--state", str(self.state)) if state else ()
        environment = {"PYTHONPATH": AGENT, "HOME": str(self.state.parent), "COLUMNS": "200", "NO_COLOR": "1"}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "leadglass_agent.cli",
            *words,
            *given,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *words: str, stdin: str = "", state: bool = True) -> tuple[int, str, str]:
        """Run it to its end and return code, standard output and standard error."""
        process = await self.start(*words, state=state)
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def agent(tmp_path: Path) -> Program:
    return Program(tmp_path / "agent")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - another program has no event for it
            await asyncio.sleep(0.01)


async def test_help_says_what_each_command_does(agent: Program) -> None:
    code, out, _ = await agent("--help", state=False)
    assert code == 0
    for words in ("enrol", "run", "status", "report", "proxy", "Exit codes", "viewer"):
        assert words in out
    for name in ("enrol", "run", "status", "report", "proxy"):
        code, out, _ = await agent(name, "--help", state=False)
        assert code == 0
        assert "--state" in out


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("fly",), id="no-such-command"),
        pytest.param(("enrol",), id="options-missing"),
        pytest.param(("status", "--yaml"), id="no-such-option"),
        pytest.param(("proxy", "--port", "65536"), id="no-port"),
        pytest.param(("enrol", "--gateway", "http://g", "--code", "x"), id="plain-http"),
        pytest.param(("enrol", "--gateway", "https://g/x", "--code", "x"), id="address-with-path"),
    ],
)
async def test_wrong_use_is_2(agent: Program, words: tuple[str, ...]) -> None:
    code, out, err = await agent(*words)
    assert (code, out) == (2, "")
    assert err


@pytest.mark.parametrize(
    "command", [("status",), ("run",), ("proxy", "--token-file", "/t")], ids=lambda words: words[0]
)
async def test_without_a_device_the_answer_is_no(agent: Program, command: tuple[str, ...]) -> None:
    code, _, err = await agent(*command)
    assert code == 1
    assert err.startswith("leadglass-agent: error: no device is enrolled in ")
    assert "leadglass-agent: hint: leadglass-agent enrol" in err


async def test_from_enrolment_to_a_report_and_a_viewer(agent: Program, gateway: FakeGateway, tmp_path: Path) -> None:
    gateway_url = gateway.url
    code, out, err = await agent("enrol", "--gateway", gateway_url, "--code", "-", stdin=gateway.make_code() + "\n")
    assert (code, err) == (0, "")
    assert out == f"enrolled as {gateway.device_id} for dr.smith\n"
    assert {stat.S_IMODE(file.stat().st_mode) for file in agent.state.iterdir()} == {0o600}

    code, out, err = await agent("enrol", "--gateway", gateway_url, "--code", gateway.make_code())
    assert code == 1
    assert "enrolled already" in err

    code, out, _ = await agent("status")
    assert code == 1
    assert "never; start `leadglass-agent run`" in out
    assert json.loads((await agent("status", "--json"))[1])["last"] is None

    (agent.state / "agent.toml").write_text('forbidden_software = ["forbidden-tool"]\n')
    daemon = await agent.start("run")
    try:
        await until((agent.state / "status.json").exists)
        code, _, err = await agent("run")
        assert (code, "already" in err) == (3, True)
    finally:
        daemon.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            out_bytes, err_bytes = await daemon.communicate()
    assert (daemon.returncode, out_bytes) == (0, b"")
    assert b"Traceback" not in err_bytes

    code, out, _ = await agent("status", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["device_id"], told["owner"], told["gateway"]) == (gateway.device_id, "dr.smith", gateway_url)
    assert told["last"]["checks"] == gateway.statements[-1]["checks"]
    assert told["last"]["checks"]["forbidden_software"]["status"] == "pass"
    assert gateway.statements[0]["swversion"] == __version__
    code, out, _ = await agent("status")
    assert code == 0
    assert "Forbidden software" in out


@pytest.mark.parametrize("answers", [True, False], ids=["a-port", "switched-off"])
async def test_run_answers_pages_of_the_gateway(
    agent: Program, gateway: FakeGateway, unused_tcp_port: int, *, answers: bool
) -> None:
    code, _, err = await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    assert (code, err) == (0, "")
    (agent.state / "agent.toml").write_text(f"proof_port = {unused_tcp_port if answers else 0}\n")
    daemon = await agent.start("run")
    url = f"http://127.0.0.1:{unused_tcp_port}/v1/proof"
    try:
        await until((agent.state / "status.json").exists)
        async with aiohttp.ClientSession(headers={"Origin": gateway.url}) as session:
            asked = session.post(url, json={"nonce": "n", "sid": "s"})
            if answers:
                async with asked as reply:
                    proof = (await reply.json())["proof"]
                _, claims = read_jws(proof, "leadglass-device+jwt", gateway.key)
                assert (claims["aud"], claims["ueid"]) == (gateway.url, gateway.device_id)
            else:
                with pytest.raises(aiohttp.ClientConnectorError):
                    await asked
    finally:
        daemon.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, err_bytes = await daemon.communicate()
    assert daemon.returncode == 0
    assert b"Traceback" not in err_bytes
    assert (b"are answered on 127.0.0.1" in err_bytes) is answers


async def test_a_revoked_device_answers_no_pages(agent: Program, gateway: FakeGateway, unused_tcp_port: int) -> None:
    await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    (agent.state / "agent.toml").write_text(f"proof_port = {unused_tcp_port}\n")
    gateway.plan("renew", lambda: problem(403, "statement-invalid", error="revoked"))
    code, _, err = await agent("run")
    assert (code, "Traceback" in err) == (1, False)


async def test_the_door_is_announced_and_forgotten(agent: Program, gateway: FakeGateway, tmp_path: Path) -> None:
    await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    (tmp_path / "token").write_text("the-token")
    announced, bases = tmp_path / "door.json", []
    for number in (signal.SIGTERM, signal.SIGINT):
        words = ("--token-file", str(tmp_path / "token"), "--port", "0", "--announce", str(announced))
        door = await agent.start("proxy", *words)
        try:
            await until(announced.exists)
            assert stat.S_IMODE(announced.stat().st_mode) == 0o600
            base = json.loads(announced.read_text())["base"]
            bases.append(base.split("/")[-1])
            async with aiohttp.ClientSession() as session, session.get(f"{base}/dicom-web/studies") as reply:
                assert reply.status == 200
        finally:
            door.send_signal(number)
            async with asyncio.timeout(10):
                out, err = await door.communicate()
        assert (door.returncode, announced.exists()) == (0, False)
        assert f"{base}/dicom-web" in out.decode()
        assert b"the-token" not in out + err
        assert b"Traceback" not in err
    assert bases[0] == bases[1]  # a viewer is set up once


async def test_a_door_without_a_gateway_opens_and_says_so(agent: Program, gateway: FakeGateway, tmp_path: Path) -> None:
    await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    await gateway.stop()
    (tmp_path / "token").write_text("t")
    announced = tmp_path / "door.json"
    door = await agent.start(
        "proxy", "--token-file", str(tmp_path / "token"), "--port", "0", "--announce", str(announced)
    )
    await until(announced.exists)
    base = json.loads(announced.read_text())["base"]
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/x") as reply:
            assert reply.status == 502
        await gateway.start()
        async with session.get(f"{base}/x") as reply:
            assert reply.status == 200
    door.terminate()
    _, err = await door.communicate()
    assert door.returncode == 0
    assert b"viewers are answered once it is" in err


async def test_a_code_that_is_refused_is_a_no(agent: Program, gateway: FakeGateway) -> None:
    gateway.plan("enrol", lambda: problem(403, "enrolment-refused"))
    code, _, err = await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    assert code == 1
    assert "hint: ask the administrator for `leadglass device code" in err
    code, _, err = await agent("enrol", "--gateway", gateway.url, "--code", "LG1-NO")
    assert (code, "mistyped" in err) == (1, True)
    assert (await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code()))[0] == 0


async def test_a_gateway_that_is_not_there_is_3(agent: Program, gateway: FakeGateway) -> None:
    await gateway.stop()
    code, _, err = await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    assert code == 3
    assert "hint: is the gateway running" in err


async def test_a_device_that_was_withdrawn(agent: Program, gateway: FakeGateway) -> None:
    await agent("enrol", "--gateway", gateway.url, "--code", gateway.make_code())
    gateway.revoked = True
    code, _, err = await agent("run")
    assert code == 1
    assert "enrol again" in err
    code, out, _ = await agent("status")
    assert code == 1
    assert "revoked  no: statement-invalid" in out
    code, out, _ = await agent("status", "--json")
    assert (code, json.loads(out)["revoked"]) == (1, True)


async def test_report_shows_every_check_and_sends_nothing(agent: Program) -> None:
    code, out, _ = await agent("report", "--json")
    checks = json.loads(out)
    assert set(checks) == {
        "disk_encryption",
        "firewall",
        "malware_scan",
        "os_patch",
        "vpn",
        "clock_sync",
        "forbidden_software",
    }
    assert code == (0 if all(check["status"] == "pass" for check in checks.values()) else 1)
    code, out, _ = await agent("report")
    for title in (
        "Disk encryption",
        "Firewall",
        "Malware scan",
        "Operating system",
        "VPN",
        "Clock",
        "Forbidden software",
    ):
        assert title in out


@pytest.mark.parametrize(
    ("words", "sets", "code", "said"),
    [
        (("login",), "", 2, "say where to sign in"),
        (
            ("login", "--issuer", "http://idp.example.org", "--client-id", "x"),
            "",
            1,
            "the issuer is not an https address",
        ),
        (("logout",), "", 1, "nobody has signed in"),
        (("proxy", "--token-file", "a", "--token-command", "b"), "", 2, "one of them"),
        (("proxy", "--token-command", "tool 'a"), "", 3, "No closing quotation"),
        (("proxy", "--token-file", "a"), 'viewer_user = "nobody-of-that-name"', 3, "no user nobody-of-that-name"),
        (("run",), "report_evry = 1", 3, "report_evry is not a setting"),
        (("status",), "[", 3, "agent.toml"),
    ],
)
async def test_what_is_set_wrongly_is_said(
    agent: Program, enrolled: Enrolled, words: tuple[str, ...], sets: str, code: int, said: str
) -> None:
    (enrolled.folder.path / "agent.toml").write_text(sets)
    assert enrolled.folder.path == agent.state
    got, _, err = await agent(*words)
    assert (got, said in err) == (code, True), err
    assert err.startswith("leadglass-agent: error: ")


async def test_a_port_that_is_taken_is_3(agent: Program, enrolled: Enrolled, tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with server:
        port = str(server.sockets[0].getsockname()[1])
        code, _, err = await agent("proxy", "--token-file", str(tmp_path / "t"), "--port", port)
    assert (code, "address already in use" in err) == (3, True)


@pytest.mark.parametrize("damage", ["key-mode", "key-gone", "folder-mode", "state"])
async def test_a_folder_that_is_not_right_is_3(agent: Program, enrolled: Enrolled, damage: str) -> None:
    path = enrolled.folder.path
    match damage:
        case "key-mode":
            (path / "device.key").chmod(0o644)
        case "key-gone":
            (path / "device.key").unlink()
        case "folder-mode":
            path.chmod(0o755)
        case _:
            (path / "agent.json").write_text("{")
    code, _, err = await agent("run")
    assert code == 3
    assert err.startswith("leadglass-agent: error: ")
    assert "Traceback" not in err
