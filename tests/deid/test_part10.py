import pytest

from leadglass.deid.part10 import Part10Rewriter
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        Part10Rewriter(object()).feed(bytes(4096))
    assert caught.value.causes[0].reason.code == Code.DEID_UNREADABLE
