"""`leadglass demo`: the tour."""

from typing import Annotated

import typer


def demo(*, keep: Annotated[bool, typer.Option(help="Stay up until Ctrl-C when the tour has ended.")] = True) -> None:
    """Show the main job on this machine: a PACS, an identity provider, an agent, the gateway, and what it lets through.

    Exits with 0 when every step went as told, else with 1.
    """
    from leadglass.demo.tour import run  # late: `--help` needs none of it

    raise SystemExit(run(keep=keep))
