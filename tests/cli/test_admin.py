from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadglass.cli import admin


def settings(folder: Path) -> Any:  # noqa: ANN401 - stands for Settings
    return SimpleNamespace(admin=SimpleNamespace(unix=folder / "admin.sock"))


def test_a_gateway_that_is_not_there_is_told_apart_from_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        admin.asked(settings(tmp_path), "GET", "/status")
    assert caught.value.code == 3
    assert "leadglass: hint: start it" in capsys.readouterr().err


def test_a_configuration_that_cannot_be_read_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        admin.settings_of(tmp_path / "absent.yaml")
    assert caught.value.code == 3
    assert "cannot read" in capsys.readouterr().err


def test_a_document_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    admin.put({"a": [1]})
    assert capsys.readouterr().out == '{\n  "a": [\n    1\n  ]\n}\n'
