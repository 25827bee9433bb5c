import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from leadglass_agent import daemon
from leadglass_agent.checks.base import Check, Result, Surroundings
from leadglass_agent.daemon import Checks, Reporter
from leadglass_agent.gateway import Refused, Unreachable
from leadglass_agent.member import Revoked
from leadglass_agent.state import PROBLEM, STATUS
from support.clock import FakeClock
from support.enrolled import Enrolled
from support.fakegateway import FakeGateway, problem


def check(name: str, collect: Callable[[], Result], interval: float = 10) -> Check:
    return Check(name, name, "", "", "", interval, lambda _: collect())


def checks(clock: FakeClock, *each: Check) -> Checks:
    return Checks(each, Surroundings(now=clock.now), clock.monotonic)


async def test_each_check_runs_in_its_own_time() -> None:
    clock, ran = FakeClock(), []

    def counted(name: str) -> Callable[[], Result]:
        def collect() -> Result:
            ran.append(name)
            return Result("pass")

        return collect

    both = checks(clock, check("a", counted("a"), 5), check("b", counted("b"), 60))
    assert both.next == 0
    for changed, after in ((True, 0), (False, 4), (False, 1), (False, 60)):
        clock.advance(after)
        assert await both.run_due() is changed
    assert sorted(ran) == ["a", "a", "a", "b", "b"]
    assert both.next == 5


async def test_a_change_of_status_value_or_reason_is_told() -> None:
    clock = FakeClock()
    answers = [Result("pass"), Result("fail"), Result("fail", 1), Result("fail", 1, "x"), Result("fail", 1, "x")]
    one = checks(clock, check("a", lambda: answers.pop(0)))
    changes = []
    for _ in range(5):
        changes.append(await one.run_due())
        clock.advance(10)
    assert changes == [True, True, True, True, False]


async def test_a_fault_in_one_check_leaves_the_others_their_voice(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Result:
        raise AttributeError("ours")

    both = checks(FakeClock(), check("a", broken), check("b", lambda: Result("pass")))
    await both.run_due()
    assert both.results["a"] == Result("unknown", None, "the check itself failed (AttributeError)")
    assert both.results["b"].status == "pass"
    assert "the check a failed" in caplog.text


@pytest.fixture
def reporter(enrolled: Enrolled) -> Reporter:
    return Reporter(enrolled.member, enrolled.folder, enrolled.clock.now)


async def test_statements_count_up_across_starts(gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter) -> None:
    await enrolled.member.renew()
    for _ in range(3):
        await reporter.report({"a": Result("pass")})
    assert [told["seq"] for told in gateway.statements] == [1, 2, 3]
    assert enrolled.folder.load().seq == 3
    assert enrolled.folder.read(STATUS) == {
        "received": "2026-11-23T18:40:39.000000Z",
        "certificate_ends": enrolled.member.certificate_ends,
        "checks": {"a": {"status": "pass"}},
    }
    assert gateway.asked.count("nonce") == 1  # the renewal's: replies carry the next


async def test_a_number_is_kept_before_it_is_sent(gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter) -> None:
    await enrolled.member.renew()
    gateway.plan("posture", lambda: problem(503, "draining"))
    with pytest.raises(Refused):
        await reporter.report({})
    assert enrolled.folder.load().seq == 1
    await reporter.report({})
    assert gateway.statements[0]["seq"] == 2


async def restart(gateway: FakeGateway, _: Enrolled) -> None:
    await gateway.stop()
    await gateway.start()


async def expire(gateway: FakeGateway, _: Enrolled) -> None:
    gateway.active.clear()


async def ahead(gateway: FakeGateway, _: Enrolled) -> None:
    gateway.seq = 500


async def sleep(_: FakeGateway, enrolled: Enrolled) -> None:
    enrolled.clock.advance(100_000)


@pytest.mark.parametrize("fault", [restart, expire, ahead, sleep])
async def test_it_mends_what_the_protocol_tells_it_to(
    gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter, fault: Callable[[FakeGateway, Enrolled], object]
) -> None:
    await enrolled.member.renew()
    await reporter.report({})
    result = fault(gateway, enrolled)
    assert asyncio.iscoroutine(result)
    await result
    await reporter.report({"a": Result("fail")})
    assert gateway.statements[-1]["checks"] == {"a": {"status": "fail"}}


@pytest.mark.parametrize("error", ["invalid", "clock", "boot", "claims"])
async def test_what_cannot_be_mended_is_reported_and_not_repeated(
    gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter, error: str
) -> None:
    await enrolled.member.renew()
    gateway.plan("posture", lambda: problem(403, "statement-invalid", error=error, nonce=gateway.nonce()))
    with pytest.raises(Refused, match="statement-invalid"):
        await reporter.report({})
    assert gateway.asked.count("posture") == 1


@pytest.mark.parametrize("last", [None, "x", True, -1, 1.5])
async def test_a_number_that_is_none_is_not_gone_on_from(
    gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter, last: object
) -> None:
    await enrolled.member.renew()
    refusals = [lambda: problem(403, "statement-invalid", error="sequence", last_seq=last)] * 3
    gateway.plan("posture", *refusals)
    with pytest.raises(Refused):
        await reporter.report({})
    assert enrolled.folder.load().seq <= 3


async def test_it_gives_up_after_three_tries(gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter) -> None:
    await enrolled.member.renew()
    gateway.plan("posture", *[lambda: problem(403, "statement-invalid", error="nonce", nonce=gateway.nonce())] * 9)
    with pytest.raises(Refused):
        await reporter.report({})
    assert gateway.asked.count("posture") == 3


@asynccontextmanager
async def running(enrolled: Enrolled, *each: Check, every: float = 30) -> AsyncIterator[asyncio.Task[None]]:
    reporter = Reporter(enrolled.member, enrolled.folder, enrolled.clock.now)
    made = Checks(each, Surroundings(now=enrolled.clock.now), asyncio.get_running_loop().time)

    async def main() -> None:
        await daemon.run(made, reporter, enrolled.member, every=every, monotonic=asyncio.get_running_loop().time)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(main())
        try:
            yield task
        finally:
            task.cancel()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in a program that has no event for it
            await asyncio.sleep(0.005)


async def test_a_change_is_told_at_once(gateway: FakeGateway, enrolled: Enrolled) -> None:
    answers = ["pass"]
    one = check("a", lambda: Result("pass" if answers[-1] == "pass" else "fail"), 0.01)
    async with running(enrolled, one):
        await until(lambda: gateway.statements)
        answers.append("fail")
        await until(lambda: len(gateway.statements) == 2)
    assert [told["checks"]["a"]["status"] for told in gateway.statements] == ["pass", "fail"]


async def test_nothing_new_is_told_in_its_time_and_not_before(gateway: FakeGateway, enrolled: Enrolled) -> None:
    ran: list[int] = []

    def collect() -> Result:
        ran.append(1)
        return Result("pass")

    async with running(enrolled, check("a", collect, 0.01)):
        await until(lambda: len(ran) > 5)
    assert len(gateway.statements) == 1


async def test_a_gateway_that_is_away_is_awaited(
    gateway: FakeGateway, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemon, "_RETRY_SECONDS", (0.01, 0.02))
    caplog.set_level(logging.INFO)
    await gateway.stop()
    async with running(enrolled, check("a", lambda: Result("pass"))):
        await until(lambda: caplog.text.count("not reported") >= 3)
        kept = enrolled.folder.read(PROBLEM)
        assert kept is not None
        assert (kept["revoked"], "cannot be reached" in kept["problem"]) == (False, True)
        await gateway.start()
        await until(lambda: gateway.statements)
        await until(lambda: "reported again" in caplog.text)
    assert enrolled.folder.read(PROBLEM) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: web.Response(body=b"<html>"), id="not-json"),
        pytest.param(lambda: problem(429, "rate-limited"), id="rate-limited"),
        pytest.param(lambda: web.json_response([]), id="no-object"),
    ],
)
async def test_an_answer_that_is_strange_does_not_end_it(
    gateway: FakeGateway,
    enrolled: Enrolled,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[], web.Response],
) -> None:
    monkeypatch.setattr(daemon, "_RETRY_SECONDS", (0.01,))
    gateway.plan("nonce", answer)
    gateway.plan("posture", answer)
    async with running(enrolled, check("a", lambda: Result("pass"))):
        await until(lambda: gateway.statements)


async def test_a_full_disk_does_not_end_it(
    gateway: FakeGateway, enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(daemon, "_RETRY_SECONDS", (0.01,))
    with monkeypatch.context() as broken:
        broken.setattr("leadglass_agent.state.write", full)
        async with running(enrolled, check("a", lambda: Result("pass"))) as task:
            await until(lambda: "No space left" in caplog.text)
            broken.undo()
            await until(lambda: gateway.statements)
            assert not task.done()


async def test_revoked_ends_it_and_is_kept(gateway: FakeGateway, enrolled: Enrolled) -> None:
    gateway.revoked = True
    reporter = Reporter(enrolled.member, enrolled.folder, enrolled.clock.now)
    with pytest.raises(Revoked):
        await daemon.run(
            checks(FakeClock(), check("a", lambda: Result("pass"))),
            reporter,
            enrolled.member,
            every=30,
            monotonic=enrolled.clock.monotonic,
        )
    kept = enrolled.folder.read(PROBLEM)
    assert kept is not None
    assert kept["revoked"] is True


async def test_revoked_while_it_reports_ends_it(gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter) -> None:
    await enrolled.member.renew()
    gateway.revoked = True
    with pytest.raises(Revoked):
        await reporter.report({})


async def test_a_gateway_that_is_gone_says_so(gateway: FakeGateway, enrolled: Enrolled, reporter: Reporter) -> None:
    await enrolled.member.renew()
    await gateway.stop()
    with pytest.raises(Unreachable):
        await reporter.report({})
