"""`python -m release.deb`: build the agent's Debian package."""

import argparse
import sys
import tempfile
from pathlib import Path

from release import stage
from release.deb import build


def main(arguments: list[str]) -> int:
    """Build it; say where it is, or what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m release.deb", description="Build the agent's Debian package.")
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument(
        "--python", default=own, help="Python of the Debian it is for: 3.11 is Debian 12, 3.13 is Debian 13"
    )
    parser.add_argument(
        "--architecture", choices=sorted(stage.MACHINES), help="as Debian calls it; this machine's when left out"
    )
    parser.add_argument("--revision", default="1", help="of the package, when the agent in it is the same")
    parser.add_argument("--folder", default="dist", type=Path, help="where it goes")
    given = parser.parse_args(arguments)

    def step() -> None:
        target = build.Target(given.python, given.architecture or stage.own_architecture(), given.revision)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            root.mkdir()
            build.lay_out(root, target)
            sys.stdout.write(f"{build.pack(root, target, given.folder)}\n")

    return stage.spoken(step)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
