import logging
import warnings
from pathlib import Path

import pytest

from leadglass.copies import ahead
from leadglass.copies.ahead import about, pieces, quietly, walk
from leadglass.model.errors import Refusal
from support.part10files import element, file, item
from support.scans import ACCESSION, NAME, NUMBER, scan, written


def test_whose_a_file_is_and_what_is_known_of_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(scan(IssuerOfPatientID="WALD")))
    walk(tmp_path / "a")
    patient, known = about(tmp_path / "a")
    assert (patient.issuer, patient.id) == ("WALD", NUMBER)
    assert {NAME, NUMBER, ACCESSION, "Waldarzt^Doktor"} <= known.people
    assert known.places == {"Klinik am Wald"}
    assert known.enough


def test_the_groups_of_a_name_are_known_each(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(scan(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Taro=山田^太郎")))
    assert {"Yamada^Taro", "山田^太郎"} <= about(tmp_path / "a")[1].people


def test_a_patient_without_a_number_is_told_apart_by_the_study(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(scan(PatientID="")))
    patient, _ = about(tmp_path / "a")
    assert (patient.id, patient.study) == ("", scan().StudyInstanceUID)


@pytest.mark.parametrize("cut", [100, 200, 600, -10])
def test_what_ends_too_early_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a").write_bytes(written(scan())[:cut])
    with pytest.raises(Refusal):
        walk(tmp_path / "a")


def test_what_is_nested_into_the_ground_never_reaches_pydicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b""
    for _ in range(40):
        body = element(0x00189346, "SQ", item(body))
    deep = file() + body
    (tmp_path / "a").write_bytes(deep)
    with pytest.raises(Refusal):
        walk(tmp_path / "a")


def test_what_pydicom_cannot_read_is_refused_without_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("Mustermann")

    monkeypatch.setattr(ahead, "dcmread", fail)
    (tmp_path / "a").write_bytes(written(scan()))
    with pytest.raises(Refusal) as caught:
        about(tmp_path / "a")
    assert "Mustermann" not in caught.value.detail


def test_a_file_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "COPY_PIECE_BYTES", 100)
    data = written(scan())
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as opened:
        assert b"".join(pieces(opened)) == data
    walk(tmp_path / "a")


def test_pydicom_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with quietly():
        logging.getLogger("pydicom").warning("Mustermann")
        warnings.warn("Mustermann", stacklevel=1)
    assert capsys.readouterr() == ("", "")
    assert not logging.getLogger("pydicom").disabled
