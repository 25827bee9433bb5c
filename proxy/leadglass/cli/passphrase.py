"""Where a passphrase comes from: a file, or the terminal. Never the command line, which every user of a machine sees."""

import os
import stat
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from leadglass.cli.voice import Exit, fail

_CHARS: Final = 4096

PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line is the passphrase; else it is asked for."),
]


def passphrase(file: Path | None, *, confirm: bool) -> str:
    """Return the passphrase; ends the program when there is none to be had."""
    if file is None and not sys.stdin.isatty():
        fail("there is no terminal to ask for the passphrase on", "give --passphrase-file", Exit.USAGE)
    if file is None:
        return str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm))
    try:
        with file.open(encoding="utf-8") as stream:
            if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                sys.stderr.write(f"leadglass: warning: others can read {file}\n")
            return stream.readline(_CHARS).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read {file}: {type(error).__name__}", "a text file with the passphrase in its first line")
