import re

from leadglass.model.codes import Code
from leadglass.model.reasons import REASONS


def test_every_code_is_a_name_of_one_spelling_and_has_its_reason() -> None:
    assert all(code.value == code.name.lower().replace("_", "-") for code in Code)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in Code)
    assert set(REASONS) == set(Code)
