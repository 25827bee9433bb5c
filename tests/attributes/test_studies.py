import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from leadglass.attributes.rows import FROM_SERIES, FROM_STUDY
from leadglass.attributes.sources import Sources
from leadglass.attributes.studies import StudyFacts
from leadglass.epochs import Epochs
from leadglass.limits import FACTS_RECHECK_SECONDS, FACTS_SECONDS
from leadglass.model.errors import Refusal
from leadglass.model.facts import Study
from support.clock import FakeClock
from support.facts import FakeDoor, instance_row, series_row, study_row


class Desk:
    """Study facts over a fake archive; `facts_file` holds what the sources say."""

    def __init__(self, folder: Path) -> None:
        self.door, self.clock, self.epochs = FakeDoor(), FakeClock(), Epochs()
        self.facts_file = folder / "facts.yaml"
        self.use()

    def use(self, *files: Path) -> None:
        self.sources = Sources(files, issuer=None, clock=self.clock, epochs=self.epochs)
        self.facts = StudyFacts(self.door, self.clock, self.sources)

    async def one(self, uid: str) -> Study:
        studies, missing = await self.facts.gather([uid])
        assert missing == ()
        return studies[uid]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    if desk.door.gate is not None:
        desk.door.gate.set()
    await desk.facts.close()
    await desk.sources.close()


async def test_a_study_is_asked_for_once_and_held_for_a_while(desk: Desk) -> None:
    desk.door.add("1.2")
    assert desk.facts.cached("1.2") is None
    study = await desk.one("1.2")
    assert (study.patient_id, study.modalities, study.series) == ("P001", ("CT",), {"1.2.1": "CT"})
    assert study.conditions is None
    assert desk.facts.cached("1.2") is study
    assert await desk.one("1.2") is study
    assert desk.door.calls == ["studies 1.2", "series 1.2"]
    desk.clock.advance(FACTS_SECONDS)
    assert desk.facts.cached("1.2") is None
    await desk.one("1.2")
    assert len(desk.door.calls) == 4


async def test_a_page_is_two_queries_and_only_for_what_is_not_at_hand(desk: Desk) -> None:
    for uid in ("1.1", "1.2", "1.3"):
        desk.door.add(uid)
    await desk.one("1.2")
    desk.door.calls.clear()
    studies, missing = await desk.facts.gather(["1.3", "1.2", "1.1", "1.3"])
    assert list(studies) == ["1.3", "1.2", "1.1"]
    assert missing == ()
    assert desk.door.calls == ["studies 1.3,1.1", "series 1.3,1.1"]


async def test_what_does_not_exist_costs_the_archive_what_exists_would(desk: Desk) -> None:
    desk.door.add("1.2")
    costs = []
    for uid in ("1.2", "9.9"):
        for _ in range(3):
            desk.door.calls.clear()
            await desk.facts.gather([uid])
            costs.append(len(desk.door.calls))
    assert costs == [2, 0, 0, 2, 0, 0]
    assert (await desk.facts.gather(["9.9", "1.2"]))[0].keys() == {"1.2"}
    assert desk.facts.cached("9.9") is None


async def test_a_store_asks_anew_whether_a_study_exists(desk: Desk) -> None:
    assert await desk.facts.gather(["1.2"]) == ({}, ())
    desk.door.add("1.2", patient_id="P666")  # over DIMSE, behind our back
    assert await desk.facts.gather(["1.2"]) == ({}, ())
    studies, _ = await desk.facts.gather(["1.2"], fresh=True)
    assert studies["1.2"].patient_id == "P666"
    desk.door.calls.clear()
    await desk.facts.gather(["1.2"], fresh=True)
    assert desk.door.calls == []


async def test_on_a_page_an_ambiguous_study_is_left_out_and_hides_no_other(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.study_rows.append(study_row("1.2", patient_id="P666"))
    desk.door.add("1.3")
    studies, missing = await desk.facts.gather(["1.2", "1.3"], page=True)
    assert list(studies) == ["1.3"]
    assert missing == ()


async def test_two_studies_under_one_uid_are_refused(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.study_rows.append(study_row("1.2", patient_id="P666"))
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            await desk.facts.gather(["1.2"])
        assert caught.value.causes[0].reason.code == "study-ambiguous"
        assert caught.value.causes[0].params == {"count": "2"}
    assert desk.facts.cached("1.2") is None
    assert len(desk.door.calls) == 2


@pytest.mark.parametrize(
    ("down", "names"),
    [({"series"}, FROM_SERIES), ({"studies"}, FROM_STUDY), ({"studies", "series"}, (*FROM_STUDY, *FROM_SERIES))],
    ids=str,
)
async def test_facts_that_cannot_be_had_are_missing_and_asked_for_again(
    desk: Desk, down: set[str], names: tuple[str, ...]
) -> None:
    desk.door.add("1.2")
    desk.door.down = down
    studies, missing = await desk.facts.gather(["1.2"])
    assert missing == tuple(f"studies[0].{name}" for name in names)
    assert all(getattr(studies["1.2"], name) is None for name in names)
    assert desk.facts.cached("1.2") is None
    desk.door.down = set()
    await desk.one("1.2")


async def test_missing_counts_the_studies_that_exist(desk: Desk) -> None:
    desk.door.add("1.1")
    desk.door.add("1.2")
    desk.door.series_rows = [series_row("1.1")]
    studies, missing = await desk.facts.gather(["9.9", "1.1", "1.2"])
    assert list(studies) == ["1.1", "1.2"]
    assert missing == tuple(f"studies[1].{name}" for name in FROM_SERIES)


async def test_a_fault_of_the_door_reaches_everyone_as_missing(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(uids: Sequence[str]) -> list[dict[str, Any]]:
        raise KeyError(len(uids))

    monkeypatch.setattr(desk.door, "studies", broken)
    answers = await asyncio.gather(*(desk.facts.gather(["1.2"]) for _ in range(3)))
    assert all(len(missing) == 8 for _, missing in answers)
    assert "facts of studies failed" in caplog.text


async def test_many_wait_for_one_query_and_none_can_cancel_it(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.gate = asyncio.Event()
    callers = [asyncio.ensure_future(desk.one("1.2")) for _ in range(5)]
    await desk.door.asked.wait()
    callers[0].cancel()
    desk.door.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(result is results[1] for result in results[1:])
    assert len(desk.door.calls) == 2


async def test_an_answer_from_before_a_store_is_not_held(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.gate = asyncio.Event()
    early = asyncio.ensure_future(desk.one("1.2"))
    await desk.door.asked.wait()
    desk.facts.drop("1.2")  # a store passes by while the query is under way
    desk.door.series_rows.append(series_row("1.2", "1.2.2", "MR"))
    late = asyncio.ensure_future(desk.one("1.2"))
    await asyncio.sleep(0)
    desk.door.gate.set()
    assert (await early).modalities == ("CT",)
    assert (await late).modalities == ("CT", "MR")
    held = desk.facts.cached("1.2")
    assert held is not None
    assert held.modalities == ("CT", "MR")


async def test_an_answer_from_before_a_store_is_not_held_when_nobody_asked_since(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.gate = asyncio.Event()
    early = asyncio.ensure_future(desk.one("1.2"))
    await desk.door.asked.wait()
    desk.facts.drop("1.2")
    desk.door.gate.set()
    await early
    assert desk.facts.cached("1.2") is None


async def test_a_drop_forgets(desk: Desk) -> None:
    desk.door.add("1.2")
    await desk.one("1.2")
    desk.facts.drop("1.2")
    assert desk.facts.cached("1.2") is None
    desk.facts.drop("1.2")
    await desk.one("1.2")
    assert len(desk.door.calls) == 4


async def test_the_memory_of_studies_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.attributes.studies.FACTS_CACHE", 3)
    uids = [f"1.{n}" for n in range(6)]
    for uid in uids:
        desk.door.add(uid)
        await desk.one(uid)
    assert [desk.facts.cached(uid) is not None for uid in uids] == [False] * 3 + [True] * 3


async def test_what_the_sources_say_is_joined_and_follows_them_without_asking_the_archive(desk: Desk) -> None:
    desk.facts_file.write_text("conditions:\n  - {patient: P001, issuer: DEMO, codes: [C50.9]}\n")
    desk.use(desk.facts_file)
    await desk.sources.maintain()
    desk.door.add("1.2")
    assert (await desk.one("1.2")).conditions == ("C50.9",)
    desk.facts_file.write_text("conditions: []\n")
    await desk.sources.maintain()
    assert desk.facts.cached("1.2") is None
    assert (await desk.one("1.2")).conditions == ()
    assert desk.facts.cached("1.2") is not None
    assert len(desk.door.calls) == 2


async def test_a_source_that_cannot_be_read_is_missing_every_time(desk: Desk) -> None:
    desk.use(desk.facts_file)
    await desk.sources.maintain()
    desk.door.add("1.2")
    for _ in range(2):
        studies, missing = await desk.facts.gather(["1.2"])
        assert missing == ("studies[0].conditions", "studies[0].care_team", "studies[0].consent")
        assert studies["1.2"].conditions is None
        assert desk.facts.cached("1.2") is None
    assert len(desk.door.calls) == 2


async def test_a_study_that_a_store_names_gets_the_facts_of_its_patient(desk: Desk) -> None:
    desk.facts_file.write_text("conditions:\n  - {patient: P001, codes: [C50.9]}\n")
    desk.use(desk.facts_file)
    await desk.sources.maintain()
    new = Study("1.2", exists=False, patient_id="P001")
    study, missing = desk.facts.enrich(new)
    assert study == Study("1.2", exists=False, patient_id="P001", conditions=("C50.9",))
    assert missing == ()
    assert desk.facts.enrich(Study("1.2", exists=False))[1] == ("conditions",)


async def test_the_hierarchy_is_checked_with_one_listing_a_series(desk: Desk) -> None:
    desk.door.add("1.2", instances=3)
    study = await desk.one("1.2")
    assert desk.facts.placed(study, "1.2.1")
    assert not desk.facts.placed(study, "1.2.1", "1.2.1.1")
    for number in (1, 2, 3):
        assert await desk.facts.hierarchy(study, "1.2.1", f"1.2.1.{number}") is study
        assert desk.facts.placed(study, "1.2.1", f"1.2.1.{number}")
    assert desk.door.calls[2:] == ["instances 1.2 1.2.1"]
    desk.clock.advance(FACTS_SECONDS)
    assert not desk.facts.placed(study, "1.2.1", "1.2.1.1")


async def refused(desk: Desk, study: Study, series: str, instance: str | None = None) -> str:
    assert not desk.facts.placed(study, series, instance)
    with pytest.raises(Refusal) as caught:
        await desk.facts.hierarchy(study, series, instance)
    return caught.value.causes[0].reason.code


async def test_what_lies_elsewhere_is_refused_and_asked_about_at_most_once_in_a_while(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.add("6.6")
    study = await desk.one("1.2")
    await desk.one("6.6")
    desk.door.calls.clear()
    for _ in range(5):
        assert await refused(desk, study, "6.6.1") == "study-not-visible"
        assert await refused(desk, study, "6.6.1", "6.6.1.1") == "study-not-visible"
        assert await refused(desk, study, "1.2.1", "6.6.1.1") == "study-not-visible"
    assert desk.door.calls == ["instances 1.2 1.2.1"]
    desk.clock.advance(FACTS_RECHECK_SECONDS)
    for _ in range(5):
        assert await refused(desk, study, "6.6.1") == "study-not-visible"
        assert await refused(desk, study, "1.2.1", "6.6.1.1") == "study-not-visible"
    assert desk.door.calls[1:] == ["studies 1.2", "series 1.2", "instances 1.2 1.2.1"]


async def test_a_series_that_came_meanwhile_is_found_and_the_study_must_be_judged_anew(desk: Desk) -> None:
    desk.door.add("1.2")
    study = await desk.one("1.2")
    desk.door.series_rows.append(series_row("1.2", "1.2.2", "MR"))
    desk.door.instance_rows.append(instance_row("1.2", "1.2.2", "1.2.2.1"))
    desk.clock.advance(FACTS_RECHECK_SECONDS)
    again = await desk.facts.hierarchy(study, "1.2.2", "1.2.2.1")
    assert again is not study
    assert again.modalities == ("CT", "MR")


async def test_an_instance_that_came_meanwhile_is_found(desk: Desk) -> None:
    desk.door.add("1.2")
    study = await desk.one("1.2")
    await desk.facts.hierarchy(study, "1.2.1", "1.2.1.1")
    desk.door.instance_rows.append(instance_row("1.2", "1.2.1", "1.2.1.9"))
    assert await refused(desk, study, "1.2.1", "1.2.1.9") == "study-not-visible"
    desk.clock.advance(FACTS_RECHECK_SECONDS)
    assert await desk.facts.hierarchy(study, "1.2.1", "1.2.1.9") is study


async def test_a_hierarchy_that_cannot_be_checked_is_refused(desk: Desk) -> None:
    desk.door.add("1.2")
    study = await desk.one("1.2")
    desk.door.down = {"instances"}
    assert await refused(desk, study, "1.2.1", "1.2.1.1") == "upstream-unreachable"
    desk.door.down = set()
    desk.door.instance_rows.append({**instance_row("9.9", "1.2.1", "1.2.1.8")})
    assert await refused(desk, study, "1.2.1", "1.2.1.8") == "upstream-invalid"
    desk.door.down = {"series"}
    desk.facts.drop("1.2")
    assert await refused(desk, study, "1.2.7") == "upstream-unreachable"
    desk.door.down = set()
    desk.door.study_rows.clear()
    desk.facts.drop("1.2")
    assert await refused(desk, study, "1.2.7") == "study-not-visible"


async def test_a_listing_is_shared_and_one_from_before_a_store_is_not_held(desk: Desk) -> None:
    desk.door.add("1.2")
    study = await desk.one("1.2")
    desk.door.gate, desk.door.asked = asyncio.Event(), asyncio.Event()
    callers = [asyncio.ensure_future(desk.facts.hierarchy(study, "1.2.1", "1.2.1.1")) for _ in range(5)]
    await desk.door.asked.wait()
    desk.facts.drop("1.2")
    desk.door.gate.set()
    await asyncio.gather(*callers)
    assert desk.door.calls[2:] == ["instances 1.2 1.2.1"]
    assert not desk.facts.placed(study, "1.2.1", "1.2.1.1")
    assert desk.facts._instances == 0
    assert await desk.facts.hierarchy(study, "1.2.1", "1.2.1.1") is study


async def test_the_memory_of_listings_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.attributes.studies.INSTANCES_HELD", 25)
    for number in range(5):
        desk.door.add(f"1.{number}", instances=10)
        study = await desk.one(f"1.{number}")
        await desk.facts.hierarchy(study, f"1.{number}.1", f"1.{number}.1.1")
    assert desk.facts._instances == 20
    assert [desk.facts.cached(f"1.{n}") is not None for n in range(5)] == [False, False, False, True, True]
