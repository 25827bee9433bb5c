"""The proof port: a page of the gateway gets a signature, and nobody else gets anything."""

import asyncio
import json
import logging
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from leadglass_agent.keys import SoftwareKey, unb64u
from leadglass_agent.proof import PATH, ProofPort
from leadglass_agent.state import State
from support.clock import FakeClock
from support.fakegateway import jwk_key, read_jws
from support.viewer import status

GATEWAY = "https://pacs.example.org"
STATE = State(GATEWAY, "DEV", "dr.smith", ())
CHALLENGE = {"nonce": "n" * 40, "sid": "s" * 43}


class Port:
    """A port that listens, and raw bytes to it."""

    def __init__(self, folder: Path, uids: tuple[int, ...]) -> None:
        self.clock, self.key = FakeClock(), SoftwareKey.create(folder / "device.key")
        self.port = ProofPort(self.key, STATE, 0, uids=uids, now=self.clock.now, monotonic=self.clock.monotonic)

    async def raw(self, head: str, body: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port.port)
        writer.write("\r\n".join([*head.splitlines(), "", ""]).replace("{port}", str(self.port.port)).encode() + body)
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def ask(
        self,
        *lines: str,
        method: str = "POST",
        path: str = PATH,
        host: str = "127.0.0.1:{port}",
        origin: str = GATEWAY,
        media: str = "application/json",
        body: bytes | None = None,
    ) -> bytes:
        sent = json.dumps(CHALLENGE).encode() if body is None else body
        given = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Origin: {origin}", f"Content-Type: {media}"]
        return await self.raw("\n".join([*given, f"Content-Length: {len(sent)}", "Connection: close", *lines]), sent)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    port = Port(tmp_path, (os.getuid(),))
    await port.port.start()
    yield port
    await port.port.close()


def parts(answer: bytes) -> tuple[dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return fields, json.loads(body) if body else None


async def test_a_page_of_the_gateway_gets_one_signature_for_the_gateway(port: Port) -> None:
    answer = await port.ask("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")
    fields, document = parts(answer)
    assert status(answer) == 200
    assert (fields["Access-Control-Allow-Origin"], fields["Vary"]) == (GATEWAY, "Origin")
    assert "Access-Control-Allow-Credentials" not in fields
    assert fields["Cache-Control"] == "no-store"
    head, claims = read_jws(document["proof"], "leadglass-device+jwt", jwk_key(port.key.public_jwk()))
    assert set(head) == {"alg", "typ", "kid"}
    assert head["kid"] == "DEV"
    assert len(unb64u(claims.pop("jti"))) == 16
    assert claims == {**CHALLENGE, "aud": GATEWAY, "iat": int(port.clock.now()), "ueid": "DEV"}


@pytest.mark.parametrize("asked", ["true", "", "false"])
async def test_the_browser_may_ask_first(port: Port, asked: str) -> None:
    more = [f"Access-Control-Request-Private-Network: {asked}"] if asked else []
    answer = await port.ask("Access-Control-Request-Method: POST", *more, method="OPTIONS", body=b"")
    fields, _ = parts(answer)
    assert status(answer) == 204
    assert fields["Access-Control-Allow-Origin"] == GATEWAY
    assert (fields["Access-Control-Allow-Methods"], fields["Access-Control-Allow-Headers"]) == ("POST", "Content-Type")
    assert fields.get("Access-Control-Allow-Private-Network") == ("true" if asked == "true" else None)


ORIGINS = [
    "https://evil.example",
    "null",
    "",
    "http://pacs.example.org",  # another scheme
    "https://pacs.example.org.evil.example",  # suffix
    "https://evilpacs.example.org",  # prefix
    "https://pacs.example.org:444",
    "https://pacs.example.org:443",  # no browser writes the default
    "https://pacs.example.org/",
    "https://PACS.example.org",
    "https://pacs.example.org https://evil.example",
    "https://x@pacs.example.org",
    "http://127.0.0.1:{port}",  # the port's own address serves no pages
]


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_page_of_anybody_else_gets_nothing(
    port: Port, caplog: pytest.LogCaptureFixture, origin: str, method: str
) -> None:
    answer = await port.ask("Access-Control-Request-Private-Network: true", method=method, origin=origin)
    assert status(answer) == 403
    assert b"Access-Control-Allow" not in answer
    assert b"proof" not in answer.partition(b"\r\n\r\n")[2]
    assert "turned away" in caplog.text


async def test_a_request_without_origin_or_with_two_gets_nothing(port: Port) -> None:
    sent = json.dumps(CHALLENGE)
    lines = f"POST {PATH} HTTP/1.1\nHost: 127.0.0.1:{{port}}\nContent-Type: application/json\nConnection: close"
    for more in ("", f"\nOrigin: {GATEWAY}\nOrigin: https://evil.example", f"\nOrigin: {GATEWAY}\nOrigin: {GATEWAY}"):
        answer = await port.raw(f"{lines}{more}\nContent-Length: {len(sent)}", sent.encode())
        assert status(answer) == 403
        assert b"Access-Control-Allow" not in answer


@pytest.mark.parametrize(
    "host",
    ["pacs.example.org", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "[::1]:{port}",
     "127.0.0.1.evil.example:{port}", "127.0.0.1:{port}\nHost: evil.example"],
)  # fmt: skip
async def test_a_name_that_was_led_here_gets_nothing(port: Port, host: str) -> None:
    """DNS rebinding: the browser thinks that another name is here."""
    answer = await port.ask(host=host)
    assert status(answer) in {400, 403}
    assert b'{"proof"' not in answer


WRONG: list[tuple[str, dict[str, Any], int]] = [
    ("get", {"method": "GET"}, 404),
    ("put", {"method": "PUT"}, 404),
    ("another-path", {"path": "/"}, 404),
    ("query", {"path": PATH + "?x=1"}, 404),
    ("form", {"media": "application/x-www-form-urlencoded"}, 404),  # what a form may send without asking first
    ("text", {"media": "text/plain"}, 404),
    ("charset", {"media": "application/json; charset=utf-8"}, 404),
    ("no-json", {"body": b"{"}, 400),
    ("list", {"body": b"[]"}, 400),
    ("empty", {"body": b""}, 400),
    ("a-member-less", {"body": b'{"nonce": "n"}'}, 400),
    ("a-member-more", {"body": json.dumps({**CHALLENGE, "aud": "https://evil.example"}).encode()}, 400),
    ("claims", {"body": json.dumps({"eat_nonce": "n", "session_jwk": {}}).encode()}, 400),
    ("number", {"body": json.dumps({**CHALLENGE, "sid": 1}).encode()}, 400),
    ("object", {"body": json.dumps({**CHALLENGE, "nonce": {}}).encode()}, 400),
    ("no-text", {"body": json.dumps({**CHALLENGE, "sid": ""}).encode()}, 400),
    ("long", {"body": json.dumps({**CHALLENGE, "sid": "s" * 257}).encode()}, 400),
    ("control", {"body": json.dumps({**CHALLENGE, "nonce": "a\nb"}).encode()}, 400),
    ("not-ascii", {"body": json.dumps({**CHALLENGE, "nonce": "é"}).encode()}, 400),
    ("oversize", {"body": b" " * 3000 + json.dumps(CHALLENGE).encode()}, 400),
]


@pytest.mark.parametrize(("changes", "code"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
async def test_what_is_no_challenge_is_not_signed(port: Port, changes: dict[str, Any], code: int) -> None:
    answer = await port.ask(**changes)
    fields, document = parts(answer)
    assert status(answer) == code
    assert document["remediation"]
    assert fields["Access-Control-Allow-Origin"] == GATEWAY  # so that the page can say why
    assert b'{"proof"' not in answer


async def test_it_signs_no_faster_than_pages_need(port: Port) -> None:
    assert [status(await port.ask()) for _ in range(11)] == [200] * 10 + [429]
    port.clock.advance(1)
    assert [status(await port.ask()) for _ in range(2)] == [200, 429]


# One that another user can start too: the one of a virtual environment may lie in a home.
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
CHILD = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
port = int(sys.argv[1])
with socket.create_connection(("127.0.0.1", port)) as s:
    s.sendall(f"OPTIONS /v1/proof HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nOrigin: https://pacs.example.org\\r\\nConnection: close\\r\\n\\r\\n".encode())
    print(s.recv(12).decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")
@pytest.mark.parametrize(("uid", "code"), [(os.getuid(), 403), (65534, 204)])
async def test_only_programs_of_the_person_may_ask(tmp_path: Path, uid: int, code: int) -> None:
    port = Port(tmp_path, (uid,))
    await port.port.start()
    try:
        child = await asyncio.create_subprocess_exec(
            PYTHON, "-c", CHILD, str(port.port.port), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await child.communicate()
    finally:
        await port.port.close()
    assert output.decode().strip() == f"HTTP/1.1 {code}"


async def test_a_port_that_is_taken_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("leadglass_agent.proof._RETRY_SECONDS", 0.01)
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        key = SoftwareKey.create(tmp_path / "device.key")
        port = ProofPort(key, STATE, number, uids=(), now=lambda: 0.0, monotonic=lambda: 0.0)
        serving = asyncio.create_task(port.serve())
        async with asyncio.timeout(10):
            while "pages are not answered" not in caplog.text:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.01)
            taken.close()
            while "are answered on" not in caplog.text:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
    assert port.port == number
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    with socket.create_server(("127.0.0.1", number)):
        pass  # it was let go
