"""Where the captured outputs are."""

from pathlib import Path

ROOT = Path(__file__).parents[1] / "vectors/checks"


def captured(check: str, name: str) -> bytes:
    return (ROOT / check / name).read_bytes()
