import pytest

from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.plan import Plan
from support.matches import code, decided
from support.views import asking

VIEW = Obligation("deidentify", {"project": "lung", "profile": "basic"})
STUDY = "/dicom-web/studies/1.2.3"


def plan(occasion: Occasion) -> Plan:
    return Plan.of(decided(VIEW), occasion.match, lambda: occasion)


@pytest.mark.parametrize(
    ("target", "method", "accept", "said"),
    [
        (f"{STUDY}/rendered3d", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/pixeldata", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/bulkdata", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/series/1.2/instances/1.3/bulkdata/7FE00010", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/series/1.2/instances/1.3/rendered?annotation=patient", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/series/1.2/instances/1.3/rendered?annotation=technique", "GET", None, Code.VIEW_REFUSED),
        (f"{STUDY}/series/1.2/instances/1.3/rendered", "GET", "text/html", Code.NOT_ACCEPTABLE),
        (f"{STUDY}/series/1.2/instances/1.3/rendered", "GET", "image/gif", Code.NOT_ACCEPTABLE),
        (f"{STUDY}/metadata", "GET", None, Code.PROJECT_UNKNOWN),  # there are no projects here
    ],
)
def test_what_no_view_has(target: str, method: str, accept: str | None, said: Code) -> None:
    with pytest.raises(Refusal) as caught:
        plan(asking(target, method=method, accept=accept))
    assert code(caught) == said
