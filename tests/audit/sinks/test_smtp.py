"""Notices by e-mail, against a server that speaks SMTP on a socket."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from pydantic import ValidationError

from leadglass.audit.settings import SmtpSettings
from leadglass.audit.sinks.notices import Notices
from leadglass.audit.sinks.smtp import SmtpSink
from leadglass.hazmat.servercert import make_server_files
from leadglass.model.errors import ConfigurationError
from leadglass.poster import Undelivered
from support.clock import FakeClock
from support.record import glass_line as line


class Server:
    """As much of RFC 5321 as a client needs; `refuse` maps a command's first word to what it is answered."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, offers: bool = True) -> None:
        self.said: list[str] = []
        self.mails: list[str] = []
        self.refuse: dict[str, str] = {}
        self.port, self._tls, self._offers = 0, tls, offers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ESMTP\r\n")
        try:
            while text := (await reader.readline()).decode().rstrip():
                word = text.split()[0].upper()
                self.said.append(text)
                if word in self.refuse:
                    writer.write(f"{self.refuse[word]}\r\n".encode())
                elif word == "EHLO":
                    more = ["STARTTLS"] if self._tls is not None and self._offers else []
                    lines = ["mail.test", *more, "AUTH PLAIN"]
                    marks = ["-"] * (len(lines) - 1) + [" "]
                    writer.write("".join(f"250{m}{x}\r\n" for m, x in zip(marks, lines, strict=True)).encode())
                elif word == "STARTTLS" and self._tls is not None:
                    writer.write(b"220 go\r\n")
                    await writer.drain()
                    await writer.start_tls(self._tls)
                elif word == "AUTH":
                    writer.write(b"235 ok\r\n")
                elif word == "DATA":
                    writer.write(b"354 go\r\n")
                    self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                    writer.write(b"250 ok\r\n")
                else:
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            return
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.start()
    yield made
    await made.stop()


def settings(port: int, **more: object) -> SmtpSettings:
    given = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "leadglass@x.example",
             "to": ("privacy@x.example", "pacs@x.example"), **more}  # fmt: skip
    return SmtpSettings.model_validate_json(
        orjson.dumps(given), context={"base": Path("/"), "environ": {"PASSWORD": "secret"}}
    )


def sink_for(port: int, **more: object) -> tuple[SmtpSink, bytes]:
    clock = FakeClock()
    notices = Notices(clock, reasons=False)
    return SmtpSink(settings(port, **more), notices), notices.encode([line(clock), line(clock, subject="dr.b")])


async def test_a_mail_says_who_and_no_patient(server: Server) -> None:
    sink, batch = sink_for(server.port)
    await sink.send(batch)
    await sink.send(batch)
    await sink.send(b"")
    (mail,) = server.mails
    assert "Subject: Leadglass: emergency access, 2 to review" in mail
    assert "Auto-Submitted: auto-generated" in mail
    assert "dr.a" in mail
    assert "dr.b" in mail
    assert "Demo" not in mail
    assert sum(said.startswith("rcpt TO:") for said in server.said) == 2


@pytest.mark.parametrize("word", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_what_the_server_refuses_is_kept(server: Server, word: str) -> None:
    sink, batch = sink_for(server.port)
    server.refuse = {word: "451 later", "HELO": "451 later"}
    with pytest.raises(Undelivered):
        await sink.send(batch)
    server.refuse = {}
    await sink.send(batch)
    assert len(server.mails) == 1


async def test_a_mail_that_was_taken_is_not_sent_again_for_a_bad_farewell(server: Server) -> None:
    sink, batch = sink_for(server.port)
    server.refuse = {"QUIT": "500 what"}
    await sink.send(batch)
    await sink.send(batch)
    assert len(server.mails) == 1


async def test_a_server_that_is_not_there(server: Server) -> None:
    await server.stop()
    sink, batch = sink_for(1)
    with pytest.raises(Undelivered, match="ConnectionRefusedError"):
        await sink.send(batch)


async def test_starttls_and_log_in(tmp_path: Path) -> None:
    make_server_files(tmp_path, ("127.0.0.1",), FakeClock().now())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    server = Server(context)
    await server.start()
    secure = {"tls": "starttls", "user": "leadglass", "password": "env:PASSWORD"}
    sink, batch = sink_for(server.port, **secure)
    try:
        with pytest.raises(Undelivered, match="SSLCertVerificationError"):
            await sink.send(batch)
        assert not any(said.startswith("AUTH") for said in server.said)
    finally:
        await server.stop()


async def test_no_password_goes_to_a_server_without_tls() -> None:
    server = Server(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), offers=False)
    await server.start()
    sink, batch = sink_for(server.port, tls="starttls", user="leadglass", password="env:PASSWORD")
    try:
        with pytest.raises(Undelivered, match="SMTPNotSupportedError"):
            await sink.send(batch)
        assert not any(said.startswith(("AUTH", "mail")) for said in server.said)
    finally:
        await server.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "mail.example.org"},  # tls: none away from loopback
        {"user": "x"},
        {"tls": "starttls", "password": "env:PASSWORD"},
        {"user": "x", "password": "env:PASSWORD"},  # a password in the clear
        {"sender": "no address"},
        {"sender": "a@b\nBcc: c@d"},
        {"to": ()},
        {"to": ("a@b, c@d",)},
        {"tls": "maybe"},
    ],
)
def test_settings_that_will_not_do(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(25, **wrong)


def test_a_bundle_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"notices\.smtp\.ca"):
        sink_for(25, ca=str(tmp_path / "gone.pem"))
