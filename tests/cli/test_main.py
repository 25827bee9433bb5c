"""The command line as a whole: its verbs, its help, its usage errors, and that help is quick."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from leadglass.cli.main import app

VERBS = [
    "demo",
    "serve",
    "init",
    "backup",
    "restore",
    "config",
    "deid",
    "project",
    "identity",
    "policy",
    "device",
    "revoke",
    "session",
    "emergency",
    "audit",
    "review",
    "keys",
]


def test_the_verbs_are_those_of_the_design() -> None:
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert sorted(name for name in names if name) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (["nix"], "no such command 'nix'", "leadglass --help"),
        (["serve", "--nix"], "no such option: --nix", "leadglass serve --help"),
        (["config", "check", "a"], "got unexpected extra argument", "leadglass config check --help"),
        (["demo", "--keep=x"], "--keep", "leadglass"),
        (["device", "code"], "missing option '--owner'", "leadglass device code --help"),
        (["audit", "tail", "-n", "x"], "invalid value for '-n' / '--lines'", "leadglass audit tail --help"),
    ],
)
def test_a_usage_error_is_code_2_and_said_in_the_voice_of_the_tools(
    arguments: list[str], problem: str, hint: str
) -> None:
    result = CliRunner().invoke(app, arguments)
    first, second = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert first.startswith("leadglass: error: ")
    assert problem in first
    assert second.startswith(f"leadglass: hint: `{hint}")


@pytest.mark.parametrize("arguments", [[], ["audit"]])
def test_a_group_without_a_verb_shows_what_there_is_and_is_code_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Commands" in result.output
    assert "error" not in result.output


def test_the_version_is_that_of_the_distribution() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"leadglass {version('leadglass')}\n")


def test_help_loads_neither_the_store_nor_the_door() -> None:
    script = (
        "import sys; sys.argv = ['leadglass', '--help']\n"
        "from leadglass.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('uvloop', 'sqlalchemy', 'pydicom', 'aiohttp.web') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
