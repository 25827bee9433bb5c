import io
from collections.abc import AsyncIterator, Iterable

import pydicom
import pytest

from leadglass.codec.multipart import Writer
from leadglass.deid.known import Known
from leadglass.deid.pseudonyms import Made
from leadglass.model.errors import Cut, Refusal, UpstreamBroken, refuse
from leadglass.model.facts import Study
from leadglass.model.project import Project
from leadglass.model.reasons import Code
from leadglass.obligations.viewparts import alone, kept, several
from support.gateway import CT, US
from support.matches import code
from support.studies import US_IMAGE, instance
from support.views import looking

STUDY = Study(CT.uid, patient_id="P001")
GOOD = CT.instances[0].part10
RISKY = instance(study=CT.uid, series=f"{CT.uid}.7", sop=f"{CT.uid}.7.1", sop_class=US_IMAGE, modality="US")
FOREIGN = US.instances[0].part10


async def body(data: bytes, step: int = 7_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), step):
        yield data[at : at + step]


def parts(*bodies: bytes) -> bytes:
    head = b"--bb\r\nContent-Type: application/dicom; name=Demo\r\nContent-Location: /Demo\r\n\r\n"
    return b"".join(head + one + b"\r\n" for one in bodies) + b"--bb--\r\n"


async def taken(data: bytes, *, one: bool = False, step: int = 7_000) -> bytes:
    view, _ = looking(f"/dicom-web/studies/{CT.uid}", STUDY)
    values = view.values(STUDY, Known())
    writer = Writer("application/dicom", "new")
    return b"".join([piece async for piece in several(view, values, body(data, step), "bb", writer, one=one)])


@pytest.mark.parametrize("step", [1, 63, 100_000])
async def test_parts_are_framed_anew_and_what_is_at_risk_is_left_out(step: int) -> None:
    made = await taken(parts(RISKY, GOOD, RISKY), step=step)
    assert made.count(b"--new\r\n") == 1
    head, _, rest = made.partition(b"\r\n\r\n")
    assert head == b"--new\r\nContent-Type: application/dicom"
    dataset = pydicom.dcmread(io.BytesIO(rest.removesuffix(b"\r\n--new--\r\n")))
    assert dataset.PixelData == pydicom.dcmread(io.BytesIO(GOOD)).PixelData
    assert b"Demo" not in made


@pytest.mark.parametrize(
    ("data", "one", "said"),
    [
        (parts(RISKY), False, Code.STUDY_NOT_VISIBLE),
        (parts(RISKY), True, Code.PIXELS_AT_RISK),
        (parts(b"no DICOM"), False, Code.DEID_UNREADABLE),
        (parts(GOOD[:-10]), False, Code.DEID_UNREADABLE),
    ],
)
async def test_what_is_refused(data: bytes, one: bool, said: Code) -> None:  # noqa: FBT001 - a parameter of the table
    with pytest.raises(Refusal) as caught:
        await taken(data, one=one)
    assert code(caught) == said


async def test_instances_of_others_end_the_reply_before_a_byte_of_theirs() -> None:
    with pytest.raises(Cut):
        await taken(parts(FOREIGN))
    view, _ = looking(f"/dicom-web/studies/{CT.uid}", STUDY)
    made = b""
    left = several(
        view, view.values(STUDY, Known()), body(parts(GOOD, FOREIGN)), "bb", Writer("application/dicom"), one=False
    )

    async def all_of_it() -> None:
        nonlocal made
        async for piece in left:
            made += piece

    with pytest.raises(Cut):
        await all_of_it()
    assert made.count(b"DICM") == 1
    assert b"P003" not in made


async def test_a_body_that_does_not_end() -> None:
    with pytest.raises(UpstreamBroken):
        await taken(parts(GOOD)[:-6])


async def test_one_instance_by_itself() -> None:
    view, projects = looking(f"/dicom-web/studies/{CT.uid}", STUDY)
    left = kept(view, alone(view, view.values(STUDY, Known()), body(GOOD)))
    made = b"".join([piece async for piece in left])
    dataset = pydicom.dcmread(io.BytesIO(made))
    assert dataset.StudyInstanceUID == view.spelt("0020000D", CT.uid)
    assert {CT.uid, CT.series} <= {one.original for one in projects.kept}
    with pytest.raises(Refusal) as caught:
        _ = [piece async for piece in alone(view, view.values(STUDY, Known()), body(RISKY))]
    assert code(caught) == Code.PIXELS_AT_RISK


async def test_nothing_leaves_before_what_it_shows_is_written_down_and_instances_are_written_down_together() -> None:
    view, projects = looking(f"/dicom-web/studies/{CT.uid}", STUDY)
    bodies = [one.part10 for one in CT.instances]
    made = several(
        view, view.values(STUDY, Known()), body(parts(*bodies)), "bb", Writer("application/dicom"), one=False
    )
    left = [(len(projects.kept), piece) async for piece in kept(view, made)]
    assert len(bodies) > 1
    assert len({count for count, _ in left}) == 2  # the first bytes at once, all others together
    for count, piece in left:
        assert not [one.pseudonym for one in projects.kept[count:] if one.pseudonym.encode() in piece]


async def test_what_cannot_be_written_down_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    view, projects = looking(f"/dicom-web/studies/{CT.uid}", STUDY)

    async def full(_project: Project, made: Iterable[Made]) -> None:
        raise refuse(Code.STORE_UNAVAILABLE, "full")

    monkeypatch.setattr(projects, "keep", full)
    left = kept(view, alone(view, view.values(STUDY, Known()), body(GOOD)))
    with pytest.raises(Refusal) as caught:
        await anext(left)
    assert code(caught) == Code.STORE_UNAVAILABLE
