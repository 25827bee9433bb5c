"""What is listed, what is not, and that a listed file is opened as itself or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.limits import STATIC_DEPTH
from leadglass.model.errors import ConfigurationError
from leadglass.static import folder
from leadglass.static.folder import Changed, check, listing, open_listed, read_whole


@pytest.fixture
def viewer(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    (root / "assets/deep").mkdir(parents=True)
    (root / "index.html").write_text("<head></head>")
    (root / "assets/deep/icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/more.txt").write_text("secret")
    return root


def test_plain_files_are_listed_by_their_path(viewer: Path) -> None:
    assert sorted(listing(viewer)) == ["assets/deep/icon.svg", "index.html"]


def test_nothing_else_is_listed(viewer: Path, tmp_path: Path) -> None:
    for name in (".env", ".git", "a b.js", "ü.js", "a%2e.js", "a..b", "a;b", "end."):
        (viewer / name).write_text("no")
    (viewer / "linked.txt").symlink_to(tmp_path / "secret.txt")
    (viewer / "linked").symlink_to(tmp_path / "outside")
    (viewer / "up").symlink_to(tmp_path)
    (viewer / "loop").symlink_to(viewer)
    (viewer / "dangling").symlink_to(viewer / "nothing")
    os.mkfifo(viewer / "pipe")
    assert sorted(listing(viewer)) == ["assets/deep/icon.svg", "index.html"]


def test_a_folder_beside_with_the_same_beginning_is_outside(viewer: Path, tmp_path: Path) -> None:
    (tmp_path / "dist-other").mkdir()
    (tmp_path / "dist-other/x.txt").write_text("secret")
    (viewer / "x.txt").symlink_to(tmp_path / "dist-other/x.txt")
    assert "x.txt" not in listing(viewer)


def test_links_within_are_followed_as_kubernetes_makes_them(viewer: Path) -> None:
    (viewer / "..2026").mkdir()
    (viewer / "..2026/app.js").write_text("1")
    (viewer / "app.js").symlink_to(viewer / "..2026/app.js")
    assert read_whole(listing(viewer)["app.js"]) == b"1"


def test_the_folder_itself_may_be_a_link(viewer: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(viewer)
    assert "index.html" in listing(tmp_path / "current")


def test_what_is_no_viewer_is_said(viewer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*nowhere: No such file"):
        listing(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match=r"holds no index.html"):
        listing(tmp_path / "outside")
    monkeypatch.setattr(folder, "STATIC_FILES", 1)
    with pytest.raises(ConfigurationError, match="more than 1 files"):
        listing(viewer)


def test_depth_is_bounded(viewer: Path) -> None:
    deep = viewer.joinpath(*["d"] * (STATIC_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "far.js").write_text("1")
    (deep.parent / "near.js").write_text("1")
    names = [name.rpartition("/")[2] for name in listing(viewer)]
    assert "near.js" in names
    assert "far.js" not in names


def _grown(file: Path) -> None:
    file.write_text("<head></head>more")


def _of_the_same_size(file: Path) -> None:
    file.write_text("<HEAD></HEAD>")
    os.utime(file, (1, 1))


def _another(file: Path) -> None:
    file.rename(file.with_name("old"))
    file.write_text("<head></head>")


def _a_link(file: Path) -> None:
    file.rename(file.with_name("old"))
    file.symlink_to(file.with_name("old"))


def _a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


CHANGES: tuple[Callable[[Path], None], ...] = (
    _grown, _of_the_same_size, _another, _a_link, _a_pipe, _a_folder, Path.unlink,
)  # fmt: skip


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changed_is_not_opened(viewer: Path, how: Callable[[Path], None]) -> None:
    listed = listing(viewer)["index.html"]
    assert read_whole(listed) == b"<head></head>"
    how(viewer / "index.html")
    for act in (check, open_listed, read_whole):
        with pytest.raises(Changed):
            act(listed)


def test_a_folder_swapped_for_a_link_leads_nowhere(viewer: Path, tmp_path: Path) -> None:
    listed = listing(viewer)["assets/deep/icon.svg"]
    (viewer / "assets").rename(tmp_path / "old")
    (tmp_path / "outside/deep").mkdir()
    (tmp_path / "outside/deep/icon.svg").write_text("<svg/>")
    (viewer / "assets").symlink_to(tmp_path / "outside")
    with pytest.raises(Changed):
        open_listed(listed)


def test_a_validator_is_of_time_and_size(viewer: Path) -> None:
    before = listing(viewer)["index.html"].etag
    os.utime(viewer / "index.html", (5, 5))
    after = listing(viewer)["index.html"].etag
    assert before != after
    assert '"' not in after
