"""What treatments are given beside their parameters: who asks for what, what the gateway has to treat it with, and the reply."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, Protocol

from leadglass.codec.multipart import ContentType
from leadglass.codec.routes import RouteMatch
from leadglass.deid.instance import Header
from leadglass.deid.known import Known
from leadglass.deid.pseudonyms import Made, Patient, Pseudonyms
from leadglass.model.facts import Study
from leadglass.model.project import Project
from leadglass.model.question import Question
from leadglass.obligations.lens import Lens


class ProjectsDoor(Protocol):
    """The projects of the gateway (`projects.projects.Projects`)."""

    def get(self, name: str) -> Project:
        """Return an open project. Raises Refusal `project-unknown`, `project-closed`."""
        ...

    def pseudonyms(self, project: Project, patient: Patient, shift_days: int) -> Pseudonyms:
        """Return what makes the pseudonyms of a patient in a project. Raises Refusal `project-closed`."""
        ...

    async def keep(self, project: Project, made: Iterable[Made]) -> None:
        """Write what pseudonyms stand for, before they leave. Raises Refusal `project-closed`, `store-unavailable`."""
        ...

    async def original(self, uid: str) -> tuple[Project, str] | None:
        """Return whose pseudonym a UID is, and what it stands for. Raises Refusal `store-unavailable`."""
        ...

    async def original_identifier(self, project: Project, kind: str, pseudonym: str) -> str | None:
        """Return what an identifier stands for in a project. Raises Refusal `store-unavailable`."""
        ...

    async def original_patient(self, project: Project, pseudonym: str) -> Patient | None:
        """Return the patient whose PatientID this is in a project. Raises Refusal `store-unavailable`."""
        ...


class PicturesDoor(Protocol):
    """What is known of an archive's studies for views (`attributes.pictures.Pictures`)."""

    async def people(self, uids: Sequence[str]) -> Mapping[str, Known]:
        """Return what text of these studies is cleaned of. Raises Refusal `upstream-unreachable`."""
        ...

    async def of_study(self, study: str) -> Mapping[str, Mapping[str, Header]]:
        """Return the headers of all instances, by series. Raises Refusal `upstream-unreachable`, `upstream-invalid`."""
        ...

    async def of_series(self, study: str, series: str) -> Mapping[str, Header]:
        """Return the headers of a series' instances. Raises Refusal `upstream-unreachable`, `upstream-invalid`."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What treatments are made with, from one reading of the settings; a reload makes another.

    `lenses` are the profiles, by name. `projects` is None where there are none.
    """

    lenses: Mapping[str, Lens] = field(default_factory=dict)
    projects: ProjectsDoor | None = field(default=None, compare=False)

    def project(self, name: str | None) -> Project | None:
        """Return the open project as whose view something is shown; None for what is shown as it is, and for no project.

        Raises Refusal `project-unknown`, `project-closed`.
        """
        return None if name is None or self.projects is None else self.projects.get(name)


NO_MEANS: Final = Means()


@dataclass(frozen=True)
class Occasion:
    """One request, as its treatments see it.

    `match` is the request as it was judged, pseudonyms in it mapped back; `asked` the request as the client spelt it, None
    where that is the same. `project` is whose pseudonyms those were, None when there were none. `question` is what the
    decision answers: who asks, in what context, about which studies. `pictures` is what is known of the studies for views.
    `base` is the address of the archive as clients have it. `now` is epoch seconds.
    """

    match: RouteMatch
    question: Question | None = None
    means: Means = NO_MEANS
    asked: RouteMatch | None = None
    project: str | None = None
    pictures: PicturesDoor | None = None
    base: str = ""
    now: float = 0.0

    @cached_property
    def _studies(self) -> Mapping[str, tuple[int, Study]]:
        studies = () if self.question is None else self.question.studies
        return {study.study_uid: (at, study) for at, study in enumerate(studies)}

    @cached_property
    def _lacking(self) -> frozenset[str]:
        return frozenset(() if self.question is None else self.question.missing)

    def study(self, uid: str | None) -> Study | None:
        """Return what is known of a study that was judged."""
        found = self._studies.get(uid or "")
        return None if found is None else found[1]

    def told(self, study: Study, fact: str) -> bool:
        """Return whether a fact of a judged study could be had at all: one that is absent otherwise is nobody's."""
        if not self._lacking:
            return True
        at, _ = self._studies[study.study_uid]
        return self._lacking.isdisjoint({f"studies[{at}]", f"studies[{at}].{fact}"})


class Content(NamedTuple):
    """A reply on its way from one treatment to the next: its media type, and its body as it comes, in no coding.

    Whoever makes another body out of `body` iterates it to its end, and says in `kind` what it made.
    """

    kind: ContentType
    body: AsyncIterator[bytes]
