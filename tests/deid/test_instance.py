from leadglass.deid.instance import Header


def test_what_a_file_does_not_say_is_absent() -> None:
    header = Header("1.2.840.10008.1.2.1")
    assert (header.rows, header.modality, header.frames) == (None, "", 1)
