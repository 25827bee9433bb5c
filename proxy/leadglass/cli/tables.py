"""Lists on the terminal and in a pipe: as wide as they need, so that an id is always whole, to be copied."""

from rich.console import Console, RenderableType
from rich.measure import Measurement


def print_whole(listed: RenderableType) -> None:
    """Print a table, or a sentence in its place. Lines longer than the terminal are the terminal's to wrap."""
    console = Console(highlight=False)
    console.width = max(console.width, Measurement.get(console, console.options.update(width=10_000), listed).maximum)
    console.print(listed, soft_wrap=True)
