import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.uid import check_uid, is_uid
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

GOOD = ["1.2", "0", "1.2.840.10008.1.2", "0.0", "1." + "9" * 62, "2.25.329800735698586629295641978511506172918"]
BAD = [
    "",
    ".",
    "1.",
    ".1",
    "1..2",
    "01.2",
    "1.02",
    "1.2.00",
    "1.2a",
    "1.2 ",
    " 1.2",
    "1.2\n",
    "1.2\x00",
    "1.2,1.3",
    "1.2\\1.3",
    "1.-2",
    "1.+2",
    "1." + "9" * 63,
    "\u0661.2",
    "1.\uff12",
    "*",
]


@pytest.mark.parametrize("uid", GOOD)
def test_a_valid_uid_passes_unchanged(uid: str) -> None:
    assert is_uid(uid)
    assert check_uid(uid) == uid


@pytest.mark.parametrize("uid", BAD)
def test_anything_else_is_refused(uid: str) -> None:
    assert not is_uid(uid)
    with pytest.raises(Refusal) as caught:
        check_uid(uid)
    assert caught.value.causes[0].reason.code == Code.UID_MALFORMED


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.", max_size=70))
def test_the_check_says_what_the_standard_says(text: str) -> None:
    parts = text.split(".")
    expected = 0 < len(text) <= 64 and all(p and (p == "0" or p[0] != "0") for p in parts)
    assert is_uid(text) == expected
