from leadglass.deid.refused import unreadable
from leadglass.model.reasons import Code


def test_what_was_wrong_is_for_the_record_alone() -> None:
    refusal = unreadable("odd length")
    assert refusal.causes[0].reason.code == Code.DEID_UNREADABLE
    assert (refusal.detail, dict(refusal.causes[0].params)) == ("odd length", {})
