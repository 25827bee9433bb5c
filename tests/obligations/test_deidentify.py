import pytest

from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.plan import Plan
from support.matches import code, decided
from support.views import asking

VIEW = Obligation("deidentify", {"project": "lung", "profile": "basic"})


@pytest.mark.parametrize(
    ("target", "method", "said"),
    [
        ("/dicom-web/studies/1.2.3/series/1.2/rendered3d", "GET", Code.VIEW_REFUSED),
    ],
)
def test_what_no_view_has(target: str, method: str, said: Code) -> None:
    occasion = asking(target, method=method)
    with pytest.raises(Refusal) as caught:
        Plan.of(decided(VIEW), occasion.match, lambda: occasion)
    assert code(caught) == said
