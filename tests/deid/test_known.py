from leadglass.deid.known import Known, fold


def test_values_are_taken_from_a_row_of_dicom_json() -> None:
    known = Known.of_row(
        {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "山田^太郎"}]},
            "00100020": {"vr": "LO", "Value": ["P-77"]},
            "00080080": {"vr": "LO", "Value": ["St. Mary"]},
            "00080060": {"vr": "CS", "Value": ["CT"]},
            "00100030": {"vr": "DA"},
        }
    )
    assert known.people == {"Doe^Jane", "山田^太郎", "P-77"}
    assert known.places == {"St. Mary"}
    assert known.enough


def test_who_knows_neither_name_nor_number_does_not_know_enough() -> None:
    assert not Known.of({0x00080080: ["St. Mary"], 0x00100010: [" "]}).enough
    assert not Known().enough


def test_a_data_set_that_names_too_much_is_known_as_nothing() -> None:
    assert not Known.of({0x00100020: ["P"], 0x00101001: [f"NAME{n}" for n in range(700)]}).enough


def test_words_are_folded_and_found_in_parts_when_long() -> None:
    words = Known.of({0x00100010: ["Müller^Bo"], 0x00080080: ["Mary"]}).words(places=False)
    assert {"muller", "mueller", "bo"} <= words.whole
    assert "bo" not in words.parts
    assert "mueller" in words.parts
    assert "mary" not in words.whole
    assert "mary" in Known.of({0x00080080: ["Mary"]}).words(places=True).whole


def test_marks_and_case_do_not_count() -> None:
    assert fold("ÉCOLE") == fold("école") == "ecole"
    assert fold("STRASSE") == fold("Straße")
    assert fold("l\u00b7l") == "ll"
