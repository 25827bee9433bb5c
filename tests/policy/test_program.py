from pathlib import Path

import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import program


def test_files_are_laid_out_and_gone_afterwards() -> None:
    with program.laid_out({"a/b.rego": b"x"}, {"c.json": b"{}"}) as folder:
        assert (folder / "a/b.rego").read_bytes() == b"x"
        assert (folder / "c.json").exists()
    assert not folder.exists()


def test_without_the_program_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert program.find() is None
    with pytest.raises(ConfigurationError, match="not installed") as error:
        program.run(["version"], tmp_path)
    assert ".tools/bin/opa" in error.value.hint


def test_the_tools_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    tool = tmp_path / ".tools/bin/opa"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho Version: 9.9.9\nexit 0\n")
    tool.chmod(0o755)
    assert program.find() == tool
    assert program.version() == "9.9.9"


@pytest.mark.system
def test_the_real_program_answers() -> None:
    assert program.version().startswith("1.")
