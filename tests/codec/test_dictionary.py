import pytest

from leadglass.codec.dictionary import is_private, tag, tag_path, vr


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("PatientID", "00100020"),
        ("00100020", "00100020"),
        ("0020000d", "0020000D"),
        ("00091001", "00091001"),
        ("PixelData", "7FE00010"),
        ("patientid", None),
        ("PATIENTID", None),
        ("0010,0020", None),
        ("(0010,0020)", None),
        ("0x00100020", None),
        ("0010002", None),
        ("00100007", None),
        ("00020010", None),
        ("00000002", None),
        ("00071001", None),
        ("", None),
        ("\u0660\u0660100020", None),
    ],
)
def test_a_name_is_one_tag_or_none(name: str, known: str | None) -> None:
    assert tag(name) == known
    assert tag_path(name) == known


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"),
        ("00400275.00400009", "00400275.00400009"),
        ("00091002.00091003", "00091002.00091003"),
        ("PatientID.00400009", None),
        ("00400275.", None),
        (".00400275", None),
        ("00400275..00400009", None),
        ("00400275.Bogus", None),
        (".".join(["00400275"] * 33), None),
    ],
)
def test_a_path_leads_through_sequences(name: str, path: str | None) -> None:
    assert tag_path(name) == path


def test_representations_and_privacy_are_known() -> None:
    assert vr("0020000D") == "UI"
    assert vr("00400275.00400009") == "SH"
    assert vr("00091001") == "UN"
    assert is_private("00091001")
    assert not is_private("00100020")
