"""`leadglass`: the command line's entry."""

import sys

_COULD_NOT = 3


def main() -> None:
    """Run the command line."""
    try:
        from leadglass.cli.main import app  # late: a plain install is the agent alone and has none of these
    except ModuleNotFoundError as error:
        sys.stderr.write(f"leadglass: error: this installation is the agent alone ({error.name} is missing)\n")
        sys.stderr.write("leadglass: hint: pip install 'leadglass[gateway]'\n")
        raise SystemExit(_COULD_NOT) from None
    app()


if __name__ == "__main__":
    main()
