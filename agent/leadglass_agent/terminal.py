"""What the verbs of `leadglass-agent` share: where its folder is, and how what goes wrong is said."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from leadglass_agent import settings as settings_module
from leadglass_agent import voice
from leadglass_agent.state import Busy, Folder, NotEnrolled
from leadglass_agent.voice import COULD_NOT, NO

now = time.time  # noqa: TID251 - the agent's own clock, handed down from here


def _default_folder() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/leadglass-agent")
    return Path.home() / ".local/state/leadglass-agent"


StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Folder of the device key, the state and agent.toml.",
        show_default="/var/lib/leadglass-agent for root, else ~/.local/state/leadglass-agent",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def fail(problem: str, hint: str = "", code: int = COULD_NOT) -> NoReturn:
    """Say what is wrong and how to mend it on stderr, and end the program."""
    voice.fail("leadglass-agent", problem, hint, code)


@contextmanager
def spoken() -> Iterator[None]:
    """Turn what can go wrong into words and an exit code."""
    from leadglass_agent.enrol import EnrolmentError  # late: `--help` needs no network code
    from leadglass_agent.gateway import Refused, Unreachable
    from leadglass_agent.member import Revoked

    try:
        yield
    except NotEnrolled as error:
        fail(str(error), "leadglass-agent enrol --gateway URL --code CODE", NO)
    except EnrolmentError as error:
        fail(str(error), error.hint, NO)
    except Revoked as error:
        fail(str(error), "ask the administrator, then enrol again", NO)
    except Refused as error:
        fail(str(error), f"decision {error.decision_id}" if error.decision_id else "", NO)
    except Unreachable as error:
        fail(str(error), "is the gateway running, and is the address right?")
    except settings_module.SettingsError as error:
        fail(str(error), "mend or remove the setting")
    except Busy as error:
        fail(str(error))
    except PermissionError as error:
        fail(f"{error.filename or 'a file'}: {error.strerror}", "run it as the user who enrolled the device")
    except (OSError, ValueError) as error:
        fail(str(error))


def opened(state: Path | None) -> tuple[Folder, settings_module.Settings]:
    """Return the folder, made if need be, and its settings. Raises OSError, ValueError, SettingsError."""
    folder = Folder(state or _default_folder())
    folder.prepare()
    return folder, settings_module.load(folder.path)
