"""A desk with projects on it: a store, a clock, a record."""

from pathlib import Path
from types import TracebackType
from typing import Self

from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.epochs import Epochs
from leadglass.model.project import Project
from leadglass.projects.projects import Projects
from leadglass.store import Store
from support.clock import FakeClock
from support.device import ADMIN, Events

PATIENT = Patient.of("hospital", "4711")


class Desk:
    """Projects in a folder, which can be opened again as after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.events, self.epochs = folder, FakeClock(), Events(), Epochs()
        self.store: Store
        self.projects: Projects

    @property
    def key(self) -> Path:
        return self.folder / "projects.key"

    async def __aenter__(self) -> Self:
        self.store = await Store.open(self.folder / "leadglass.db", busy_seconds=0.05)
        self.projects = await Projects.open(self.store, self.folder, self.events, clock=self.clock, epochs=self.epochs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.store.close()

    async def again(self) -> Projects:
        """Close the store and open it anew."""
        await self.store.close()
        await self.__aenter__()
        return self.projects

    async def made(self, name: str = "lung") -> Project:
        """Make a project."""
        project = await self.projects.create(name, "Lung study", "basic", ADMIN)
        assert project is not None
        return project

    def pseudonyms(self, project: Project, patient: Patient = PATIENT) -> Pseudonyms:
        return self.projects.pseudonyms(project, patient, 365)
