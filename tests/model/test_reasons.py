"""The closed list of reasons: each has all that follows from it."""

import re
import string

import pytest

from leadglass.model.reasons import REASONS, Code, Disclose, Reason


def test_every_code_has_its_reason_and_no_other() -> None:
    assert set(REASONS) == set(Code)


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: str(reason.code))
def test_a_reason_is_whole(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.code)
    assert 400 <= reason.status <= 599
    assert reason.title
    assert reason.sentence.endswith(".")
    assert reason.fix.endswith((".", ")."))


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: str(reason.code))
def test_a_sentence_names_nothing_but_plain_parameters(reason: Reason) -> None:
    for text in (reason.sentence, reason.fix):
        for _, name, spec, conversion in string.Formatter().parse(text):
            assert name is None or name.isidentifier()
            assert not spec
            assert not conversion


def test_what_comes_from_facts_of_a_study_is_for_the_log_alone() -> None:
    hidden = {code for code, reason in REASONS.items() if reason.disclose is Disclose.LOG}
    assert {Code.STUDY_AMBIGUOUS, Code.PATIENT_CONFLICT} <= hidden
    assert REASONS[Code.STUDY_NOT_VISIBLE].status == 404
    assert REASONS[Code.STUDY_NOT_VISIBLE].disclose is Disclose.SUBJECT


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        REASONS["x"] = REASONS[Code.NOT_GRANTED]  # type: ignore[index]  # that is the point
