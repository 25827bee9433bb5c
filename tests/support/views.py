"""Research views for tests: occasions of treatments, and a whole gateway with a project on it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from leadglass.codec.routes import RouteMatch
from leadglass.deid.instance import Header
from leadglass.deid.known import Known
from leadglass.deid.masks import Masks
from leadglass.deid.profile import load_profiles
from leadglass.deid.pseudonyms import PATIENT_ID, Made, Patient, Pseudonyms
from leadglass.model.facts import Action, Context, Study, Subject
from leadglass.model.project import Project
from leadglass.model.question import Question
from leadglass.obligations.lens import Lens
from leadglass.obligations.occasion import NO_MEANS, Means, Occasion
from leadglass.obligations.view import View
from support.gateway import Answer, FakeArchive, Running, running
from support.matches import placed

RESEARCHER = Subject("person", "rita", "https://idp.example.org", b"", 2e9, roles=("researcher-lung",))
BY: dict[str, str | int] = {"uid": 0, "user": "root"}
RESEARCH = """\
purposes: [HRESCH]
projects:
  lung: {roles: [researcher-lung]}
  heart: {roles: [researcher-heart]}
  nowhere: {roles: [researcher-nowhere]}
  strange: {roles: [researcher-strange], profile: unheard-of}
"""


def asking(
    target: str, *studies: Study, method: str = "GET", means: Means = NO_MEANS, accept: str | None = None
) -> Occasion:
    """Return the occasion of a researcher's request about these studies."""
    match: RouteMatch = placed(target, accept, method)
    context = Context("http", "127.0.0.1", 12, 3, purpose="HRESCH")
    question = Question(
        RESEARCHER, Action(match.action.name, match.action.transaction), match.resource, studies, None, context
    )
    return Occasion(match, question, means, now=1.7e9)


@dataclass
class Viewing:
    """A gateway with projects, and a researcher in front of it."""

    run: Running

    async def ask(
        self, target: str, *fields: str, role: str = "researcher-lung", method: str = "GET", body: bytes | None = None
    ) -> Answer:
        """Ask as a researcher of a project."""
        return await self.run.ask(
            target, "Leadglass-Purpose: HRESCH", *fields, method=method, token=self.run.token(role), body=body
        )

    async def studies(self, query: str = "", *, role: str = "researcher-lung") -> list[dict[str, dict[str, object]]]:
        """Search for studies."""
        answer = await self.ask(f"/dicom-web/studies{query}", role=role)
        assert answer.status == 200, answer.body
        rows: list[dict[str, dict[str, object]]] = answer.json
        return rows


def write_projects(folder: Path) -> None:
    """Write the table of projects into a site's folder."""
    (folder / "policies/data/research.yaml").write_text(RESEARCH)


@asynccontextmanager
async def viewing(
    folder: Path, *, instances: Iterable[bytes] | None = None, archive: FakeArchive | None = None, more: str = ""
) -> AsyncIterator[Viewing]:
    """Open a gateway on which projects are made. `more` is added to its configuration."""

    def change(site: Path) -> None:
        write_projects(site)
        file = site / "leadglass.yaml"
        file.write_text(file.read_text() + more)

    async with running(folder, instances=instances, archive=archive, change=change) as run:
        for name in ("lung", "heart", "strange"):
            assert await run.gateway.projects.create(name, name.title(), "research", BY) is not None
        yield Viewing(run)


class FakeProjects:
    """Projects whose key everybody knows (`obligations.occasion.ProjectsDoor`). `kept` is what was written down."""

    def __init__(self) -> None:
        self.kept: list[Made] = []

    def get(self, name: str) -> Project:
        return Project(name, name, "basic", 0.0, "root", "open", 1)

    def pseudonyms(self, _project: Project, patient: Patient, shift_days: int) -> Pseudonyms:
        return Pseudonyms(bytes(32), patient, shift_days)

    async def keep(self, _project: Project, made: Iterable[Made]) -> None:
        self.kept += made

    async def original(self, uid: str) -> tuple[Project, str] | None:
        return next(((self.get("lung"), one.original) for one in self.kept if one.pseudonym == uid), None)

    async def original_identifier(self, _project: Project, kind: str, pseudonym: str) -> str | None:
        found = (one.original for one in self.kept if (one.kind, one.pseudonym) == (kind, pseudonym))
        return next(found, None)

    async def original_patient(self, project: Project, pseudonym: str) -> Patient | None:
        found = await self.original_identifier(project, PATIENT_ID, pseudonym)
        return None if found is None else Patient.of(None, found)


class FakePictures:
    """What is known of studies (`obligations.occasion.PicturesDoor`), as a test says."""

    def __init__(self, headers: Mapping[str, Mapping[str, Header]] = MappingProxyType({})) -> None:
        self.headers = headers

    async def people(self, uids: Sequence[str]) -> Mapping[str, Known]:
        return {uid: Known.of({0x00100010: ["Demo^Patient"], 0x00100020: ["P001"]}) for uid in uids}

    async def of_study(self, _study: str) -> Mapping[str, Mapping[str, Header]]:
        return self.headers

    async def of_series(self, _study: str, series: str) -> Mapping[str, Header]:
        return self.headers.get(series, {})


def looking(
    target: str,
    *studies: Study,
    pictures: FakePictures | None = None,
    masks: Masks | None = None,
    profile: str = "basic",
) -> tuple[View, FakeProjects]:
    """Return the view of a request, and the projects behind it."""
    projects = FakeProjects()
    lenses = {name: Lens.of(one, masks or Masks()) for name, one in load_profiles(None).items()}
    occasion = asking(target, *studies, means=Means(lenses, projects))
    occasion = replace(occasion, pictures=pictures or FakePictures(), base="https://pacs.example.org/dicom-web")
    return View.of(occasion, "lung", profile), projects
