"""The keys of assertions: private, published before they sign and for as long as what they signed, over restarts."""

import stat
from pathlib import Path

import pytest

from leadglass.hazmat.assertion import AssertionKeys
from leadglass.hazmat.jws import Profile, parse_key_set, verify_compact
from leadglass.limits import ASSERTION_ANNOUNCED_SECONDS, ASSERTION_KEPT_SECONDS, ASSERTION_SECONDS
from leadglass.model.errors import ConfigurationError
from support.tokens import jwks

NOW = 1_800_000_000.0
PROFILE = Profile("assertion", "leadglass-assertion+jwt")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "assertion.key"


def again(file: Path) -> AssertionKeys:
    keys = AssertionKeys.load(file)
    assert keys is not None
    return keys


def kid(keys: AssertionKeys, now: float) -> str:
    """Sign, verify by what is published at that moment, and return whose signature it is."""
    published = parse_key_set(jwks(*keys.jwks(now)))
    found = verify_compact(keys.sign({"jti": "x"}, now), published, PROFILE)
    assert found.claims == {"jti": "x"}
    return str(found.key.kid)


def test_the_first_key(file: Path) -> None:
    assert AssertionKeys.load(file) is None
    first = kid(AssertionKeys.make(file, NOW), NOW)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kid(again(file), NOW) == first
    assert kid(again(file), NOW - 9e6) == first, "a clock that was set back leaves a key"
    assert "d" not in again(file).jwks(NOW)[0]


def test_a_rotation_by_time(file: Path) -> None:
    keys = AssertionKeys.make(file, NOW)
    new = keys.following(NOW)
    before, after, at = new.before, new.kid, new.since
    assert len(keys.jwks(NOW)) == 1
    new.take_place()
    assert at == NOW + ASSERTION_ANNOUNCED_SECONDS
    steps = [  # when, who signs, who is published
        (NOW, before, [before, after]),
        (at - 1, before, [before, after]),
        (at, after, [before, after]),
        (at + ASSERTION_SECONDS, after, [before, after]),
        (at + ASSERTION_KEPT_SECONDS - 1, after, [before, after]),
        (at + ASSERTION_KEPT_SECONDS, after, [after]),
    ]
    for one in (keys, again(file)):
        for now, signs, published in steps:
            assert (kid(one, now), [jwk["kid"] for jwk in one.jwks(now)]) == (signs, published), now - NOW


def test_only_one_key_is_announced(file: Path) -> None:
    keys = AssertionKeys.make(file, NOW)
    keys.following(NOW).take_place()
    with pytest.raises(ConfigurationError, match="is being rotated") as caught:
        keys.following(NOW + 1)
    assert "10 minutes" in caught.value.hint
    late = NOW + ASSERTION_ANNOUNCED_SECONDS + ASSERTION_KEPT_SECONDS
    keys.following(late).take_place()
    assert len(again(file).jwks(late)) == 2, "the first one is forgotten"
    assert file.read_text().count("BEGIN PRIVATE KEY") == 2


def test_a_key_that_was_not_announced_is_nowhere(file: Path) -> None:
    keys = AssertionKeys.make(file, NOW)
    before = file.read_bytes()
    keys.following(NOW)
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{}", "[{}]", '[{"since": 1, "key": "x"}]', "[]", "[1]", '[{"since": "x"}]'])
def test_files_that_hold_none(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match="no keys of assertions") as caught:
        AssertionKeys.load(file)
    assert "move it away" in caught.value.hint


def test_one_that_others_may_read_is_refused(file: Path) -> None:
    AssertionKeys.make(file, NOW)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        AssertionKeys.load(file)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write the key"):
        AssertionKeys.make(tmp_path / "none/assertion.key", NOW)
