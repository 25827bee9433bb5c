import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from leadglass.attributes.sources import KINDS, PatientFacts, Sources, load
from leadglass.epochs import Epochs
from leadglass.limits import FACTS_YAML_BYTES
from leadglass.model.errors import ConfigurationError
from support.clock import FakeClock
from support.device import ISSUER

CONDITIONS = """\
conditions:
  - {patient: "P001", issuer: HOSPITAL, codes: [C50.9, I10]}
  - {patient: "P001", codes: [E11.9]}
  - {patient: "P002", issuer: OTHER, codes: [C61]}
"""


def person(subject_id: str, issuer: str = ISSUER) -> dict[str, str]:
    return {"issuer": issuer, "id": subject_id}


class Shop:
    """Sources over files in a folder, with a clock and epochs to look at."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.epochs = folder, FakeClock(), Epochs()
        self.made: list[Sources] = []

    def write(self, text: str, name: str = "facts.yaml") -> Path:
        (self.folder / name).write_text(text)
        return self.folder / name

    async def sources(self, *files: Path, zone: tzinfo = UTC, issuer: str | None = ISSUER) -> Sources:
        sources = Sources(files, issuer=issuer, clock=self.clock, epochs=self.epochs, zone=zone)
        self.made.append(sources)
        await sources.maintain()
        return sources

    @property
    def epoch(self) -> int:
        return self.epochs.snapshot(["attributes"])[0][1]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    for sources in shop.made:
        await sources.close()


async def test_without_files_every_fact_is_absent_and_none_is_missing(shop: Shop) -> None:
    sources = await shop.sources()
    assert sources.facts("P001", "HOSPITAL") == PatientFacts()
    assert sources.facts(None, None) == PatientFacts()


@pytest.mark.parametrize(
    ("patient", "issuer", "codes"),
    [
        ("P001", "HOSPITAL", ("C50.9", "E11.9", "I10")),
        ("P001", "OTHER", ("E11.9",)),
        ("P001", None, ("C50.9", "E11.9", "I10")),  # it may be that patient: what restricts, counts
        ("P002", "HOSPITAL", ()),
        ("P003", "HOSPITAL", ()),  # not listed: known to have none
        ("p001", "HOSPITAL", ()),
        ("", None, ()),
    ],
)
async def test_conditions_are_by_patient_and_issuer(
    shop: Shop, patient: str, issuer: str | None, codes: tuple[str, ...]
) -> None:
    sources = await shop.sources(shop.write(CONDITIONS))
    assert sources.facts(patient, issuer) == PatientFacts(conditions=codes)


async def test_what_opens_counts_only_for_a_patient_that_is_sure(shop: Shop) -> None:
    sources = await shop.sources(
        shop.write(
            "care_team:\n"
            "  - {patient: P1, issuer: H, members: [dr.b, dr.a]}\n"
            "  - {patient: P1, members: [dr.c]}\n"
            "consent:\n"
            "  - {patient: P1, issuer: H, permit: [HRESCH], deny: [HMARKT]}\n"
        )
    )
    sure, unsure, other = (sources.facts("P1", issuer) for issuer in ("H", None, "X"))
    assert sure.care_team == (person("dr.a"), person("dr.b"), person("dr.c"))
    assert unsure.care_team == other.care_team == (person("dr.c"),)
    assert sure.consent == {"permit": ["HRESCH"], "deny": ["HMARKT"]}
    assert unsure.consent == {"permit": [], "deny": ["HMARKT"]}
    assert other.consent == {"permit": [], "deny": []}
    assert sure.conditions is None  # no source of it
    assert sure.missing == ()


async def test_a_member_without_an_issuer_is_nobody_where_several_are_configured(shop: Shop) -> None:
    other = "https://other.example.org"
    file = shop.write(f"care_team:\n  - {{patient: P1, members: [dr.a, {{issuer: '{other}', id: dr.b}}]}}\n")
    assert (await shop.sources(file)).facts("P1", None).care_team == (person("dr.a"), person("dr.b", other))
    assert (await shop.sources(file, issuer=None)).facts("P1", None).care_team == (person("dr.b", other),)


@pytest.mark.parametrize(
    "member", ["{id: dr.b}", "{issuer: I}", "{issuer: I, id: ''}", "{issuer: I, id: b, x: c}", "7"]
)
async def test_a_member_is_a_text_or_issuer_and_id(shop: Shop, member: str) -> None:
    with pytest.raises(ConfigurationError):
        load(shop.write(f"care_team:\n  - {{patient: P1, members: [{member}]}}\n"))


async def test_a_study_without_a_patient_id_lacks_what_is_configured(shop: Shop) -> None:
    sources = await shop.sources(shop.write("conditions: []\nconsent: []\n"))
    assert sources.facts(None, None).missing == ("conditions", "consent")
    assert sources.facts("P1", None) == PatientFacts(conditions=(), consent={"permit": [], "deny": []})


async def test_several_files_are_one_source(shop: Shop) -> None:
    more = shop.write('{"conditions": [{"patient": "P001", "codes": ["C34.1"]}], "care_team": []}', "more.json")
    sources = await shop.sources(shop.write(CONDITIONS), more)
    facts = sources.facts("P001", "OTHER")
    assert facts.conditions == ("C34.1", "E11.9")
    assert facts.care_team == ()


async def test_entries_hold_on_whole_days_of_the_time_zone(shop: Shop) -> None:
    file = shop.write("conditions:\n  - {patient: P1, codes: [X], from: 2026-03-10, until: '2026-03-11'}\n")
    sources = await shop.sources(file, zone=ZoneInfo("Europe/Berlin"))
    seen = []
    for moment in ("2026-03-09T22:59:59", "2026-03-09T23:00:00", "2026-03-11T22:59:59", "2026-03-11T23:00:00"):
        shop.clock = FakeClock(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
        sources._clock = shop.clock
        before = shop.epoch, sources.generation
        await sources.maintain()
        seen.append((sources.facts("P1", None).conditions, (shop.epoch, sources.generation) != before))
    # The clock starts in 2027; stepping back to before the span is a change of phase, too.
    assert seen == [((), True), (("X",), True), (("X",), False), ((), True)]


async def test_the_year_9999_is_for_ever(shop: Shop) -> None:
    sources = await shop.sources(
        shop.write("conditions:\n  - {patient: P1, codes: [X], from: 0001-01-01, until: 9999-12-31}\n")
    )
    assert sources.facts("P1", None).conditions == ("X",)


async def test_a_file_that_cannot_be_read_at_the_start_makes_facts_missing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    sources = await shop.sources(shop.write(CONDITIONS), shop.folder / "none.yaml")
    assert sources.facts("P001", "HOSPITAL") == PatientFacts(missing=KINDS)
    assert "its facts are missing" in caplog.text
    shop.write("care_team: []", "none.yaml")
    await sources.maintain()
    assert sources.facts("P003", None) == PatientFacts(conditions=(), care_team=())


async def test_a_change_is_taken_over_and_moves_the_epoch(shop: Shop) -> None:
    file = shop.write(CONDITIONS)
    sources = await shop.sources(file)
    before = shop.epoch, sources.generation
    await sources.maintain()
    assert (shop.epoch, sources.generation) == before
    shop.write(CONDITIONS.replace("E11.9", "C34.1"))
    await sources.maintain()
    assert sources.facts("P001", "OTHER").conditions == ("C34.1",)
    assert (shop.epoch, sources.generation) == (before[0] + 1, before[1] + 1)
    shop.write(CONDITIONS.replace("E11.9", "C34.1") + "# the same facts\n")
    await sources.maintain()
    assert shop.epoch == before[0] + 1


async def test_a_file_that_breaks_keeps_its_old_facts_and_says_so_without_naming_patients(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    file = shop.write(CONDITIONS)
    sources = await shop.sources(file)
    before = shop.epoch
    for broken in (
        'conditions: [{patient: "P001", codes: C50}]',
        "conditions: [",
        "{}",
        "P001: 1\nP001: 2\n",
        "P001: 1\n",
    ):
        caplog.clear()
        shop.write(broken)
        with caplog.at_level(logging.ERROR, "leadglass.attributes"):
            await sources.maintain()
            await sources.maintain()
        assert len(caplog.records) == 1
        assert "what it held stays in force" in caplog.text
        assert "P001" not in caplog.text
    file.unlink()
    await sources.maintain()
    assert sources.facts("P001", "OTHER").conditions == ("E11.9",)
    assert shop.epoch == before


async def test_the_watch_runs_by_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.attributes.sources.FILE_WATCH_SECONDS", 0.001)
    sources = await shop.sources(shop.write(CONDITIONS))
    await sources.start()
    shop.write("conditions: []\n")
    async with asyncio.timeout(5):
        while sources.facts("P001", None).conditions:  # noqa: ASYNC110 - the change is noticed by polling
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("conditions:\n  - {patient: 12, codes: [C50]}\n", r"facts\.yaml:2: conditions\.0\.patient"),
        ("conditions:\n  - {patient: P1, codes: C50}\n", r":2: conditions\.0\.codes"),
        ("conditions:\n  - patient: P1\n    codes: [NO, 5]\n", r":3: conditions\.0\.codes\.1"),
        ("conditions:\n  - {patient: P1, codes: []}\n", r"conditions\.0\.codes"),
        ("conditions:\n  - {patient: '', codes: [C50]}\n", r"conditions\.0\.patient"),
        ("conditions:\n  - {codes: [C50]}\n", r"conditions\.0\.patient"),
        ("conditions:\n  - {patient: P1, codes: [C50], note: x}\n", r"conditions\.0\.note"),
        ("conditions:\n  - {patient: P1, codes: [C50], since: 2026-01-01}\n", r"conditions\.0\.since"),
        ("conditions:\n  - {patient: P1, codes: [C50], from: 2026-02-01, until: 2026-01-01}\n", "until is before from"),
        ("conditions:\n  - {patient: P1, codes: [C50], from: soon}\n", r"conditions\.0\.from"),
        ("consent:\n  - {patient: P1}\n", "permits nothing"),
        ("diagnoses: []\n", "diagnoses"),
        ("conditions: []\nconditions: []\n", "duplicate key"),
        ("conditions:\n  - {patient: P1, patient: P12, codes: [X]}\n", r":2: found duplicate key"),
        ("{}", "holds none of"),
        ("", "must be a mapping of facts"),
        ("- conditions", "must be a mapping of facts"),
        ("#" * (FACTS_YAML_BYTES + 1), "is larger than"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        load(file)
    assert "P1" not in caught.value.problem
