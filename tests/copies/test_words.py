import pytest

from leadglass.copies.words import SHAPES, shapes


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("write to a.muster@klinik.example please", "an e-mail address"),
        ("SSN 078-05-1120", "a Social Security number"),
        ("ring +49 (30) 901820-0", "a phone number"),
        ("ring 030 901 8200", "a phone number"),
        ("(555) 123-4567", "a phone number"),
        ("Tel.: 9018200", "a phone number"),
        ("seen 20260131", "a date"),
        ("seen 2026-01-31", "a date"),
        ("seen 31.01.2026", "a date"),
        ("seen 1/31/26", "a date"),
        ("seen 31 January 2026", "a date"),
        ("seen Jan 31, 2026", "a date"),
        ("am 3. März 2026", "a date"),
        ("by Dr. Waldarzt", "a name with a title"),
        ("Frau Mustermann", "a name with a title"),
        ("Mustermann^Ännchen", "a name as DICOM writes it"),
        ("MRN: 4711", "a number of a person or an order"),
        ("from 192.168.1.20", "a network address"),
        ("see https://pacs.example/x", "the address of a page"),
        (r"C:\exports\x", "the path of a file"),
        ("a 94 year old woman", "an age over 89"),
    ],
)
def test_what_looks_like_a_persons_is_seen(text: str, what: str) -> None:
    assert what in set(shapes(text))


@pytest.mark.parametrize(
    "text",
    [
        "", "CT THORAX W/O CONTRAST", "AXIAL 5.0 x 5.0 B30f", "T1_tse_sag 3mm", "HFS", "Drum scan", "Mr", "2.25.123456789012",
        "1.2.840.10008.5.1.4.1.1.2", "head 512x512 64/40", "a 64 year old woman", "0\\0\\1", "kVp 120 mAs 200",
        "version 3.14.15", "ANONYMIZED", "DRR", "Srs 2 of 4",
    ],
)  # fmt: skip
def test_what_scanners_write_is_left_alone(text: str) -> None:
    assert list(shapes(text)) == []


def test_names_can_be_left_out() -> None:
    assert list(shapes("Head^Routine", names=False)) == []


def test_every_shape_says_what_it_is() -> None:
    assert all(what.startswith(("a ", "an ", "the ")) for what in SHAPES)
