import pytest

from leadglass.deid.nesting import Rest
from support.deid import refused, rewritten
from support.part10files import SEQUENCE_END, UNDEFINED, dataset, element, file, item

INNER = element(0x00080100, "SH", b"1234")


def test_a_value_is_passed_on_or_stepped_over() -> None:
    out: list[bytes] = []
    for rest in (Rest(3, out.append), Rest(3, None)):
        assert rest.take(b"xab", 1) == 2
        assert not rest.done
        assert rest.take(b"cde", 0) == 1
        assert rest.done
    assert out == [b"ab", b"c"]


@pytest.mark.parametrize("cut", range(1, 30))
def test_what_ends_early_is_refused(cut: int) -> None:
    data = file(dataset() + element(0x00400260, "SQ", item(INNER), UNDEFINED) + SEQUENCE_END)
    assert rewritten(data)
    assert refused(data[:-cut]) == "the file ends within an element"


def test_what_is_in_a_sequence_ends_with_it() -> None:
    lying = element(0x00400260, "SQ", item(INNER, 40) + INNER)
    assert "longer than the sequence" in refused(file(dataset() + lying + INNER * 3))
