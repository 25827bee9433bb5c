"""Pseudonyms: the same in any process, of its own for each kind and key, and of the form that DICOM wants."""

import hashlib
import hmac
import subprocess
import sys
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.uid import is_uid
from leadglass.hazmat.mac import new_key
from leadglass.hazmat.pseudonym import Pseudonymiser, is_made

KEY = bytes(range(32))
MAKER = Pseudonymiser(KEY)
ORDINARY = [
    "1.2.3", "2.25.", "2.25.0", "2.25.1", "2.25.018446744073709551616", "2.25.x", "2.25.٣" * 12, "",
    "2.25.329800735698586629295641978511506172918",  # PS3.5 B.2's own example, a UUID of version 4
    f"2.25.{uuid.UUID(int=(1 << 128) - 1).int}",
    f"2.25.{(1 << 128) + (0x8 << 76) + (0x2 << 62)}",
]  # fmt: skip


def test_a_uid_is_the_one_that_other_code_makes() -> None:
    """Written down: what is made today opens what was made by the first release."""
    message = b"leadglass-pseudonym-v1\0" + b"\0\0\0\x03uid" + b"\0\0\0\x051.2.3"
    digest = bytearray(hmac.new(KEY, message, hashlib.sha256).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    assert MAKER.uid("1.2.3") == f"2.25.{int.from_bytes(digest, 'big')}"
    assert MAKER.uid("1.2.3") == "2.25.117570278973537996769800693687333333133"
    assert MAKER.name("patient-id", "hospital", "4711") == "Z6XVEGA1KM8E6K8T"
    assert MAKER.days(365, "hospital", "4711") == -307


def test_another_process_makes_the_same() -> None:
    code = (
        "from leadglass.hazmat.pseudonym import Pseudonymiser as P; p = P(bytes(range(32)));"
        "print(p.uid('1.2.3'), p.name('patient-id', 'a', 'b'), p.days(30, 'a', 'b'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        MAKER.uid("1.2.3"),
        MAKER.name("patient-id", "a", "b"),
        str(MAKER.days(30, "a", "b")),
    ]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=70))
def test_each_is_a_uid_made_of_a_uuid_and_known_as_made(text: str) -> None:
    made = MAKER.uid(text)
    assert is_uid(made)
    assert is_made(made)
    found = uuid.UUID(int=int(made.removeprefix("2.25.")))
    assert (found.version, found.variant) == (8, uuid.RFC_4122)


@pytest.mark.parametrize("uid", ORDINARY)
def test_what_others_made_is_not_taken_for_one(uid: str) -> None:
    assert not is_made(uid)


def test_key_kind_and_the_bounds_between_parts_count() -> None:
    made = {
        MAKER.name("patient-id", "a", "bc"),
        MAKER.name("patient-id", "ab", "c"),
        MAKER.name("patient-id", "abc"),
        MAKER.name("accession-number", "abc"),
        Pseudonymiser(new_key()).name("patient-id", "abc"),
    }
    assert len(made) == 5
    assert all(len(name) == 16 and name.isalnum() and name.isupper() for name in made)


def test_a_shift_is_never_nothing_and_each_is_drawn() -> None:
    drawn = [MAKER.days(3, "", str(number)) for number in range(2000)]
    assert set(drawn) == {-3, -2, -1, 1, 2, 3}
    assert min(drawn.count(days) for days in set(drawn)) > 250
    assert {MAKER.days(1, "", str(number)) for number in range(20)} == {-1, 1}
    for largest in (0, -1):
        with pytest.raises(ValueError, match="none"):
            MAKER.days(largest, "a")


@pytest.mark.parametrize("kind", ["", "UID", "a b", "-a", "a" * 33])
def test_a_kind_is_a_name(kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        MAKER.name(kind, "text")


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_has_32_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonymiser(key)
