from pathlib import Path
from typing import Any

import pytest

from leadglass.audit.search import Hit, Outcome, Query, search
from leadglass.audit.service import Audit
from leadglass.model.errors import refuse
from leadglass.model.facts import Action, Resource, Study
from leadglass.model.reasons import Code
from support import record
from support.clock import FakeClock
from support.observed import ObservedSite


async def judged(
    audit: Audit,
    *,
    leased_from: str | None = None,
    disclosed: dict[str, str] | None = None,
    **changes: Any,  # noqa: ANN401 - fields of Question
) -> str:
    scope = audit.scope(record.incoming())
    async with scope:
        asked = record.question(**changes)
        await scope.decided(asked, record.allow(scope.decision_id, asked=asked, leased_from=leased_from))
        if disclosed is not None:
            scope.disclose(disclosed)
        scope.finished(200, 10)
    return scope.decision_id


@pytest.fixture
async def ids(tmp_path: Path) -> dict[str, str]:
    """A morning: dr.a reads P001 under a lease, dr.b lists P001 and P002 and is refused one, dr.c stores for P003."""
    clock = FakeClock()
    audit = record.audit(tmp_path, clock)
    made = {"read": await judged(audit, subject=record.subject("dr.a"))}
    clock.advance(1)
    made["use"] = await judged(audit, subject=record.subject("dr.a"), leased_from=made["read"])
    clock.advance(60)
    search_action: dict[str, Any] = {
        "action": Action("search", "qido-rs.studies"),
        "resource": Resource("study", query={}),
    }
    made["list"] = await judged(
        audit, subject=record.subject("dr.b"), studies=(), disclosed={"1.1": "P001", "1.2": "P002"}, **search_action
    )
    clock.advance(60)
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.decided(record.question(subject=record.subject("dr.b")), record.deny(scope.decision_id))
    made["denied"] = scope.decision_id
    made["store"] = await judged(
        audit,
        subject=record.subject("dr.c"),
        device=None,
        action=Action("store", "stow-rs"),
        resource=Resource("study"),
        studies=(Study("1.3", patient_id="P003"),),
        disclosed={"1.3": "P003"},
    )
    scope = audit.scope(record.incoming())
    async with scope:
        await scope.refused(refuse(Code.USER_UNAUTHENTICATED))
    made["unknown"] = scope.decision_id
    await audit.close()
    return made


def find(folder: Path, **query: Any) -> list[Hit]:  # noqa: ANN401 - fields of Query
    return list(search(folder / "decisions.jsonl", Query(**query)))


def test_who_saw_a_patient_includes_leases_and_lists(tmp_path: Path, ids: dict[str, str]) -> None:
    hits = find(tmp_path, patient="P001")
    assert [(hit.type, hit.subject, hit.outcome) for hit in hits] == [
        ("decision", "dr.a", "allowed"),
        ("use", "dr.a", "allowed"),
        ("completion", "dr.b", "allowed"),
        ("decision", "dr.b", "refused"),
    ]
    assert hits[1].patients == ("P001",)
    assert hits[1].resource == record.INSTANCE
    assert hits[1].timestamp == "2027-01-15T08:00:01.000000Z"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"patient": "P002"}, ["list"]),
        ({"study": "1.3"}, ["store", "store"]),
        ({"study": record.STUDY}, ["read", "use", "denied"]),
        ({"subject": "dr.c"}, ["store", "store"]),
        ({"device": "dev-1", "subject": "dr.a"}, ["read", "use"]),
        ({"outcome": "refused"}, ["denied", "unknown"]),
        ({"patient": "P001", "outcome": "allowed"}, ["read", "use", "list"]),
        ({"since": 1_800_000_001.0, "until": 1_800_000_061.0}, ["use"]),
        ({"subject": "nobody"}, []),
        ({"patient": "p001"}, []),
    ],
    ids=str,
)
def test_filters(tmp_path: Path, ids: dict[str, str], query: dict[str, Any], expected: list[str]) -> None:
    names = {value: name for name, value in ids.items()}
    assert [names[hit.decision_id] for hit in find(tmp_path, **query)] == expected


def test_a_decision_id_finds_all_that_belongs_to_it(tmp_path: Path, ids: dict[str, str]) -> None:
    assert [hit.type for hit in find(tmp_path, decision_id=ids["read"])] == ["decision", "use"]
    assert [hit.type for hit in find(tmp_path, decision_id=ids["list"])] == ["decision", "completion"]
    assert find(tmp_path, decision_id=ids["unknown"])[0].reasons == ("user-unauthenticated",)


async def test_a_list_kept_in_part_matches_and_says_so(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    await judged(
        audit,
        action=Action("store", "stow-rs"),
        studies=(),
        disclosed={f"1.{number}": f"P{number}" for number in range(300)},
    )
    await audit.close()
    (hit,) = find(tmp_path, patient="P299")
    assert hit.incomplete


def test_lines_that_cannot_be_read_are_left_out(tmp_path: Path, ids: dict[str, str]) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(
        b'{"seq":1}\nnot json\n[1]\n{"seq":1,"type":"decision","decision":{"reasons":[1],"rows":null}}\n'
        + file.read_bytes()
    )
    assert len(find(tmp_path, patient="P001")) == 4


async def test_what_was_let_through_while_observing_is_found_as_what_it_was(tmp_path: Path) -> None:
    """Somebody saw it, so who asks for what was allowed must find it."""
    site = ObservedSite(tmp_path)
    allowed, let = await site.ask(), await site.ask(Code.NOT_GRANTED)
    refused = await site.ask(Code.NOT_GRANTED, enforcing=True)
    await site.audit.close()

    def found(outcome: Outcome) -> set[str]:
        return {hit.decision_id for hit in search(site.file, Query(outcome=outcome)) if hit.type == "decision"}

    assert found("observed") == {let}
    assert found("allowed") == {allowed, let}
    assert found("refused") == {refused}
