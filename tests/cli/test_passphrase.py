"""A passphrase is the first line of a file, and never on the command line."""

from pathlib import Path

import pytest
import typer

from leadglass.cli.passphrase import passphrase


@pytest.mark.parametrize(("text", "found"), [("a b c\nmore\n", "a b c"), ("x", "x"), ("", ""), ("a\r\nb", "a")])
def test_it_is_the_first_line(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "p").write_text(text)
    assert passphrase(tmp_path / "p", confirm=True) == found


def test_a_file_that_cannot_be_read_ends_the_program(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xff\xfe")
    for file in (tmp_path / "p", tmp_path / "none"):
        with pytest.raises((SystemExit, typer.Exit)):
            passphrase(file, confirm=False)


def test_without_a_terminal_there_must_be_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, typer.Exit)):
        passphrase(None, confirm=False)
    assert "--passphrase-file" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "said"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, *, said: bool
) -> None:
    (tmp_path / "p").write_text("x")
    (tmp_path / "p").chmod(mode)
    assert passphrase(tmp_path / "p", confirm=False) == "x"
    assert ("others can read" in capsys.readouterr().err) == said
