import pytest

from leadglass.copies import originals as module
from leadglass.copies.originals import Originals
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Rules
from leadglass.model.errors import ConfigurationError
from support.scans import ACCESSION, NUMBER, ROOT, scan


@pytest.fixture
def known() -> Originals:
    values = Originals(Rules(load_profiles()["basic"]))
    values.add(scan(OperatorsName="Li"), "Mustermann_Aennchen/CT 1/IM0001")
    return values


@pytest.mark.parametrize(
    ("data", "whose"),
    [
        (b"..mustermann..", "Patient's Name"),
        (b"MUSTERMANN", "Patient's Name"),
        ("Ännchen".encode(), "Patient's Name"),
        ("ännchen".encode("latin-1"), "Patient's Name"),
        ("Mustermann".encode("utf-16-le"), "Patient's Name"),
        (f"_{NUMBER}".encode(), "Patient ID"),
        (ACCESSION.encode(), "Accession Number"),
        (b"Klinik am Wald", "Institution Name"),
        (f"{ROOT}.3.1.1".encode(), "a UID"),
        (f"\0{ROOT}.9\0".encode(), "a UID"),
    ],
)
def test_values_are_found_wherever_they_went(known: Originals, data: bytes, whose: str) -> None:
    assert whose in set(known.found_in(b"\x01\x02" + data + b"\x03"))


@pytest.mark.parametrize(
    "data", [b"", b"Scanner 5 by Maker", b"Mustermanns", b"1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.3.1.11".encode(), b"Li"]
)
def test_what_is_not_theirs_is_let_be(known: Originals, data: bytes) -> None:
    assert list(known.found_in(data)) == []


def test_a_value_that_a_copy_may_keep_is_not_looked_for() -> None:
    values = Originals(Rules(load_profiles()["basic"]))
    values.add(scan(StationName="Scanner 5"), "a")
    assert list(values.found_in(b"Scanner 5")) == []


def test_among_pixels_only_what_is_long_counts(known: Originals) -> None:
    assert set(known.found_among_pixels(b"\0\1 Mustermann \xff\x80" * 3)) == {"Patient's Name"}
    assert list(known.found_among_pixels(b"\0" + b"Wald" + b"\0")) == []
    assert set(known.found_among_pixels(f"{ROOT}.3.1.1".encode())) == {"a UID"}


def test_values_too_short_to_be_looked_for_are_counted(known: Originals) -> None:
    assert known.short == 1


def test_names_of_files_are_known(known: Originals) -> None:
    assert known.in_name("mustermann.dcm")
    assert known.in_name(f"{ROOT}.1")
    assert not known.in_name("2.25.1234.dcm")


def test_values_without_end_are_refused(monkeypatch: pytest.MonkeyPatch, known: Originals) -> None:
    monkeypatch.setattr(module, "SCAN_VALUES", 3)
    with pytest.raises(ConfigurationError, match="more than 3 values"):
        known.add(scan(2), "b")
