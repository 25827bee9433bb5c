import pytest

from leadglass.policy.decide import _CODES
from leadglass.policy.engine import NoAnswer


def test_every_way_to_have_no_answer_has_its_reason() -> None:
    """A kind without a reason would escape as a fault."""
    assert set(NoAnswer.__subclasses__()) == set(_CODES)


@pytest.mark.parametrize("kind", NoAnswer.__subclasses__())
def test_no_answer_is_an_exception_of_its_own(kind: type[NoAnswer]) -> None:
    assert issubclass(kind, NoAnswer)
    assert not issubclass(kind, RuntimeError | ValueError)
