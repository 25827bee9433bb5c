"""`leadglass demo`: the switch and the exit code; tests/system/test_demo.py runs the tour."""

import pytest
from typer.testing import CliRunner

from leadglass.cli.main import app
from leadglass.demo import tour


@pytest.mark.parametrize(("arguments", "keep"), [([], True), (["--keep"], True), (["--no-keep"], False)])
@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_is_the_tours(
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    keep: bool,  # noqa: FBT001 - a column of the table
    code: int,
) -> None:
    asked: list[bool] = []

    def run(*, keep: bool) -> int:
        asked.append(keep)
        return code

    monkeypatch.setattr(tour, "run", run)
    result = CliRunner().invoke(app, ["demo", *arguments])
    assert result.exit_code == code
    assert asked == [keep]
