from leadglass.model.reason import Disclose, Reason


def test_a_reason_is_told_to_the_person_unless_it_says_otherwise() -> None:
    assert Reason("code", 403, "Title", "Sentence.", "Fix.").disclose is Disclose.SUBJECT
