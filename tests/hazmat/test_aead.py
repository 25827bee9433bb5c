"""Sealed values open under their key, at their place, and not otherwise."""

from pathlib import Path

import pytest

from leadglass.hazmat.aead import Box, Unsealable, load_or_make_box
from leadglass.hazmat.mac import new_key
from leadglass.model.errors import ConfigurationError


def test_what_is_sealed_opens_again() -> None:
    box = Box(new_key())
    assert box.open(box.seal(b"text", b"here"), b"here") == b"text"
    assert box.seal(b"text", b"here") != box.seal(b"text", b"here")


def test_another_place_key_or_byte_does_not() -> None:
    box = Box(new_key())
    sealed = box.seal(b"text", b"here")
    for other, value, place in [
        (box, sealed, b"there"),
        (Box(new_key()), sealed, b"here"),
        *((box, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], b"here") for at in range(len(sealed))),
        *((box, sealed[:length], b"here") for length in range(len(sealed))),
    ]:
        with pytest.raises(Unsealable):
            other.open(value, place)


def test_a_key_has_its_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Box(b"short")


def test_the_key_file_is_private_and_made_once(tmp_path: Path) -> None:
    file = tmp_path / "session.key"
    sealed = load_or_make_box(file).seal(b"text", b"")
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_or_make_box(file).open(sealed, b"") == b"text"


def test_a_key_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "session.key"
    file.write_bytes(b"short")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is no key"):
        load_or_make_box(file)
    file.write_bytes(new_key())
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        load_or_make_box(file)
    with pytest.raises(ConfigurationError, match="cannot use"):
        load_or_make_box(tmp_path / "absent" / "session.key")


def test_a_key_that_was_rotated_opens_until_it_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    box = load_or_make_box(file)
    old = box.seal(b"text", b"here")
    assert not box.rotating
    box.rotate(file)
    new = box.seal(b"text", b"here")
    for found in (box, load_or_make_box(file)):  # also after a restart
        assert found.rotating
        assert found.open(old, b"here") == found.open(new, b"here") == b"text"
    box.forget(file)
    for found in (box, load_or_make_box(file)):
        assert not found.rotating
        assert found.open(new, b"here") == b"text"
        with pytest.raises(Unsealable):
            found.open(old, b"here")
    assert file.stat().st_size == 32


def test_a_box_has_a_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Box()
