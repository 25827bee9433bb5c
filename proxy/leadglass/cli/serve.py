"""`leadglass serve`: the gateway."""

from pathlib import Path
from typing import Annotated

import typer

from leadglass.cli.voice import fail, spoken
from leadglass.model.errors import Refusal

ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")]


def serve(config: ConfigOption = Path("leadglass.yaml")) -> None:
    """Run the gateway until SIGTERM or SIGINT. SIGHUP reloads configuration, policy and certificate."""
    import uvloop  # late: `--help` needs none of these

    from leadglass import process
    from leadglass.telemetry.log import configure

    configure()
    try:
        with spoken():
            uvloop.run(process.serve(config))
    except Refusal as refusal:  # of the store or the record, before anybody is served
        fail(f"it cannot start: {refusal}: {refusal.detail}", "see `leadglass config check`, and the log")
