"""A bar is for terminals: elsewhere nothing is printed."""

import pytest

from leadglass.cli.bar import bar


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("copying", 10) as progress:
        progress(4)
        progress(6)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_how_far_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with bar("copying", 10) as progress:
        progress(10)
    assert "copying" in capsys.readouterr().err
