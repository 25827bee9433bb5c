"""`leadglass identity`: what the gateway makes of a token."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leadglass.cli.voice import Exit, fail, spoken
from leadglass.clock import SystemClock
from leadglass.config.load import load
from leadglass.epochs import Epochs
from leadglass.identity.identity import Identity, Step
from leadglass.identity.settings import IdentitySettings
from leadglass.limits import TOKEN_BYTES
from leadglass.model.facts import Subject

app = typer.Typer(help="Who people are: issuers and their tokens.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Who people are: issuers and their tokens."""


async def examine(settings: IdentitySettings, token: str) -> tuple[list[Step], Subject | None]:
    """Judge a token as the gateway would: the steps it took, and the subject when it passed them all."""
    identity = Identity(settings, clock=SystemClock(), epochs=Epochs())
    try:
        return await identity.explain(token)
    finally:
        await identity.close()


def _document(steps: list[Step], subject: Subject | None) -> dict[str, object]:
    return {
        "accepted": subject is not None,
        "steps": [{"name": step.name, "ok": step.ok, "detail": step.detail} for step in steps],
        "subject": None if subject is None else subject.document,
    }


def _print(steps: list[Step], subject: Subject | None) -> None:
    console = Console()
    table = Table("step", "", "detail", title="token")
    for step in steps:
        table.add_row(step.name, "[green]yes[/]" if step.ok else "[red]no[/]", escape(step.detail))
    console.print(table)
    if subject is not None:
        facts = Table("input.subject", "value", title="subject")
        for name, value in orjson.loads(orjson.dumps(subject.document)).items():
            facts.add_row(name, escape(orjson.dumps(value).decode()))
        console.print(facts)


@app.command()
def check(
    token: Annotated[str, typer.Argument(help="The token, or - to read it from standard input.")],
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")] = Path("leadglass.yaml"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Say why a token is refused, or what it maps to. Exit code 1 when it is refused."""
    with spoken():
        settings = load(config)
    if token == "-":  # noqa: S105 - the sign for standard input
        token = sys.stdin.read(TOKEN_BYTES + 1).strip()
    if token[:7].lower() == "bearer ":
        token = token[7:]
    steps, subject = asyncio.run(examine(settings.identity, token))
    if as_json:
        sys.stdout.write(orjson.dumps(_document(steps, subject), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(steps, subject)
    if subject is None:
        fail(f"refused at {steps[-1].name}: {steps[-1].detail}", _HINTS.get(steps[-1].name, ""), Exit.NO)


_HINTS = {
    "form": "it must be a compact JWS signed with an asymmetric algorithm, with a typ in its header",
    "issuer": "list its iss under identity.issuers, character by character",
    "keys": "check identity.issuers[].jwks and that the gateway can reach it",
    "signature": "compare typ with identity.issuers[].token_type, and kid with the keys the issuer publishes",
    "times": "get a new token; if it is new, check the clocks",
    "purpose": "ask for an access token whose aud holds identity.issuers[].audience",
    "subject": "check identity.issuers[].claims against the claims of the token",
}
