import pytest

from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import NO_MEANS, Means
from leadglass.obligations.plan import Plan
from support.matches import code, decided
from support.views import asking

VIEW = Obligation("deidentify", {"project": "lung", "profile": "basic"})


@pytest.mark.parametrize(
    ("target", "means", "said"),
    [
        ("/dicom-web/studies/1.2.3/rendered3d", Means({"basic": None}), Code.VIEW_REFUSED),
        ("/dicom-web/studies/1.2.3/metadata", NO_MEANS, Code.PROJECT_UNKNOWN),
    ],
)
def test_what_no_view_has(target: str, means: Means, said: Code) -> None:
    occasion = asking(target, means=means)
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(VIEW), occasion.match, lambda: occasion)
    assert code(caught) == said
