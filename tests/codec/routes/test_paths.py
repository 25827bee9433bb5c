import pytest

from leadglass.codec.routes.paths import NAME, parse_attribute, parse_frames
from leadglass.limits import FRAMES_LISTED, NESTING_DEPTH
from leadglass.model.errors import Refusal


def test_frames_are_numbers_in_the_order_asked() -> None:
    assert parse_frames("1") == (1,)
    assert parse_frames("3,1,2") == (3, 1, 2)
    every = range(1, FRAMES_LISTED + 1)
    assert parse_frames(",".join(map(str, every))) == tuple(every)


@pytest.mark.parametrize("text", ["", "0", "01", "1,01", "1,1", "1-2", "+1", " 1", "1 ", "1,", "\u0661", "1" * 10])
def test_another_spelling_of_frames_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_frames(text)


def test_an_attribute_path_ends_with_an_attribute() -> None:
    assert parse_attribute(("PixelData",)) == ("7FE00010", "7FE00010")
    assert parse_attribute(("300a00b0", "2", "BeamName")) == ("300A00B0.300A00C2", "300A00B0/2/300A00C2")


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("",),
        ("300A00B0", "1"),
        ("300A00B0", "0", "300A00C2"),
        ("300A00B0", "01", "300A00C2"),
        ("300A00B0", "300A00C2", "1"),
        ("patientname",),
        ("00020010",),
        ("300A00B0", "1") * NESTING_DEPTH + ("300A00C2",),
    ],
)
def test_another_attribute_path_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(Refusal):
        parse_attribute(parts)


def test_names_in_paths_are_plain() -> None:
    assert NAME.fullmatch("ORTHANC_1.a-b")
    assert not any(map(NAME.fullmatch, ("", ".hidden", "a/b", "a b", "a" * 65)))
