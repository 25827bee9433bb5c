"""Facts about patients from files: conditions, care team and consent.

A file is YAML 1.2 or, for long lists, JSON; it holds any of three lists and lies outside the policy folder, because a
list of diagnoses in a repository of rules is a disclosure by accident::

    conditions:                      # codes as rules compare them: CODE or SYSTEM|CODE
      - {patient: "P001", issuer: HOSPITAL, codes: [C50.9]}
      - {patient: "P002", codes: ["http://snomed.info/sct|254837009"], from: 2026-01-01, until: 2026-06-30}
    care_team:                       # people: an id of the only configured issuer of tokens, or whose id it is
      - {patient: "P001", issuer: HOSPITAL, members: [dr.demo, {issuer: "https://idp.example.org", id: dr.smith}]}
    consent:                         # purposes of use that the patient permits or denies
      - {patient: "P001", issuer: HOSPITAL, permit: [HRESCH], until: 2027-12-31}

`patient` is (0010,0020) and `issuer` is (0010,0021). Dates are whole days in the configured time zone, both included.
An entry without `issuer` is about that patient id under every issuer. Where the archive gives no issuer, an entry with
one still counts when it restricts (conditions, denied consent) and does not when it opens (care team, permitted).
A member without `issuer` is nobody where several issuers of tokens are configured: the same id may be two people.

A list that a file holds is a source: a patient who is not in it is known to have none. A list that no file holds is no
source: its fact is absent. A file that cannot be read at the start may hold anything, so all three are `missing`; one
that breaks later leaves its old content in force and says so loudly.
"""

import asyncio
import logging
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta, tzinfo
from itertools import product
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError, model_validator

from leadglass.attributes.files import read
from leadglass.clock import Clock
from leadglass.epochs import Epochs
from leadglass.hazmat.files import Stamp, stamp
from leadglass.limits import FACTS_FILE_BYTES, FACTS_YAML_BYTES, FILE_WATCH_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.model.settings import SettingsModel
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.attributes")
KINDS: Final = ("conditions", "care_team", "consent")
EPOCH: Final = "attributes"


class _Entry(SettingsModel):
    """What every entry has: whom it is about, and from when until when."""

    patient: str = Field(min_length=1, max_length=64, description="Patient ID (0010,0020).")
    issuer: str | None = Field(default=None, min_length=1, max_length=64, description="Issuer (0010,0021).")
    since: date | None = Field(default=None, alias="from", description="First day it holds.")
    until: date | None = Field(default=None, description="Last day it holds.")

    @model_validator(mode="after")
    def _ordered(self) -> "_Entry":
        if self.since and self.until and self.until < self.since:
            raise ValueError("until is before from")
        return self


class ConditionsEntry(_Entry):
    """Codes of a patient's conditions."""

    codes: tuple[str, ...] = Field(min_length=1, description="CODE or SYSTEM|CODE.")


class Member(SettingsModel):
    """A person: the id that an issuer of tokens gives them."""

    issuer: str = Field(min_length=1, description="Issuer of their tokens, as `identity.issuers[].issuer` has it.")
    id: str = Field(min_length=1, description="Subject id.")


class CareTeamEntry(_Entry):
    """Who treats a patient."""

    members: tuple[str | Member, ...] = Field(min_length=1, description="Subject ids, with or without their issuer.")


class ConsentEntry(_Entry):
    """What a patient permits or denies."""

    permit: tuple[str, ...] = Field(default=(), description="Purposes of use that are permitted.")
    deny: tuple[str, ...] = Field(default=(), description="Purposes of use that are denied.")

    @model_validator(mode="after")
    def _says_something(self) -> "ConsentEntry":
        if not self.permit and not self.deny:
            raise ValueError("permits nothing and denies nothing")
        return self


class FactsFile(SettingsModel):
    """A file of facts. A list that is there, even empty, makes the file a source of that fact."""

    conditions: tuple[ConditionsEntry, ...] | None = Field(default=None, description="Diagnosis list.")
    care_team: tuple[CareTeamEntry, ...] | None = Field(default=None, description="Treating relations.")
    consent: tuple[ConsentEntry, ...] | None = Field(default=None, description="Consent register.")

    @model_validator(mode="after")
    def _holds_something(self) -> "FactsFile":
        if self.conditions is None and self.care_team is None and self.consent is None:
            raise ValueError("holds none of conditions, care_team, consent")
        return self


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What the sources say of one patient. None: no source is configured, or it is among `missing`."""

    conditions: tuple[str, ...] | None = None
    care_team: tuple[dict[str, str], ...] | None = None
    consent: dict[str, list[str]] | None = None
    missing: tuple[str, ...] = ()


def people(entry: CareTeamEntry, only: str | None) -> set[tuple[str, str]]:
    """Return (issuer, id) of each member. `only` is the issuer of plain ids; None leaves them out."""
    named = {(member.issuer, member.id) for member in entry.members if isinstance(member, Member)}
    return named if only is None else named | {(only, plain) for plain in entry.members if isinstance(plain, str)}


def load(path: Path) -> FactsFile:
    """Read one file of facts. Raises ConfigurationError that names file, line and what is wrong."""
    document = read(path, FACTS_YAML_BYTES, FACTS_FILE_BYTES)
    try:
        return FactsFile.model_validate_json(document.json)
    except ValidationError as error:
        told = [
            (
                one["loc"],
                "must be a mapping of facts"
                if one["type"] == "model_type"
                else one["msg"].removeprefix("Value error, "),
            )
            for one in error.errors(include_url=False)
        ]
        raise document.faults(told, "docs/facts.md shows the form") from None


class _File:
    """One configured file: its last good content, and the state of the disk when it was last looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: Stamp | None = None
        self.content: FactsFile | None = None
        self.looked = False

    def look(self) -> bool:
        """Read the file if it changed; return whether its content did. Runs in a thread."""
        now = stamp(self.path)
        if self.looked and now == self.seen:
            return False
        self.looked, self.seen = True, now
        try:
            content = load(self.path)
        except ConfigurationError as error:
            state = "what it held stays in force" if self.content is not None else "its facts are missing"
            # Where it is, not what it says: a key or a value may be a patient's. `config check` shows the whole.
            _log.error("facts file not usable at %s; %s", error.where, state)
            return False
        changed, self.content = content != self.content, content
        return changed


@dataclass(frozen=True, slots=True)
class _Merged:
    """What all files hold together. `edges` are the moments (epoch seconds) at which an entry starts or ends."""

    by_patient: Mapping[str, Sequence[_Entry]]
    configured: frozenset[str]
    missing: tuple[str, ...]
    edges: Sequence[float]


class Sources:
    """All configured files as one source. `start` before use and `close` after.

    `generation` moves with the epoch `attributes`: when a file changes, and when a day begins on which an entry starts
    or no longer holds. `issuer` is the only configured issuer of tokens, None when there are several.
    """

    def __init__(
        self, files: Sequence[Path], *, issuer: str | None, clock: Clock, epochs: Epochs, zone: tzinfo = UTC
    ) -> None:
        self._files = [_File(path) for path in files]
        self._clock, self._epochs, self._zone, self._tasks = clock, epochs, zone, Tasks()
        self._issuer = issuer
        self.generation = 0
        self._merged = _Merged({}, frozenset(), KINDS if files else (), ())
        self._phase = 0

    async def start(self) -> None:
        """Read all files, and watch them from then on."""
        await self.maintain()
        self._tasks.spawn(self._watch(), name="facts files")

    async def close(self) -> None:
        """Stop watching."""
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(FILE_WATCH_SECONDS)
            await self.maintain()

    async def maintain(self) -> None:
        """Do one round: take over files that changed, and notice days that begin."""
        merged = await asyncio.to_thread(self._look)
        if merged is not None:
            self._merged = merged  # at once, so that a question sees all of it or none
        phase = bisect_right(self._merged.edges, self._clock.now())
        if merged is not None or phase != self._phase:
            self._phase = phase
            self.generation += 1
            self._epochs.bump(EPOCH)

    def _look(self) -> _Merged | None:
        """Read what changed and put everything together; None when nothing did. Runs in a thread."""
        changed = [file.look() for file in self._files]
        if not any(changed):
            return None
        contents = [file.content for file in self._files]
        by_patient: dict[str, list[_Entry]] = {}
        configured, edges = set(), set()
        for content, kind in product(contents, KINDS):
            entries: Sequence[_Entry] | None = getattr(content, kind, None)
            if entries is None:
                continue
            configured.add(kind)
            for entry in entries:
                by_patient.setdefault(entry.patient.strip(), []).append(entry)
                edges |= {edge for edge in self._span(entry) if math.isfinite(edge)}
        return _Merged(by_patient, frozenset(configured), KINDS if None in contents else (), sorted(edges))

    def _span(self, entry: _Entry) -> tuple[float, float]:
        """Return from when (included) until when (excluded) an entry holds, in epoch seconds."""
        starts = -math.inf if entry.since is None else self._midnight(entry.since)
        if entry.until is None or entry.until.year == MAXYEAR:  # 9999-12-31 is a common way to say for ever
            return starts, math.inf
        return starts, self._midnight(entry.until + timedelta(days=1))

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self._zone).timestamp()

    def facts(self, patient_id: str | None, issuer: str | None) -> PatientFacts:
        """Return what is known of a patient. Without a patient id, every configured fact is missing."""
        merged = self._merged
        has = merged.configured
        if merged.missing:
            return PatientFacts(missing=merged.missing)
        if patient_id is None:
            return PatientFacts(missing=tuple(kind for kind in KINDS if kind in has))
        now = self._clock.now()
        conditions, team, permit, deny = set[str](), set[tuple[str, str]](), set[str](), set[str]()
        for entry in merged.by_patient.get(patient_id, ()):
            opens = entry.issuer is None or entry.issuer == issuer
            starts, ends = self._span(entry)
            if not (opens or issuer is None) or not starts <= now < ends:
                continue
            if isinstance(entry, ConditionsEntry):
                conditions.update(entry.codes)
            elif isinstance(entry, CareTeamEntry):
                team |= people(entry, self._issuer) if opens else set()
            elif isinstance(entry, ConsentEntry):
                permit.update(entry.permit if opens else ())
                deny.update(entry.deny)
        return PatientFacts(
            conditions=tuple(sorted(conditions)) if "conditions" in has else None,
            care_team=tuple({"issuer": issuer, "id": member} for issuer, member in sorted(team))
            if "care_team" in has
            else None,
            consent={"permit": sorted(permit), "deny": sorted(deny)} if "consent" in has else None,
        )
