import asyncio
import contextlib
from pathlib import Path

import pytest

from leadglass.audit.service import Audit
from leadglass.model.errors import ClientGone, Refusal, refuse
from leadglass.model.facts import Action
from leadglass.model.reasons import Code
from support import record
from support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def audit(tmp_path: Path, clock: FakeClock) -> Audit:
    return record.audit(tmp_path, clock)


def lines(folder: Path) -> list[dict[str, object]]:
    return [line for line in record.read(folder) if line["type"] not in {"event", "head"}]


async def test_the_decision_stands_in_the_file_before_anything_else_happens(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        scope.admit()
        asked = record.question()
        await scope.decided(asked, record.allow(scope.decision_id, asked=asked))
        (line,) = record.of_type(tmp_path, "decision")
        assert line["decision_id"] == scope.decision_id
        scope.finished(200, 512)


async def test_stages_are_told_in_microseconds(audit: Audit, tmp_path: Path, clock: FakeClock) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        scope.stage("identity")
        clock.advance(0.002)
        scope.stage("decision")
        clock.advance(0.0005)
        await scope.decided(record.question(), record.allow(scope.decision_id))
    assert record.of_type(tmp_path, "decision")[0]["timing_us"] == {"identity": 2000, "decision": 500}


async def test_a_leased_request_writes_a_use_and_a_sum_when_the_lease_ends(
    audit: Audit, tmp_path: Path, clock: FakeClock
) -> None:
    first = audit.scope(record.incoming())
    async with first:
        await first.decided(record.question(), record.allow(first.decision_id))
        first.finished(200, 100)
    for _ in range(3):
        scope = audit.scope(record.incoming())
        async with scope:
            await scope.decided(record.question(), record.allow("x", leased_from=first.decision_id))
            clock.advance(0.01)
            scope.finished(200, 1000)
    uses = record.of_type(tmp_path, "use")
    assert [use["leased_from"] for use in uses] == [first.decision_id] * 3
    assert record.of_type(tmp_path, "completion") == []
    clock.advance(6)
    await audit.tick()
    (total,) = record.of_type(tmp_path, "completion")
    assert (total["leased_from"], total["uses"], total["bytes"], total["ms"]) == (first.decision_id, 4, 3100, 30)


ENDS: dict[str, tuple[int | None, float, str | None]] = {
    "quick": (200, 1.0, None),
    "slow": (200, 5.1, None),
    "failed": (404, 0.1, None),
    "cut": (200, 0.1, "session-ended"),
    "no reply": (None, 0.1, None),
}


@pytest.mark.parametrize("end", ENDS)
async def test_which_exchanges_have_a_completion_of_their_own(
    audit: Audit, tmp_path: Path, clock: FakeClock, end: str
) -> None:
    status, seconds, cut_by = ENDS[end]
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(), record.allow("x", leased_from="01JD0000000000000000000000"))
        clock.advance(seconds)
        scope.finished(status, 10, cut_by)
    found = record.of_type(tmp_path, "completion")
    assert bool(found) is (end != "quick")
    for line in found:
        assert (line["status"], line["cut_by"], line["ms"]) == (status, cut_by, round(seconds * 1000))


async def test_a_decision_without_a_lease_always_has_a_completion(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(), record.allow(scope.decision_id, lease=0))
        scope.finished(200, 10)
    assert len(record.of_type(tmp_path, "completion")) == 1


@pytest.mark.parametrize(("name", "key"), [("search", "disclosed"), ("store", "stored")])
async def test_searches_and_stores_say_what_was_shown_or_stored(
    audit: Audit, tmp_path: Path, name: str, key: str
) -> None:
    scope = audit.scope(record.incoming())
    action = Action("search" if name == "search" else "store", "x")
    async with scope:
        await scope.decided(record.question(action=action), record.allow(scope.decision_id))
        scope.disclose({"1.2": "P1"})
        scope.finished(200, 10)
    assert record.of_type(tmp_path, "completion")[0][key]["studies"] == [{"study_uid": "1.2", "patient_id": "P1"}]


async def test_a_list_that_was_cut_half_way_is_told_too(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(action=Action("search", "x")), record.allow(scope.decision_id))
        scope.disclose({"1.2": "P1"})
        scope.finished(200, 10, "client-gone")
    (line,) = record.of_type(tmp_path, "completion")
    assert (line["cut_by"], line["disclosed"]["count"]) == ("client-gone", 1)


async def test_a_client_that_left_before_it_was_judged_is_told(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        scope.finished(None, 0, "client-gone")
    assert record.of_type(tmp_path, "decision")[0]["decision"]["detail"] == "not judged: client-gone"


async def test_a_page_that_was_judged_names_no_patient_as_seen(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(action=Action("search", "x")), record.allow(scope.decision_id))
        scope.disclose({})
        scope.finished(200, 2)
    assert record.of_type(tmp_path, "decision")[0]["patient"] is None


async def test_a_search_that_showed_nothing_has_a_completion_too(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(
            record.question(action=Action("search", "qido-rs.studies")), record.allow(scope.decision_id)
        )
        scope.finished(200, 2)
    assert len(record.of_type(tmp_path, "completion")) == 1


async def test_a_denial_is_written_once(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        denial = record.deny(scope.decision_id)
        await scope.decided(record.question(), denial)
        answer = denial.refusal()
        assert await scope.refused(answer) is answer
        scope.finished(403, 0)
    (line,) = lines(tmp_path)
    assert line["decision"]["reasons"][0]["code"] == "not-granted"  # type: ignore[index] # a line of JSON


async def test_a_refusal_after_a_decision_goes_into_the_completion(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(), record.allow("x", leased_from="01JD0000000000000000000000"))
        await scope.refused(refuse(Code.UPSTREAM_UNREACHABLE, "connection refused"))
        scope.finished(502, 0)
    completion = record.of_type(tmp_path, "completion")[0]
    assert completion["reasons"] == [{"code": "upstream-unreachable", "params": {}}]
    assert completion["detail"] == "connection refused"


async def test_a_refusal_before_a_decision_has_what_was_known_and_no_query(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        scope.subject = record.subject()
        await scope.refused(refuse(Code.ROUTE_UNKNOWN))
        scope.finished(403, 0)
    (line,) = record.of_type(tmp_path, "decision")
    assert line["subject"]["id"] == "dr.demo"
    assert line["request"] == {"method": "GET", "path": "/dicom-web/studies"}
    assert "secret" not in (tmp_path / "decisions.jsonl").read_text()


async def test_an_exchange_judged_anew_writes_each_decision(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(), record.allow(scope.decision_id))
        await scope.decided(record.question(), record.deny(scope.decision_id))
        scope.finished(200, 7, cut_by="not-granted")
    first, second = record.of_type(tmp_path, "decision")
    assert "again" not in first
    assert second["again"] == 1
    assert record.of_type(tmp_path, "completion")[0]["cut_by"] == "not-granted"


@pytest.mark.parametrize("error", [ClientGone(), KeyError("PATIENT^NAME"), asyncio.CancelledError()], ids=repr)
async def test_an_exchange_that_was_never_judged_is_a_refusal(
    audit: Audit, tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        async with audit.scope(record.incoming()):
            raise error
    (line,) = lines(tmp_path)
    assert line["decision"]["reasons"] == [{"code": "internal-fault", "params": {}}]  # type: ignore[index] # JSON
    assert line["decision"]["detail"] == f"not judged: {type(error).__name__}"  # type: ignore[index] # JSON
    assert "PATIENT" not in str(line)


async def test_a_refusal_that_escapes_is_written_as_itself(audit: Audit, tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        async with audit.scope(record.incoming()):
            raise refuse(Code.HTTP_MALFORMED)
    assert lines(tmp_path)[0]["decision"]["reasons"][0]["code"] == "http-malformed"  # type: ignore[index] # JSON


async def test_a_cancellation_in_mid_stream_still_writes(audit: Audit, tmp_path: Path) -> None:
    inside = asyncio.Event()

    async def exchange() -> None:
        scope = audit.scope(record.incoming())
        async with scope:
            await scope.decided(record.question(), record.allow("x", leased_from="01JD0000000000000000000000"))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(exchange())
    await inside.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert record.of_type(tmp_path, "completion")[0]["cut_by"] == "CancelledError"


async def test_control_exchanges_write_events_of_their_own(audit: Audit, tmp_path: Path) -> None:
    scope = audit.scope(record.incoming())
    async with scope:
        scope.control("posture")
        scope.finished(200, 2)
    assert lines(tmp_path) == []


async def test_a_record_that_cannot_be_written_refuses_everything(audit: Audit, tmp_path: Path) -> None:
    audit._writer.fault = "cannot write"
    with pytest.raises(Refusal, match="audit-unavailable"):
        audit.scope(record.incoming()).admit()
    scope = audit.scope(record.incoming())
    async with scope:
        with pytest.raises(Refusal, match="audit-unavailable") as caught:
            await scope.decided(record.question(), record.allow(scope.decision_id))
        assert await scope.refused(caught.value) is caught.value
    scope = audit.scope(record.incoming())
    async with scope:
        told = await scope.refused(refuse(Code.USER_UNAUTHENTICATED))
        assert told.causes[0].reason.code == "audit-unavailable"
    assert lines(tmp_path) == []


async def test_strict_waits_for_the_disk(tmp_path: Path) -> None:
    strict = record.audit(tmp_path, durability="strict")
    strict.start()
    scope = strict.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(), record.allow(scope.decision_id))
        assert strict._writer.durable == strict._writer.written
        scope.finished(200, 1)
    await strict.close()


async def test_noise_is_written_up_to_the_limit_and_then_counted(tmp_path: Path, clock: FakeClock) -> None:
    audit = record.audit(tmp_path, clock, anonymous_per_minute=3)
    audit._writer.pressure = "ok"
    for _ in range(10):
        scope = audit.scope(record.incoming())
        async with scope:
            await scope.refused(refuse(Code.USER_UNAUTHENTICATED))
    assert len(record.of_type(tmp_path, "decision")) == 3
    clock.advance(61)
    await audit.tick()
    counted = [line for line in record.of_type(tmp_path, "event") if line["kind"] == "refusals-counted"]
    assert counted[0]["fields"]["sources"] == [
        {"source": "192.0.2.7", "refusals": 7, "reasons": {"user-unauthenticated": 7}}
    ]


@pytest.mark.parametrize(
    "target", [b'/a","allow":true', b"/\x00\r\n\x1b[2J", b"/\xff\xed\xb0\x80", "/ü".encode()], ids=repr
)
async def test_what_a_client_puts_into_its_path_stays_in_one_line(audit: Audit, tmp_path: Path, target: bytes) -> None:
    scope = audit.scope(record.incoming(target))
    async with scope:
        await scope.refused(refuse(Code.HTTP_MALFORMED, repr(target)))
    (line,) = lines(tmp_path)
    assert line["decision"]["allow"] is False  # type: ignore[index] # JSON
    assert list(line).count("decision") == 1


async def test_many_exchanges_at_once_keep_their_own_lines(audit: Audit, tmp_path: Path) -> None:
    async def exchange(number: int) -> None:
        scope = audit.scope(record.incoming())
        async with scope:
            await asyncio.sleep(0)
            await scope.decided(record.question(subject=record.subject(f"s{number}")), record.allow(scope.decision_id))
            await asyncio.sleep(0)
            scope.finished(200, number, cut_by="x")

    await asyncio.gather(*(exchange(number) for number in range(50)))
    by_id = {line["decision_id"]: line["subject"]["id"] for line in record.of_type(tmp_path, "decision")}
    for line in record.of_type(tmp_path, "completion"):
        assert by_id[line["decision_id"]] == f"s{line['bytes']}"
    assert len(by_id) == 50
