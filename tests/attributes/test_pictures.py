import asyncio
from collections.abc import AsyncIterator

import pytest

from leadglass.attributes.pictures import Pictures
from leadglass.limits import FACTS_SECONDS, PICTURES_SECONDS
from leadglass.model.errors import Refusal
from leadglass.tasks import Tasks
from support.clock import FakeClock
from support.facts import FakeDoor, element, instance_row
from support.matches import code


class Desk:
    def __init__(self) -> None:
        self.door, self.clock, self.tasks = FakeDoor(), FakeClock(), Tasks()
        self.pictures = Pictures(self.door, self.clock, self.tasks)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.tasks.close()


async def test_people_are_asked_for_once_and_held_for_a_while(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.add("1.3", patient_id="P002")
    desk.door.series_rows[0]["00081070"] = element("PN", {"Alphabetic": "Operator^One"})
    known = await desk.pictures.people(["1.2", "1.3"])
    assert {"P001", "Referring^Demo", "Operator^One"} <= known["1.2"].people
    assert "P002" in known["1.3"].people
    assert "Operator^One" not in known["1.3"].people
    await desk.pictures.people(["1.2"])
    assert desk.door.calls == ["people 1.2,1.3"]
    desk.clock.advance(FACTS_SECONDS)
    await desk.pictures.people(["1.2"])
    assert len(desk.door.calls) == 2


async def test_of_a_study_that_is_not_there_or_twice_nobody_is_known(desk: Desk) -> None:
    desk.door.add("1.2")
    desk.door.add("1.2")
    known = await desk.pictures.people(["1.2", "1.9"])
    assert not known["1.2"].enough
    assert not known["1.9"].enough


async def test_pictures_are_asked_for_once_however_many_wait(desk: Desk) -> None:
    desk.door.add("1.2")
    both = await asyncio.gather(*(desk.pictures.of_series("1.2", "1.2.1") for _ in range(3)))
    assert [sorted(one) for one in both] == [["1.2.1.1", "1.2.1.2"]] * 3
    assert desk.door.calls == ["pictures 1.2 1.2.1"]
    assert list(await desk.pictures.of_study("1.2")) == ["1.2.1"]
    assert list(await desk.pictures.of_study("1.2")) == ["1.2.1"]
    assert desk.door.calls[1:] == ["pictures 1.2"]
    desk.clock.advance(PICTURES_SECONDS)
    await desk.pictures.of_series("1.2", "1.2.1")
    assert len(desk.door.calls) == 3


async def test_what_changes_is_asked_for_anew(desk: Desk) -> None:
    desk.door.add("1.2")
    await desk.pictures.of_series("1.2", "1.2.1")
    await desk.pictures.people(["1.2"])
    desk.pictures.drop("1.2")
    await desk.pictures.of_series("1.2", "1.2.1")
    await desk.pictures.people(["1.2"])
    assert len(desk.door.calls) == 4


@pytest.mark.parametrize(
    "row", [instance_row("1.9", "1.2.1", "1"), instance_row("1.2", "1.9", "1"), {"00080018": element("UI", "1", "2")}]
)
async def test_an_archive_that_lists_something_else(
    desk: Desk, row: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lie(_study: str, _series: str | None = None) -> list[dict[str, object]]:
        await asyncio.sleep(0)
        return [row]

    monkeypatch.setattr(desk.door, "pictures", lie)
    with pytest.raises(Refusal) as caught:
        await desk.pictures.of_series("1.2", "1.2.1")
    assert code(caught) == "upstream-invalid"


async def test_an_archive_that_is_down(desk: Desk) -> None:
    desk.door.down = {"people", "pictures"}
    for asking in (desk.pictures.people(["1.2"]), desk.pictures.of_study("1.2")):
        with pytest.raises(Refusal) as caught:
            await asking
        assert code(caught) == "upstream-unreachable"
