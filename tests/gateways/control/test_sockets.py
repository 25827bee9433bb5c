"""Unix sockets are private from the first moment, and replace only what is dead."""

import os
import socket
import stat
from pathlib import Path

import pytest

from leadglass.gateways.control.sockets import bind
from leadglass.model.errors import ConfigurationError


def test_socket_and_folder_are_for_the_gateway_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "control.sock"
    before = os.umask(0)
    try:
        with bind(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert os.umask(0) == 0  # bind puts the umask back
    finally:
        os.umask(before)


def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    bind(path).close()
    assert path.exists()
    with bind(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with bind(path), pytest.raises(ConfigurationError, match="another process") as caught:
        bind(path)
    assert "running already" in caught.value.hint


def test_a_file_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="not a socket"):
        bind(path)
    assert path.read_text() == "precious"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "control.sock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="not a socket"):
        bind(tmp_path / "control.sock")


@pytest.mark.parametrize("name", ["x" * 120, "file/control.sock"], ids=["too long", "below a file"])
def test_impossible_paths_are_said_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError):
        bind(tmp_path / name)
