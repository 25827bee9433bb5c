"""Projects in force: made, given new keys, closed; and the pseudonyms of each.

A project is a name, how it is de-identified, and a key. In memory, because every request of a view asks; in the store,
because a restart must not forget. Whatever changes moves the epoch `config`, so that leases end and running views are
judged again at once.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from sqlalchemy import insert, select, update

from leadglass.clock import Clock, rfc3339
from leadglass.deid.pseudonyms import PATIENT_ID, Made, Patient, Pseudonyms
from leadglass.epochs import Epochs
from leadglass.hazmat.aead import load_or_make_box
from leadglass.limits import PROJECTS as MOST
from leadglass.model.errors import refuse
from leadglass.model.ports import EventSink
from leadglass.model.project import Project
from leadglass.model.reasons import Code
from leadglass.projects.keys import Keys
from leadglass.projects.mappings import Mappings
from leadglass.projects.tables import PROJECTS
from leadglass.store import Store
from leadglass.telemetry import metrics

_KEY: Final = "projects.key"
By: TypeAlias = Mapping[str, Any]


class Projects:
    """The projects of one gateway."""

    def __init__(self, store: Store, keys: Keys, events: EventSink, clock: Clock, epochs: Epochs) -> None:
        self._store, self._keys, self._events, self._clock, self._epochs = store, keys, events, clock, epochs
        self._mappings = Mappings(store, keys)
        self._held: dict[str, Project] = {}
        self._acts = asyncio.Lock()  # what administrators do, one by one: no key is made while all are sealed anew
        metrics.PROJECTS.watch((), lambda: sum(project.state == "open" for project in self._held.values()))

    @classmethod
    async def open(cls, store: Store, folder: Path, events: EventSink, *, clock: Clock, epochs: Epochs) -> Self:
        """Read the projects of the store. The key that seals theirs is in `folder`.

        Raises ConfigurationError, and Refusal `store-unavailable`.
        """
        file = folder / _KEY
        keys = Keys(load_or_make_box(file), file)
        projects = cls(store, keys, events, clock, epochs)
        async with store.transaction() as connection:
            await keys.read(connection)
            rows = (await connection.execute(select(PROJECTS))).mappings().all()
        projects._held = {row["name"]: Project(**row) for row in rows}
        if keys.rotating:
            await projects._finish()
        return projects

    async def _turn(self) -> None:
        if self._keys.rotating:  # a try before this one failed half-way
            await self._finish()
        self._keys.turn()

    async def _finish(self) -> None:
        """Seal all keys anew and let go of the seals before, which a crash or a busy store came between."""
        async with self._store.transaction() as connection:
            await self._keys.reseal(connection)
        self._keys.forget()

    # --- what views ask --------------------------------------------------------------------------------------------
    def get(self, name: str) -> Project:
        """Return an open project. Raises Refusal `project-unknown`, `project-closed`."""
        project = self._held.get(name)
        if project is None:
            raise refuse(Code.PROJECT_UNKNOWN, f"no project {name}", what=f"project {name}")
        if project.state != "open" or self._keys.key(name, project.generation) is None:
            raise refuse(Code.PROJECT_CLOSED, f"project {name}")
        return project

    def pseudonyms(self, project: Project, patient: Patient, shift_days: int) -> Pseudonyms:
        """Return what makes the pseudonyms of a patient in a project; dates move by `shift_days` at most.

        Raises Refusal `project-closed`.
        """
        self._in_force(project)
        key = self._keys.key(project.name, project.generation)
        if key is None:
            raise refuse(Code.PROJECT_CLOSED, f"project {project.name} has no key")
        return Pseudonyms(key, patient, shift_days)

    def _in_force(self, project: Project) -> None:
        now = self._held.get(project.name)
        if now is None or now.state != "open" or now.generation != project.generation:
            raise refuse(Code.PROJECT_CLOSED, f"project {project.name} was closed, or given another key")

    async def keep(self, project: Project, made: Iterable[Made]) -> None:
        """Write what pseudonyms stand for; when this returns it is on disk, and the reply that shows them may leave.

        Raises Refusal `project-closed`, also when that comes to be meanwhile, and `store-unavailable`.
        """
        self._in_force(project)
        fresh = await self._mappings.keep(project.name, project.generation, made)
        if fresh:
            self._in_force(project)
            metrics.PSEUDONYMS.add((), fresh)

    async def original(self, uid: str) -> tuple[Project, str] | None:
        """Return the project in which a UID is a pseudonym, and the real UID; None for every other UID.

        Pseudonyms of closed projects and of keys before the present one open nothing. Raises Refusal `store-unavailable`.
        """
        found = await self._mappings.uid(uid)
        return None if found is None else self._opened(found.project, found.generation, found.original)

    def _opened(self, name: str, generation: int, original: str) -> tuple[Project, str] | None:
        project = self._held.get(name)
        if project is None or project.state != "open" or project.generation != generation:
            return None
        return project, original

    async def original_identifier(self, project: Project, kind: str, pseudonym: str) -> str | None:
        """Return what an identifier stands for in a project under its present key. Raises as `original`."""
        found = await self._mappings.identifier(project.name, kind, pseudonym)
        opened = None if found is None else self._opened(found.project, found.generation, found.original)
        return None if opened is None else opened[1]

    async def original_patient(self, project: Project, pseudonym: str) -> Patient | None:
        """Return the patient whose PatientID is this in a project under its present key. Raises as `original`."""
        found = await self._mappings.identifier(project.name, PATIENT_ID, pseudonym)
        if found is None or self._opened(found.project, found.generation, found.original) is None:
            return None
        return Patient(found.issuer, found.original)

    # --- what administrators do ------------------------------------------------------------------------------------
    def one(self, name: str) -> Project | None:
        """Return a project in whatever state, None when there is none."""
        return self._held.get(name)

    def all(self) -> list[dict[str, Any]]:
        """Return every project, by name, as administrators see it."""
        return [project.document(rfc3339) for _, project in sorted(self._held.items())]

    async def create(self, name: str, title: str, profile: str, by: By, key: bytes | None = None) -> Project | None:
        """Make a project with a key of its own; None when there is one of that name, or with this key.

        `key` (32 bytes) is brought from elsewhere, so that pseudonyms agree with those made there. Raises Refusal `rate-limited` beyond the bound on projects, `store-unavailable`, `audit-unavailable`.
        """
        async with self._acts:
            if name in self._held or (key is not None and self._keys.has(key)):
                return None
            if len(self._held) >= MOST:
                raise refuse(Code.RATE_LIMITED, "too many projects")
            made = Project(name, title, profile, self._clock.now(), str(by.get("user", "")), "open", 1)
            async with self._store.transaction() as connection:
                statement = insert(PROJECTS).values(**asdict(made))
                await connection.execute(statement)
                put = await self._keys.make(connection, name, 1, made.created, key)
                told = {"project": name, "title": title, "profile": profile, "brought": key is not None, "by": dict(by)}
                await self._events.record_event("project-created", told)
            self._keys.take_up(name, 1, put)
            self._put(made)
            return made

    async def rotate(self, name: str, by: By) -> Project | None:
        """Give an open project a new key; None when there is none of that name.

        Pseudonyms made before open nothing any more; who they stand for can still be asked. Raises as `create`, and Refusal
        `project-closed`.
        """
        async with self._acts:
            before = self._held.get(name)
            if before is None:
                return None
            if before.state != "open":
                raise refuse(Code.PROJECT_CLOSED, f"project {name}")
            after = replace(before, generation=before.generation + 1)
            async with self._store.transaction() as connection:
                key = await self._keys.make(connection, name, after.generation, self._clock.now())
                await connection.execute(_become(after))
                told = {"project": name, "generation": after.generation, "by": dict(by)}
                await self._events.record_event("project-rotated", told)
            self._keys.take_up(name, after.generation, key)
            self._put(after)
            return after

    async def close(self, name: str, by: By) -> Project | None:
        """Close a project: nobody sees anything in it. Its keys stay, so who a pseudonym stands for can still be asked.

        None when there is none of that name. Raises as `create`.
        """
        async with self._acts:
            before = self._held.get(name)
            if before is None or before.state == "closed":
                return before
            after = replace(before, state="closed")
            async with self._store.transaction() as connection:
                await connection.execute(_become(after))
                await self._events.record_event("project-closed", {"project": name, "by": dict(by)})
            self._put(after)
            return after

    async def destroy(self, name: str, by: By) -> Project | None:
        """Close a project and destroy its keys and mappings: nobody can tell any more who its pseudonyms stand for.

        What this store keeps then opens with no key that is left; a backup of before still does. None when there is no project
        of that name. Raises as `create`.
        """
        async with self._acts:
            before = self._held.get(name)
            if before is None or before.destroyed is not None:
                return before
            after = replace(before, state="closed", destroyed=self._clock.now())
            await self._turn()
            async with self._store.transaction() as connection:
                await self._keys.reseal(connection, but=name)
                dropped = await self._mappings.drop(connection, name)
                await connection.execute(_become(after))
                told = {"project": name, "pseudonyms": dropped, "by": dict(by)}
                await self._events.record_event("project-key-destroyed", told)
            self._put(after)
            self._keys.forget([name])
            self._mappings.forget(name)
            return after

    async def rotate_seal(self, by: By) -> dict[str, Any]:
        """Seal the keys of all projects under a new key. Raises Refusal `store-unavailable`, `audit-unavailable`."""
        async with self._acts:
            await self._turn()
            async with self._store.transaction() as connection:
                said = {"keys": await self._keys.reseal(connection)}
                await self._events.record_event("projects-key-rotated", {**said, "by": dict(by)})
            self._keys.forget()
            return said

    def _put(self, project: Project) -> None:
        self._held[project.name] = project
        self._epochs.bump("config")

    async def reidentify(self, name: str, pseudonym: str) -> list[dict[str, str]]:
        """Return what a pseudonym stands for in a project, under whatever generation of its key.

        Whoever calls has seen to it that they may, and that it is recorded. Raises Refusal `store-unavailable`.
        """
        found = await self._mappings.all(pseudonym, name)
        return [
            {"kind": one.kind, "original": one.original, **({"issuer": one.issuer} if one.issuer else {})}
            for one in found
        ]


def _become(project: Project) -> Any:  # noqa: ANN401 - a statement of SQLAlchemy's
    changed = {name: value for name, value in asdict(project).items() if name in {"state", "generation", "destroyed"}}
    return update(PROJECTS).where(PROJECTS.c.name == project.name).values(**changed)
