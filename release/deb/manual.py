"""The manual page of `leadglass-agent`, from the program's own help."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import typer.main

from leadglass_agent import __version__
from leadglass_agent.cli import app


def page(when: datetime) -> str:
    """Return the page in man(7)'s language."""
    program = typer.main.get_command(app)
    return "".join(f"{line}\n" for line in _lines(program, when))


def _lines(program: Any, when: datetime) -> Iterator[str]:  # noqa: ANN401 - click's
    yield f'.TH LEADGLASS\\-AGENT 1 "{when:%Y-%m-%d}" "Leadglass {__version__}" "User Commands"'
    summary, *more = program.help.split("\n\n")
    yield from (".SH NAME", f"leadglass\\-agent \\- {_escaped(summary[0].lower() + summary[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B leadglass\\-agent", "\\fIVERB\\fR [\\fIOPTION\\fR...]", ".SH DESCRIPTION")
    for paragraph in more:
        yield from (".PP", _escaped(paragraph))
    yield ".SH VERBS"
    for name, command in program.commands.items():
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", _escaped(" ".join(command.help.split())))
        yield ".RS"
        for option in command.params:
            if option.name != "help":
                yield from (
                    ".TP",
                    f"\\fB{_escaped(', '.join(option.opts))}\\fR",
                    _escaped(getattr(option, "help", None) or ""),
                )
        yield ".RE"
    yield from (".SH FILES", ".TP", ".I /var/lib/leadglass\\-agent", "The device's key, its state, and agent.toml.")


def _escaped(text: str) -> str:
    """Return text as man(7) shows it as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{plain}" if plain[:1] in {".", "'"} else plain
