"""What the archive is shown: exactly one Authorization, a client certificate, and the newest of what the files hold."""

import json
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leadglass.model.ask import Ask
from leadglass.model.errors import ConfigurationError, Refusal
from leadglass.tasks import Tasks
from leadglass.upstream.credentials import Credentials, authorization, tls_context
from leadglass.upstream.settings import UpstreamSettings
from leadglass.upstream.upstream import Upstream
from support.clock import FakeClock
from support.rawupstream import RawUpstream, raw_upstream, reply
from support.upstreams import permit, self_signed, settings

ASK = Ask("GET", "dicomweb", "/studies")


def signed_in(folder: Path, url: str = "http://h", **auth: str) -> UpstreamSettings:
    values = {"kind": "orthanc", "url": url, "auth": auth}
    if url.startswith("https:"):
        values["ca"] = "archive.pem"
    context = {"base": folder, "environ": {"TOKEN": "t0k.en=="}}
    return UpstreamSettings.model_validate_json(json.dumps(values), context=context)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.upstream.credentials.FILE_WATCH_SECONDS", 0.001)


@asynccontextmanager
async def opened(found: UpstreamSettings) -> AsyncIterator[Upstream]:
    tasks = Tasks()
    upstream = Upstream(found, FakeClock(), tasks)
    try:
        yield upstream
    finally:
        upstream.close()
        await tasks.close()


def shown(archive: RawUpstream) -> Iterator[str]:
    """Yield what each request showed under Authorization."""
    for head in archive.heads:
        fields = [line for line in head.decode().split("\r\n") if line.lower().startswith("authorization:")]
        yield "; ".join(fields)


async def until(upstream: Upstream, archive: RawUpstream, expected: str) -> None:
    """Ask until the archive is shown this."""
    while True:
        await (await upstream.open(permit(), ASK)).read(9)
        if list(shown(archive))[-1] == expected:
            return


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"basic": "file:basic"}, "Basic ZGVtbzpwYXNzIHdvcmQ="),
        ({"bearer": "file:token"}, "Bearer a.b-c"),
        ({"bearer": "env:TOKEN"}, "Bearer t0k.en=="),
    ],
)
async def test_each_kind(tmp_path: Path, auth: dict[str, str], expected: str) -> None:
    (tmp_path / "basic").write_text("demo:pass word\n")
    (tmp_path / "token").write_text("a.b-c\n")
    found = signed_in(tmp_path, **auth)
    assert "pass word" not in repr(found)
    assert authorization(found.auth) == expected
    async with raw_upstream(reply(b"[]")) as archive, opened(found.model_copy(update={"url": archive.url})) as upstream:
        await (await upstream.open(permit(), ASK)).read(9)
        (await upstream.probe(ASK)).abort()  # as facts are asked for
        assert list(shown(archive)) == [f"Authorization: {expected}"] * 2


def test_nothing_to_show() -> None:
    assert authorization(None) == authorization(settings("http://h", auth={}).auth) == ""
    assert not Credentials(settings("http://h")).watched


async def test_a_token_that_is_renewed_on_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "token").write_text("one")
    found = signed_in(tmp_path, bearer="file:token")
    async with raw_upstream(reply(b"[]")) as archive, opened(found.model_copy(update={"url": archive.url})) as upstream:
        await until(upstream, archive, "Authorization: Bearer one")
        (tmp_path / "token").write_text("second")
        await until(upstream, archive, "Authorization: Bearer second")
        (tmp_path / "token").write_text("not a token")
        while "stay as they were" not in caplog.text:
            await until(upstream, archive, "Authorization: Bearer second")
        (tmp_path / "token").unlink()
        (tmp_path / "token").write_text("third")
        await until(upstream, archive, "Authorization: Bearer third")
    assert "not a token" not in caplog.text


def mutual(folder: Path) -> ssl.SSLContext:
    """Return a server's context that lets nobody in but who shows the certificate `gateway.pem`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(folder))
    context.load_verify_locations(folder / "gateway.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def refused(upstream: Upstream) -> bool:
    try:
        await (await upstream.open(permit(), ASK)).read(9)
    except Refusal as refusal:
        return refusal.causes[0].reason.code == "upstream-unreachable"
    return False


async def test_a_client_certificate_and_its_renewal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    self_signed(tmp_path, "gateway")
    good = [(tmp_path / name).read_bytes() for name in ("gateway.pem", "gateway.key")]
    async with raw_upstream(reply(b"[]"), tls=mutual(tmp_path)) as archive:
        url = f"https://localhost:{archive.port}"
        async with opened(signed_in(tmp_path, url)) as upstream:
            assert await refused(upstream)
        async with opened(signed_in(tmp_path, url, certificate="gateway.pem", key="gateway.key")) as upstream:
            assert not await refused(upstream)
            self_signed(tmp_path, "gateway")  # another one, which the archive does not know
            while not await refused(upstream):  # also over no connection that the old one opened
                pass
            for name, data in zip(("gateway.pem", "gateway.key"), good, strict=True):
                (tmp_path / name).write_bytes(data)
            while await refused(upstream):
                pass
            (tmp_path / "gateway.key").write_text("half a k")
            while "stay as they were" not in caplog.text:
                assert not await refused(upstream)
    assert "are in force" in caplog.text


async def test_a_connection_in_use_serves_no_other_request_under_new_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    found = signed_in(tmp_path, bearer="file:token")
    async with raw_upstream(reply(b"[]")) as archive, opened(found.model_copy(update={"url": archive.url})) as upstream:
        running = await upstream.open(permit(), ASK)
        upstream.pool.renew(None)
        await running.read(9)
        await (await upstream.open(permit(), ASK)).read(9)
        assert archive.connections == 2
        await (await upstream.open(permit(), ASK)).read(9)
        assert archive.connections == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [({"ca": "missing.pem"}, "CA bundle"), ({"auth": {"certificate": "none.pem", "key": "none.key"}}, "client certif")],
)
def test_files_that_are_none(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        tls_context(settings("https://h", **values))


def test_a_key_with_a_passphrase_is_an_error_and_no_question(tmp_path: Path) -> None:
    pem, _ = self_signed(tmp_path, "gateway")
    (tmp_path / "other.key").write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    auth = {"certificate": str(pem), "key": str(tmp_path / "other.key")}
    with pytest.raises(ConfigurationError, match="client certificate") as caught:
        tls_context(settings("https://h", auth=auth))
    assert "unencrypted" in caught.value.hint


def test_archives_may_be_older_than_tls_1_3() -> None:
    context = tls_context(settings("https://h"))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert tls_context(settings("http://h")) is None
