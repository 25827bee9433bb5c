"""The tour for real: with Orthanc, with the embedded archive, and with a fault planted in it."""

import io

import pytest
from rich.console import Console

from leadglass.demo import tour, world
from support.tools import missing

pytestmark = pytest.mark.system


def toured(monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    said = io.StringIO()
    monkeypatch.setattr(tour, "Console", lambda **_: Console(file=said, width=200, highlight=False))
    return tour.run(keep=False), said.getvalue()


def test_every_step_goes_as_told_in_front_of_orthanc(monkeypatch: pytest.MonkeyPatch) -> None:
    if world.orthanc() is None:
        missing("Orthanc with its DICOMweb plugin (Debian: orthanc orthanc-dicomweb)")
    code, said = toured(monkeypatch)
    assert code == 0, said
    assert "in front of Orthanc" in said
    assert "Every step went as told." in said


def test_every_step_goes_as_told_in_front_of_the_embedded_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "orthanc", lambda: None)
    code, said = toured(monkeypatch)
    assert code == 0, said
    assert "in front of the embedded archive" in said


def test_a_tour_that_does_not_go_as_told_is_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the diagnosis the cancer patient's study is shown, which is not what the tour tells."""
    monkeypatch.setattr(world, "orthanc", lambda: None)
    monkeypatch.setattr(world, "_CONDITIONS", "conditions: []\n# {patient}\n")
    code, said = toured(monkeypatch)
    assert code == 1, said
    assert "NOT AS TOLD" in said
