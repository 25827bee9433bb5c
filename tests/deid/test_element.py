from leadglass.deid.element import Element


def test_an_attribute_has_values_or_items() -> None:
    code = (Element(0x00080100, "SH", ("A",)),)
    assert Element(0x00080082, "SQ", items=(code,)).values == ()
    assert Element(0x00080100, "SH", ("A",)).items == ()
