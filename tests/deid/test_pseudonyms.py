"""Pseudonyms of one patient in one project: UIDs, identifiers, dates, and what is handed over of them."""

import unicodedata

import pytest

from leadglass.deid import pseudonyms as module
from leadglass.deid.pseudonyms import ACCESSION_NUMBER, PATIENT_ID, UID, Made, Patient, Pseudonyms

KEY = bytes(range(32))
DATES = [
    ("20240228", "20240301"),  # a leap year
    ("20230228", "20230302"),
    ("20231231", "20240102"),
    ("2024.02.28", "20240301"),
    ("20240228 ", "20240301"),
    ("20240228235959.123456", "20240301235959.123456"),
    ("2024022823", "2024030123"),
    ("20240228+0100", "20240301+0100"),
    ("20240228235959-0800", "20240301235959-0800"),
    ("202402", "202402"),
    ("2024", "2024"),
]
NO_DATES = [
    "", " ", "2024022", "20240230", "20241301", "00000101", "20240228Doe", "99991231", "20240101-20240201",
    "20240228 120000", "٢٠٢٤٠١٠١", "2024-02-28", "Doe", "20240228+01000",
]  # fmt: skip


def pseudonyms(issuer: str | None = "hospital", patient_id: str | None = "4711", shift: int = 365) -> Pseudonyms:
    return Pseudonyms(KEY, Patient.of(issuer, patient_id), shift)


def moved_by_two() -> Pseudonyms:
    for number in range(1000):
        found = pseudonyms(patient_id=str(number), shift=2)
        if found.shift == 2:
            return found
    raise AssertionError


def test_uids_agree_whoever_the_patient_is() -> None:
    assert pseudonyms().uid("1.2.3") == pseudonyms(patient_id="other", shift=0).uid("1.2.3")
    assert pseudonyms().uid("1.2.3\0") == pseudonyms().uid("1.2.3")
    assert pseudonyms().uid("1.2.3") != pseudonyms().uid("1.2.30")
    assert pseudonyms().uid("") == pseudonyms().uid(" ") == ""


@pytest.mark.parametrize("uid", ["1.2.840.10008", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2 "])
def test_registered_uids_stay(uid: str) -> None:
    made = pseudonyms()
    assert made.uid(uid) == uid.strip()
    assert made.take() == []


@pytest.mark.parametrize("uid", ["1.2.840.100080.1", "1.2.840.10008.Doe", "11.2.840.10008.1", "1.2.840.1000"])
def test_others_do_not(uid: str) -> None:
    assert pseudonyms().uid(uid).startswith("2.25.")


def test_a_patient_is_the_same_however_the_text_came() -> None:
    name = "Müller-1"
    one = pseudonyms("Köln", name).patient_id
    assert pseudonyms(unicodedata.normalize("NFD", "Köln"), unicodedata.normalize("NFD", name)).patient_id == one
    assert pseudonyms(" Köln ", f"{name}\0 ").patient_id == one
    assert pseudonyms("Bonn", name).patient_id != one
    assert pseudonyms(None, name).patient_id == pseudonyms("", name).patient_id != one


def test_nobody_is_made_up_for_a_study_without_patient_id() -> None:
    made = Pseudonyms(KEY, Patient.of("hospital", None, "1.2.3"), 365)
    assert made.patient_id == ""
    assert made.take() == []


def test_patients_without_patient_id_are_not_one() -> None:
    shifts = {Pseudonyms(KEY, Patient.of("", "", f"1.2.{number}"), 365).shift for number in range(20)}
    assert len(shifts) > 10
    assert Patient.of("", "4711", "1.2.3") == Patient.of("", "4711", "1.2.4")


def test_kinds_are_apart() -> None:
    made = pseudonyms(issuer="")
    found = {made.patient_id, made.identifier(ACCESSION_NUMBER, "4711"), made.identifier("admission-id", "4711")}
    assert len(found) == 3
    assert made.identifier(ACCESSION_NUMBER, " ") == made.identifier(PATIENT_ID, "") == ""


def test_what_was_made_is_handed_over_once() -> None:
    made = pseudonyms()
    uid, accession, patient = made.uid("1.2.3 "), made.identifier(ACCESSION_NUMBER, "A1"), made.patient_id
    assert (made.uid("1.2.3 "), made.identifier(ACCESSION_NUMBER, "A1"), made.patient_id) == (uid, accession, patient)
    assert made.take() == [
        Made(UID, uid, "1.2.3"),
        Made(ACCESSION_NUMBER, accession, "A1"),
        Made(PATIENT_ID, patient, "4711", "hospital"),
    ]
    assert made.take() == []


def test_what_is_remembered_is_bounded_and_made_again_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PSEUDONYMS_OF_ONE", 10)
    made = pseudonyms()
    first = [made.uid(f"1.2.{number}") for number in range(30)]
    assert len(made._known) <= 10
    assert [made.uid(f"1.2.{number}") for number in range(30)] == first
    assert len(set(made.take())) == 30


@pytest.mark.parametrize(("value", "moved"), DATES)
def test_dates_move_by_whole_days(value: str, moved: str) -> None:
    assert moved_by_two().moved(value) == moved


@pytest.mark.parametrize("value", NO_DATES)
def test_what_is_no_date_is_not_let_through(value: str) -> None:
    with pytest.raises(ValueError, match="no date") as refused:
        moved_by_two().moved(value)
    assert "Doe" not in str(refused.value)


def test_one_patient_has_one_shift_that_is_never_nothing() -> None:
    shifts = {pseudonyms(patient_id=str(number), shift=7).shift for number in range(300)}
    assert shifts == set(range(-7, 8)) - {0}
    assert pseudonyms().shift == pseudonyms().shift


def test_nothing_moves_where_the_profile_shifts_nothing() -> None:
    made = pseudonyms(shift=0)
    assert made.shift == 0
    with pytest.raises(ValueError, match="no date to move"):
        made.moved("20240101")
