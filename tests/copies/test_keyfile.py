from pathlib import Path

import pytest

from leadglass.copies.keyfile import key_in
from leadglass.model.errors import ConfigurationError


def test_a_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    file = tmp_path / "k"
    key, made = key_in(file, make=True)
    assert (len(key), made) == (32, True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_in(file, make=True) == (key, False)
    assert key_in(file, make=False) == (key, False)


def test_a_key_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no") as caught:
        key_in(tmp_path / "k", make=False)
    assert "the key that made these copies" in caught.value.hint
    assert not (tmp_path / "k").exists()


@pytest.mark.parametrize("text", ["", "abc", "z" * 64, "a" * 62])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no key"):
        key_in(file, make=True)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "k"
    key_in(file, make=True)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        key_in(file, make=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        key_in(tmp_path / "no/k", make=True)
