"""Whoever is not this person's viewer is turned away, and the gateway never hears of them."""

import asyncio
import os
import shutil
import sys

import pytest

from support.fakegateway import FakeGateway
from support.viewer import PAGE, SECRET, Open, status

ATTACKS = [
    pytest.param(["Host: localhost:{port}"], "/{secret}/x", id="another-name"),
    pytest.param(["Host: 127.0.0.1"], "/{secret}/x", id="host-without-port"),
    pytest.param(["Host: evil.example:{port}"], "/{secret}/x", id="dns-rebinding"),
    pytest.param(["Host: 127.0.0.1.evil.example:{port}"], "/{secret}/x", id="dns-rebinding-prefix"),
    pytest.param(["Host: [::1]:{port}"], "/{secret}/x", id="another-loopback"),
    pytest.param([], "/{secret}/x", id="no-host"),
    pytest.param(["Host: 127.0.0.1:{port}", "Host: evil.example"], "/{secret}/x", id="two-hosts"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/", id="no-secret"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/" + "t" * 32 + "/x", id="another-secret"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/" + "s" * 31 + "/x", id="half-a-secret"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/{secret}x/x", id="a-longer-secret"),
    pytest.param(["Host: 127.0.0.1:{port}"], "//{secret}/x", id="two-slashes"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/%73" + "s" * 31 + "/x", id="an-encoded-secret"),
    pytest.param(["Host: 127.0.0.1:{port}"], "/é/x", id="no-ascii"),
    pytest.param(["Host: 127.0.0.1:{port}"], "http://127.0.0.1:{port}/{secret}/x", id="absolute-form"),
    pytest.param(["Host: 127.0.0.1:{port}", "Origin: https://evil.example"], "/{secret}/x", id="foreign-origin"),
    pytest.param(["Host: 127.0.0.1:{port}", "Origin: null"], "/{secret}/x", id="null-origin"),
    pytest.param(["Host: 127.0.0.1:{port}", "Origin: http://localhost:{port}"], "/{secret}/x", id="near-origin"),
    pytest.param(["Host: 127.0.0.1:{port}", "Origin: " + PAGE + "1"], "/{secret}/x", id="listed-origin-longer"),
    pytest.param(
        ["Host: 127.0.0.1:{port}", "Origin: " + PAGE, "Origin: https://evil.example"], "/{secret}/x", id="two-origins"
    ),
    pytest.param(["Host: 127.0.0.1:{port}", "Sec-Fetch-Site: cross-site"], "/{secret}/x", id="cross-site"),
    pytest.param(["Host: 127.0.0.1:{port}", "Sec-Fetch-Site: same-site"], "/{secret}/x", id="same-site"),
    pytest.param(
        ["Host: 127.0.0.1:{port}", "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"], "/{secret}/x", id="two-sites"
    ),
]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(("lines", "path"), ATTACKS)
async def test_who_is_turned_away(
    opened: Open, gateway: FakeGateway, caplog: pytest.LogCaptureFixture, lines: list[str], path: str, method: str
) -> None:
    before = len(gateway.asked)
    head = "\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "Content-Length: 0"])
    answer = await opened.raw(head.replace("{port}", str(opened.port)).replace("{secret}", SECRET))
    assert status(answer) in {400, 403}
    assert b"Access-Control-Allow" not in answer
    assert SECRET.encode() not in answer
    assert SECRET not in caplog.text
    assert len(gateway.asked) == before


# One that another user can start too: the one of a virtual environment may lie in a home.
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
CHILD = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
port, path = int(sys.argv[1]), sys.argv[2]
with socket.create_connection(("127.0.0.1", port)) as s:
    s.sendall(f"GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    if sys.argv[3] == "wait":
        print(s.recv(12).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
@pytest.mark.parametrize("stays", ["wait", "leave"])
async def test_another_user_is_turned_away(
    opened: Open, gateway: FakeGateway, caplog: pytest.LogCaptureFixture, stays: str
) -> None:
    """Also one who does not wait for the answer: the socket of a process that is gone looks like root's."""
    asked = gateway.asked.copy()
    child = await asyncio.create_subprocess_exec(
        PYTHON, "-c", CHILD, str(opened.port), f"/{SECRET}/x", stays, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    assert child.returncode == 0
    assert output.decode().strip() == ("HTTP/1.1 403" if stays == "wait" else "")
    if stays == "wait":
        assert "another user" in caplog.text
    assert status(await opened.ask()) == 200
    assert gateway.asked.count("pacs") == asked.count("pacs") + 1
