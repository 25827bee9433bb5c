"""One project's view for one request: how it spells what is real, and what must be written down before it is shown."""

from typing import Final

from leadglass.codec.dicomjson import Row
from leadglass.codec.dictionary import vr
from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.codec.routes.spelling import INSTANCE_UID, uids
from leadglass.deid.acts import BINARY, Act
from leadglass.deid.instance import Header
from leadglass.deid.known import Known
from leadglass.deid.options import Option
from leadglass.deid.pseudonyms import ACCESSION_NUMBER, Made, Patient, Pseudonyms
from leadglass.deid.risk import Judgement
from leadglass.deid.rules import ACCESSION, PATIENT_ID, PATIENT_NAME
from leadglass.deid.values import Values
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.project import Project
from leadglass.model.reasons import Code
from leadglass.obligations.lens import Lens
from leadglass.obligations.occasion import Occasion, PicturesDoor, ProjectsDoor

PLACES: Final = (("studies", STUDY_UID), ("series", SERIES_UID), ("instances", INSTANCE_UID))
"""The words of an address, and where a row has the UIDs behind them."""
PIXELS: Final = frozenset({"7FE00008", "7FE00009", "7FE00010"})
"""Pixel data, of floats, of doubles and of integers: what masks are for."""
_NOBODY: Final = Patient("", "", "-")  # UIDs do not depend on whose they are


def uid_of(row: Row, tag: str) -> str:
    """Return the one UID of an attribute, nothing when it has not exactly one."""
    attribute = row.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str) else ""


class View:
    """What one request sees of the archive, by one project and one profile."""

    def __init__(self, occasion: Occasion, lens: Lens, project: Project, projects: ProjectsDoor) -> None:
        self.occasion, self.lens, self.project = occasion, lens, project
        self._projects = projects
        options = lens.rules.profile.options
        self.shift_days = lens.rules.profile.shift_days if Option.RETAIN_MODIFIED_DATES in options else 0
        self._patients: dict[Patient, Pseudonyms] = {}
        self._uids: Values | None = None

    @classmethod
    def of(cls, occasion: Occasion, project: str, profile: str | None) -> "View":
        """Return the view. Raises Refusal `project-unknown`, `project-closed`."""
        projects = occasion.means.projects
        if projects is None:
            raise refuse(Code.PROJECT_UNKNOWN, f"no project {project}: there are none")
        found = projects.get(project)
        lens = occasion.means.lenses.get(profile or found.profile)
        if lens is None:
            raise refuse(Code.PROFILE_UNKNOWN, f"no profile {profile or found.profile}")
        return cls(occasion, lens, found, projects)

    @property
    def pictures(self) -> PicturesDoor:
        """What is known of the archive's studies."""
        if self.occasion.pictures is None:
            raise refuse(Code.INTERNAL_FAULT, "a view of no archive")
        return self.occasion.pictures

    def told(self, study: Study) -> bool:
        """Return whether it is known whose a study is."""
        return self.occasion.told(study, "patient_id")

    def values(self, study: Study, known: Known) -> Values:
        """Return what replaces the values of a study. Raises Refusal `upstream-unreachable` when nobody knows whose it is."""
        if not self.told(study):
            raise refuse(Code.UPSTREAM_UNREACHABLE, "cannot tell whose the study is")
        patient = Patient.of(study.issuer_of_patient_id, study.patient_id, study.study_uid)
        return Values(self.lens.rules, self._pseudonyms(patient), known)

    def _pseudonyms(self, patient: Patient) -> Pseudonyms:
        found = self._patients.get(patient)
        if found is None:
            found = self._patients[patient] = self._projects.pseudonyms(self.project, patient, self.shift_days)
        return found

    def spelt(self, tag: str, uid: str) -> str | None:
        """Return how the view spells a UID that stands under `tag`; None where it does not show it."""
        if self._uids is None:
            self._uids = Values(self.lens.rules, self._pseudonyms(_NOBODY), Known())
        act = self.lens.rules.act(int(tag, 16))
        said = None if act is Act.REMOVE else self._uids.replace(act, int(tag, 16), "UI", [uid])
        return said[0] if said else None

    def handle(self, instance: str, path: str) -> str:
        """Return the handle of bulk data: a pseudonym like that of a UID, so it is looked up like one, by nobody but this project."""
        return self._pseudonyms(_NOBODY).uid(f"{instance}/{path}")

    def address(self, row: Row, level: str) -> str:
        """Return where what a row of the view is about is retrieved."""
        parts = {"study": 1, "series": 2, "instance": 3}[level]
        path = "".join(f"/{name}/{uid_of(row, tag)}" for name, tag in PLACES[:parts])
        return f"{self.occasion.base.removesuffix('/')}{path}"

    async def original(self, tag: int, pseudonym: str) -> str | None:
        """Return what an identifier of the view stands for, None when it stands for nothing. Raises Refusal."""
        if tag in {PATIENT_ID, PATIENT_NAME}:
            patient = await self._projects.original_patient(self.project, pseudonym)
            return None if patient is None else patient.id
        kind = ACCESSION_NUMBER if tag == ACCESSION else f"tag-{tag:08x}"
        return await self._projects.original_identifier(self.project, kind, pseudonym)

    @property
    def owes(self) -> bool:
        """Whether anything was made that is not written down yet (`keep`)."""
        return any(pseudonyms.untold for pseudonyms in self._patients.values())

    async def keep(self) -> None:
        """Write down what was made since the last call. Nothing that shows it may leave before. Raises Refusal."""
        made: list[Made] = [one for pseudonyms in self._patients.values() for one in pseudonyms.take()]
        if made:
            await self._projects.keep(self.project, made)

    def judge(self, header: Header) -> Judgement | None:
        """Return what becomes of an instance's pixels, None when it is not in the view."""
        try:
            return self.lens.pixels.judge(header)
        except Refusal:
            return None

    def shows_bulk(self, attribute: str) -> bool:
        """Return whether the bulk data of an attribute is shown as it is: its tag, behind those of the sequences it lies in.

        Of pictures, only the instance's own are judged, so none that lies in an item is shown.
        """
        *outer, tag = attribute.split(".")
        rules = self.lens.rules
        return (
            rules.act(int(tag, 16)) is Act.KEEP
            and not BINARY.isdisjoint(vr(tag).split(" or "))
            and all(rules.act(int(one, 16)) in {Act.KEEP, Act.CLEAN} for one in outer)
            and not (outer and tag in PIXELS)
        )

    def check_spelling(self) -> None:
        """Refuse an address that is not spelt as the view spells it: a real UID, or one of another view.

        Raises Refusal `study-not-visible`, whatever there is under that UID.
        """
        match = self.occasion.match
        asked = self.occasion.asked or match
        for (tag, real), (_, said) in zip(uids(match), uids(asked), strict=True):
            if self.spelt(tag, real) != said:
                raise refuse(Code.STUDY_NOT_VISIBLE, "not the UID that stands for it in the view")
