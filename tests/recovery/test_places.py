"""Names in a backup: each has one place, and no name leads out of it."""

from pathlib import Path

import pytest

from support.sites import make, places


def test_every_name_has_its_place(tmp_path: Path) -> None:
    site = make(tmp_path)
    names = list(site.keys())
    assert names == [
        "session.key", "projects.key", "assertion.key", "device-ca/ca.key", "device-ca/ca.pem", "record/key", "record/pub",
    ]  # fmt: skip
    assert all(site.path(name).is_file() for name in names)
    assert site.path("record/lines.000000000007") == tmp_path / "log/decisions.jsonl.000000000007"
    assert site.draft("store").parent == site.store.parent


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "device-ca/../x", "device-ca/retired-1.pem", "record/lines.1", "record/lines.00000000000x",
     "record/lock", "record/lines.000000000007/x", "manifest.json", "store\0"],
)  # fmt: skip
def test_other_names_have_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no backup holds"):
        places(tmp_path).path(name)


def test_whether_anything_stands_is_known(tmp_path: Path) -> None:
    assert not places(tmp_path / "empty").standing()
    site = make(tmp_path / "site")
    assert site.standing()
    site.store.unlink()
    assert site.standing(), "keys alone are something"
