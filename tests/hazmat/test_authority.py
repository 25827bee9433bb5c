"""The device CA is kept, rotated and found again, whole whenever the process is killed; a spoilt one is refused."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from leadglass.hazmat.authority import following, load_or_make_authority, rotate
from leadglass.hazmat.statement import DeviceKey
from leadglass.hazmat.x509 import Outcome, make_ca
from leadglass.limits import DEVICE_CERTIFICATE_SECONDS
from leadglass.model.errors import ConfigurationError
from support import killed
from support.device import Key

NOW = 1_800_000_000.0
_, CERTIFICATE = make_ca("Leadglass device CA", NOW)
SESSION = DeviceKey(Key().jwk)


def test_the_ca_is_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "ca"
    first = load_or_make_authority(folder, NOW)
    assert load_or_make_authority(folder, NOW + 9).fingerprint == first.fingerprint
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    issued = first.issue(SESSION, "abc", NOW)
    assert load_or_make_authority(folder, NOW).judge(issued.der, NOW).outcome is Outcome.OK


def spoil_folder(folder: Path) -> None:
    folder.chmod(0o755)


def spoil_key_mode(folder: Path) -> None:
    (folder / "ca.key").chmod(0o644)


def lose_key(folder: Path) -> None:
    (folder / "ca.key").unlink()


def lose_certificate(folder: Path) -> None:
    (folder / "ca.pem").unlink()


def swap_certificate(folder: Path) -> None:
    (folder / "ca.pem").write_bytes(CERTIFICATE.public_bytes(serialization.Encoding.PEM))


def spoil_key(folder: Path) -> None:
    (folder / "ca.key").write_text("nothing")


SPOILS = (spoil_folder, spoil_key_mode, lose_key, lose_certificate, swap_certificate, spoil_key)


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_ca_is_refused_and_never_replaced(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    load_or_make_authority(tmp_path / "ca", NOW)
    spoil(tmp_path / "ca")
    with pytest.raises(ConfigurationError):
        load_or_make_authority(tmp_path / "ca", NOW)


def test_a_rotation_is_found_again_until_the_last_certificate_ended(tmp_path: Path) -> None:
    authority = load_or_make_authority(tmp_path, NOW)
    old = authority.issue(SESSION, "abc", NOW)
    first = authority.fingerprint
    rotate(authority, following(NOW), NOW)
    rotate(authority, following(NOW), NOW)
    assert authority.fingerprint != first
    again = load_or_make_authority(tmp_path, NOW + DEVICE_CERTIFICATE_SECONDS - 1)
    assert again.fingerprint == authority.fingerprint
    assert again.judge(old.der, NOW).outcome is Outcome.OK
    assert len(again.jwks(NOW)) == 3
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("retired-")} == {"ca.key", "ca.pem"}
    last = load_or_make_authority(tmp_path, NOW + DEVICE_CERTIFICATE_SECONDS + 1)
    assert last.judge(old.der, NOW).outcome is Outcome.NOT_OURS
    assert {path.name for path in tmp_path.iterdir()} == {"ca.key", "ca.pem"}


def test_no_key_of_a_ca_before_is_kept(tmp_path: Path) -> None:
    authority = load_or_make_authority(tmp_path, NOW)
    before = (tmp_path / "ca.key").read_bytes()
    rotate(authority, following(NOW), NOW)
    assert all(before not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_retired_one_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    load_or_make_authority(tmp_path, NOW)
    (tmp_path / "retired-1900000000.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_or_make_authority(tmp_path, NOW)


def test_killed_at_any_step_it_is_whole_and_what_was_issued_is_good(tmp_path: Path) -> None:
    runs = killed.folders(tmp_path, "support.rotations:make_ca", "support.rotations:rotate_ca")
    turned = []
    for folder in runs:
        before = (folder / "before").read_bytes()
        authority = load_or_make_authority(folder / "ca", NOW)
        turned.append(authority.der != before)
        if (folder / "issued").exists():
            assert authority.judge((folder / "issued").read_bytes(), NOW).outcome is Outcome.OK
        left = {path.name for path in (folder / "ca").iterdir() if not path.name.startswith((".", "retired-"))}
        assert left == {"ca.key", "ca.pem"}
    assert turned == sorted(turned)
    assert (turned[0], turned[-1]) == (False, True)
