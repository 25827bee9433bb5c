import pytest
from pydantic import ValidationError

from leadglass.obligations.plan import TREATMENTS
from leadglass.obligations.treatment import Params, Treatment, Verdict


def test_what_was_not_judged_is_hidden() -> None:
    verdict = Verdict({"1.1": "shown", "1.2": "listed"})
    assert [verdict.of(uid) for uid in ("1.1", "1.2", "1.3")] == ["shown", "listed", "hidden"]


def test_parameters_are_strict() -> None:
    for kind in TREATMENTS.values():
        with pytest.raises(ValidationError):
            kind.schema.model_validate({"what": "the rule meant"})


@pytest.mark.parametrize("kind", TREATMENTS.values(), ids=TREATMENTS)
def test_every_obligation_is_whole(kind: type[Treatment]) -> None:
    assert kind.name == next(name for name, known in TREATMENTS.items() if known is kind)
    assert issubclass(kind.schema, Params)
    assert kind(kind.schema.model_construct()).describe().endswith(".")
    assert kind.fits is not Treatment.fits
