"""`leadglass config`: find out what is wrong with leadglass.yaml before the gateway does."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from leadglass.cli.voice import Exit, spoken

app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at the configuration."""


@app.command()
def check(
    config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")] = Path("leadglass.yaml"),
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Ask neither issuers nor archives.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one finding a line.")] = False,
) -> None:
    """Find every fault, with file, line and fix. Exits with 1 when there is one; warnings are none."""
    from leadglass.clock import SystemClock  # late: `--help` needs none of these
    from leadglass.config import check as checker

    with spoken():
        findings = asyncio.run(checker.check(config, SystemClock(), offline=offline))
    for finding in findings:
        if json:
            sys.stdout.write(orjson.dumps(finding).decode() + "\n")
            continue
        sys.stdout.write(f"{finding.level:8} {finding.where}: {finding.problem}\n")
        if finding.fix and finding.level != "ok":
            sys.stdout.write(f"{'':8} fix: {finding.fix}\n")
    errors = sum(finding.level == "error" for finding in findings)
    if not json:
        sys.stdout.write(f"\n{errors} faults, {sum(f.level == 'warning' for f in findings)} warnings\n")
    raise typer.Exit(Exit.NO if errors else Exit.OK)
