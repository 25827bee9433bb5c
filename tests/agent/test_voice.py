"""What is typed and not understood is said in the voice of the tools; what a verb says of itself passes through."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from leadglass_agent import __version__
from leadglass_agent.voice import Speaking, VersionOption, fail

app = typer.Typer(name="tool", cls=Speaking, no_args_is_help=True)


@app.callback()
def _program(*, version: VersionOption = False) -> None:
    """Take the options of the program itself."""


@app.command()
def verb(kind: str, *, size: Annotated[int, typer.Option()] = 1) -> None:
    """Do what `kind` says."""
    if kind == "refused":
        fail("tool", "it is refused", "ask", 1)
    if kind == "abort":
        raise typer.Abort
    if kind == "exit":
        raise typer.Exit(size)


USAGE = {
    "no-such-verb": (["nix"], "no such command 'nix'", "tool --help"),
    "no-such-option": (["verb", "x", "--nix"], "no such option: --nix", "tool verb --help"),
    "missing": (["verb"], "missing argument 'KIND'", "tool verb --help"),
    "not-a-number": (["verb", "x", "--size", "a"], "invalid value for '--size'", "tool verb --help"),
}


@pytest.mark.parametrize(("words", "problem", "hint"), USAGE.values(), ids=USAGE.keys())
def test_what_is_not_understood_is_one_line_and_a_hint(words: list[str], problem: str, hint: str) -> None:
    result = CliRunner().invoke(app, words)
    first, second = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert first.startswith("tool: error: ")
    assert problem.lower() in first.lower()
    assert second == f"tool: hint: `{hint}` says what it takes"


def test_a_program_without_a_verb_shows_its_help() -> None:
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "Do what `kind` says" in result.output
    assert "error" not in result.output


def test_what_a_verb_says_of_itself_stays() -> None:
    result = CliRunner().invoke(app, ["verb", "refused"])
    assert (result.exit_code, result.stderr) == (1, "tool: error: it is refused\ntool: hint: ask\n")


@pytest.mark.parametrize(("words", "code"), [(["verb", "x"], 0), (["verb", "exit", "--size", "3"], 3)])
def test_exit_codes_pass_through(words: list[str], code: int) -> None:
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.output) == (code, "")


def test_a_question_that_is_broken_off_is_a_no() -> None:
    result = CliRunner().invoke(app, ["verb", "abort"])
    assert (result.exit_code, result.stderr) == (1, "tool: error: stopped\n")


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"tool {__version__}\n"
