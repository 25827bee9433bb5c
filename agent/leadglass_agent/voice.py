"""The voice of both programs: one line of what is wrong, one of what to do, and an exit code that scripts can read."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from leadglass_agent import __version__

NO, USAGE, COULD_NOT = 1, 2, 3


def fail(program: str, problem: str, hint: str = "", code: int = COULD_NOT) -> NoReturn:
    """Say what is wrong and how to mend it on stderr, and end the program."""
    sys.stderr.write(f"{program}: error: {problem}\n")
    if hint:
        sys.stderr.write(f"{program}: hint: {hint}\n")
    raise SystemExit(code)


class Speaking(TyperGroup):
    """A program that says in this voice, too, that it did not understand what was typed."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the signature is typer's
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - likewise
        **extra: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - likewise
        """Run the program, and end it unless `standalone_mode` is off."""
        given = (args, prog_name, complete_var, False, windows_expand_args)
        if not standalone_mode:
            return super().main(*given, **extra)
        try:
            code = super().main(*given, **extra)
        except TyperException as error:
            if not error.format_message():  # nothing was typed, and help was the answer
                raise SystemExit(USAGE) from None
            context = getattr(error, "ctx", None)
            words = context.command_path if context is not None else self.name
            fail(self.name or "", _sentence(error.format_message()), f"`{words} --help` says what it takes", USAGE)
        except typer.Abort:
            fail(self.name or "", "stopped", code=NO)
        raise SystemExit(code if isinstance(code, int) else 0)


def _sentence(text: str) -> str:
    """Return a message as the tools say theirs: in one line, in lower case, without its full stop."""
    line = " ".join(text.split()).removesuffix(".")
    return line[:1].lower() + line[1:]


def _version(context: typer.Context, asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        sys.stdout.write(f"{context.info_name} {__version__}\n")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and exit.")
]
