"""Sealed files: they open under their passphrase, and under nothing else."""

import base64

import pytest

from leadglass.hazmat import backup
from leadglass.hazmat.backup import seal, unseal

PASSPHRASE = "correct horse battery"
FILES = {"/var/a.key": b"\0\xff" * 40, "/var/b.pem": b""}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Derive keys at a cost that a table of tests can pay."""
    if "dear" not in request.node.name:
        monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})


def test_what_was_sealed_opens() -> None:
    sealed = seal(FILES, PASSPHRASE)
    assert unseal(sealed, PASSPHRASE) == FILES
    assert "a.key" not in str(sealed)


def test_every_seal_has_a_salt_and_a_nonce_of_its_own() -> None:
    first, second = seal(FILES, PASSPHRASE), seal(FILES, PASSPHRASE)
    assert all(first[name] != second[name] for name in ("salt", "nonce", "box"))


@pytest.mark.parametrize("name", ["salt", "nonce", "box"])
def test_one_bit_changed_opens_nothing(name: str) -> None:
    sealed = seal(FILES, PASSPHRASE)
    changed = bytearray(base64.b64decode(sealed[name]))
    changed[-1] ^= 1
    with pytest.raises(ValueError, match="wrong passphrase, or the file was changed"):
        unseal({**sealed, name: base64.b64encode(changed).decode()}, PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [{"format": "leadglass-keys-v2"}, {"salt": "!"}, {"nonce": ""}, {"box": ""}],
    ids=["format", "not-base64", "no-nonce", "no-box"],
)
def test_a_file_of_another_form_opens_nothing(change: dict[str, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever was found first
        unseal({**seal(FILES, PASSPHRASE), **change}, PASSPHRASE)


@pytest.mark.parametrize("missing", ["salt", "nonce", "box", "format"])
def test_a_part_that_is_missing_opens_nothing(missing: str) -> None:
    sealed = seal(FILES, PASSPHRASE)
    del sealed[missing]
    with pytest.raises(ValueError, match="wrong passphrase"):
        unseal(sealed, PASSPHRASE)


def test_a_passphrase_has_twelve_characters() -> None:
    with pytest.raises(ValueError, match="at least 12"):
        seal(FILES, "x" * 11)
    seal(FILES, "x" * 12)


def test_no_files_are_no_backup() -> None:
    with pytest.raises(ValueError, match="no keys yet"):
        seal({}, PASSPHRASE)


def test_the_dear_cost_is_the_one_that_is_used() -> None:
    sealed = seal({"a": b"b"}, PASSPHRASE)
    assert backup._COST["n"] >= 2**17
    assert unseal(sealed, PASSPHRASE) == {"a": b"b"}
