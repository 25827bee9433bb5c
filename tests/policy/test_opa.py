import asyncio
import os
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web

from leadglass import limits
from leadglass.epochs import Epochs
from leadglass.model.errors import ConfigurationError
from leadglass.policy import build, cases, program, sources, tables
from leadglass.policy.decide import Active, Policy
from leadglass.policy.engine import NoAnswer, Unavailable, Undefined
from leadglass.policy.opa import OpaEngine, private
from leadglass.telemetry.traces import INTERNAL, Trace
from support.clock import FakeClock
from support.policy import ID, engine, files, question

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REVISION = "r1"
GOOD: dict[str, Any] = {"result": {"allow": False}, "provenance": {"bundles": {"b": {"revision": REVISION}}}}


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:  # a socket's path is short
        yield Path(name)


@pytest.fixture
async def serve(folder: Path) -> AsyncIterator[Callable[[Handler], Awaitable[Path]]]:
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> Path:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(folder / "opa.sock")).start()
        (folder / "opa.sock").chmod(0o600)
        runners.append(runner)
        return folder / "opa.sock"

    yield start
    for runner in runners:
        await runner.cleanup()


async def asked(path: Path) -> object:
    client = OpaEngine(path, REVISION)
    try:
        return await client.evaluate(b'{"a": "\\u00e9"}')
    finally:
        await client.close()


async def test_it_asks_once_strictly_with_provenance(serve: Callable[[Handler], Awaitable[Path]]) -> None:
    seen: list[tuple[str, str, dict[str, str], Any]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, dict(request.query), await request.json()))
        return web.json_response(GOOD)

    assert await asked(await serve(handler)) == {"allow": False}
    (one,) = seen
    assert one == (
        "POST",
        "/v1/data/leadglass/decision",
        {"provenance": "true", "strict-builtin-errors": "true"},
        {"input": {"a": "é"}},
    )


ANSWERS: list[tuple[str, int, Any, type[NoAnswer]]] = [
    ("no result", 200, {"provenance": GOOD["provenance"]}, Undefined),
    ("no provenance", 200, {"result": {"allow": True}}, Unavailable),
    ("another revision", 200, {**GOOD, "provenance": {"bundles": {"b": {"revision": "r2"}}}}, Unavailable),
    ("no revision", 200, {**GOOD, "provenance": {"bundles": {"b": {}}}}, Unavailable),
    (
        "two bundles",
        200,
        {**GOOD, "provenance": {"bundles": {"a": {"revision": "r1"}, "b": {"revision": "x"}}}},
        Unavailable,
    ),
    ("provenance is text", 200, {**GOOD, "provenance": "r1"}, Unavailable),
    ("a list", 200, [GOOD], Unavailable),
    ("evaluation failed", 500, {"code": "internal_error"}, Undefined),
    ("bad request", 400, {}, Unavailable),
    ("unavailable", 503, {}, Unavailable),
    ("redirect", 302, {}, Unavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
async def test_any_other_answer_is_none(
    serve: Callable[[Handler], Awaitable[Path]], status: int, body: object, kind: type[NoAnswer]
) -> None:
    count = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.json_response(body, status=status)

    with pytest.raises(kind):
        await asked(await serve(handler))
    assert count == 1  # never asked again


async def test_an_answer_that_is_not_json_is_none(serve: Callable[[Handler], Awaitable[Path]]) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"{", content_type="application/json")

    with pytest.raises(Unavailable):
        await asked(await serve(handler))


async def test_a_server_that_is_slow_is_not_waited_for(serve: Callable[[Handler], Awaitable[Path]]) -> None:
    release = asyncio.Event()

    async def handler(_request: web.Request) -> web.Response:
        await release.wait()
        return web.json_response(GOOD)

    path = await serve(handler)
    async with asyncio.timeout(limits.OPA_SECONDS * 40):
        with pytest.raises(Unavailable):
            await asked(path)
    release.set()


async def test_it_is_told_of_the_span_where_it_is_to_be_told(serve: Callable[[Handler], Awaitable[Path]]) -> None:
    told: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        told.append(request.headers.get("traceparent"))
        return web.json_response(GOOD)

    path, clock = await serve(answer), FakeClock()
    await asked(path)
    for propagate in (False, True):
        trace = Trace("ab" * 16, 6, parent=None, monotonic=clock.monotonic, propagate=propagate, take=lambda *_: None)
        span = trace.span("evaluate", INTERNAL)
        assert span is not None
        with span:
            await asked(path)
        trace.leave()
    assert told == [None, None, f"00-{'ab' * 16}-{8:016x}-01"]


async def test_a_server_that_is_not_there_denies(folder: Path) -> None:
    judge = Policy(Active(files(), OpaEngine(folder / "gone", REVISION)), FakeClock(), Epochs())
    decision = await judge.decide(question(FakeClock()), ID)
    assert [cause.reason.code for cause in decision.causes] == ["decision-unavailable"]


def test_a_socket_that_others_may_use_is_refused(folder: Path) -> None:
    path = folder / "s.sock"
    with sockets.socket(sockets.AF_UNIX) as one:
        one.bind(str(path))
        path.chmod(0o600)
        private(path)
        for mode in (0o660, 0o602, 0o755):
            path.chmod(mode)
            with pytest.raises(ConfigurationError, match="others"):
                private(path)
    (folder / "plain").touch(0o600)
    with pytest.raises(ConfigurationError, match="not a socket"):
        private(folder / "plain")


@pytest.fixture
async def real(folder: Path) -> AsyncIterator[Path]:
    """A real OPA server that holds the fixture's set."""
    binary = program.find()
    assert binary is not None
    (folder / "bundle.tar.gz").write_bytes(build.bundle(files()))
    path = folder / "opa.sock"
    server = await asyncio.create_subprocess_exec(
        *(str(binary), "run", "--server", "--addr", f"unix://{path}", "--unix-socket-perm", "600"),
        *("--bundle", "bundle.tar.gz", "--log-level", "error", "--disable-telemetry"),
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder)},
    )
    try:
        async with asyncio.timeout(20):
            await warm(path)
        yield path
    finally:
        server.terminate()
        await server.wait()


async def warm(path: Path) -> None:
    """Wait until the server has its bundle."""
    client = OpaEngine(path, files().revision)
    while True:
        try:
            await client.evaluate(question(FakeClock()).input())
        except Unavailable:
            await asyncio.sleep(0.02)
        else:
            break
    await client.close()


@pytest.mark.system
async def test_a_real_server_answers_as_wasm_does(real: Path) -> None:
    clock = FakeClock()
    remote, local = OpaEngine(real, files().revision), engine()
    texts = ['"', "a\0b", "\r\n", "Müller 山田", '","allow":true,"x":"']
    documents = [case.input for case in cases.read(files()) if case.want is not None]
    documents += [question(clock, purpose="verbatim", claims={"document": {"t": text}}).input() for text in texts]
    for document in documents:
        assert await remote.evaluate(document) == local.evaluate_now(document)
    for purpose in ("conflict", "undefined"):
        with pytest.raises(Undefined):
            await remote.evaluate(question(clock, purpose=purpose).input())
    await remote.close()


@pytest.mark.system
async def test_a_real_server_with_another_set_is_no_engine(real: Path) -> None:
    client = OpaEngine(real, "0" * 64)
    with pytest.raises(Unavailable, match="another policy set"):
        await client.evaluate(question(FakeClock()).input())
    await client.close()


@pytest.mark.system
async def test_a_failing_builtin_denies_in_both_engines(real: Path) -> None:
    clock = FakeClock()
    document = question(clock, purpose="call", claims={"name": "semver.compare", "args": ["x", "y"]}).input()
    remote = OpaEngine(real, files().revision)
    with pytest.raises(Undefined):
        await remote.evaluate(document)
    with pytest.raises(Undefined):
        engine().evaluate_now(document)
    await remote.close()


@pytest.mark.system
def test_both_engines_agree_on_the_shipped_cases() -> None:
    shipped = sources.read(None)
    assert tables.data(shipped.tables)
    with program.laid_out(shipped.rules) as laid:
        assert cases.run(cases.read(shipped), cases.on_opa(laid, shipped.rules)) == []
