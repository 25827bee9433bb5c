from leadglass.deid.headers import header_of


def test_a_row_tells_what_a_file_would() -> None:
    header = header_of({
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00080008": {"vr": "CS", "Value": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        "00080060": {"vr": "CS", "Value": ["CT "]},
        "00280010": {"vr": "US", "Value": [512]},
        "00280008": {"vr": "IS", "Value": ["3"]},
        "00280301": {"vr": "CS", "Value": ["YES"]},
    })  # fmt: skip
    assert header.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert header.image_type == "DERIVED\\SECONDARY\\SCREEN SAVE"
    assert (header.modality, header.rows, header.columns, header.frames) == ("CT", 512, None, 3)
    assert (header.burned_in, header.transfer_syntax) == ("YES", "")


def test_what_has_not_its_form_is_not_told() -> None:
    header = header_of(
        {"00280010": {"vr": "US", "Value": ["many"]}, "00080060": {"vr": "CS", "Value": [{}]}, "00280008": 7}
    )
    assert (header.rows, header.modality, header.frames) == (None, "", 1)
