"""A rotation of the device CA in a folder, to be killed at any step of it."""

from pathlib import Path

from leadglass.hazmat.authority import following, load_or_make_authority, rotate
from leadglass.hazmat.statement import DeviceKey
from support.device import Key

NOW = 1_800_000_000.0


def make_ca(folder: Path) -> None:
    """Make a CA, and remember which."""
    (folder / "before").write_bytes(load_or_make_authority(folder / "ca", NOW).der)


def rotate_ca(folder: Path) -> None:
    """Issue a certificate and let another CA follow."""
    authority = load_or_make_authority(folder / "ca", NOW)
    (folder / "issued.part").write_bytes(authority.issue(DeviceKey(Key().jwk), "abc", NOW).der)
    (folder / "issued.part").rename(folder / "issued")
    rotate(authority, following(NOW), NOW)
