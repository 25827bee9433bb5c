"""What the agent keeps between runs: one folder, 0700, and in it the device key and `agent.json`."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

KEY = "device.key"
FILE = "agent.json"
STATUS = "status.json"
PROBLEM = "problem.json"
_DOOR = "door.json"
_LOCK = "lock"
_RUNNING = "run.lock"
_BYTES = 256 * 1024


class NotEnrolled(Exception):
    """The folder holds no enrolled device. `str()` says so to people."""


class Busy(Exception):
    """Another process does this already. `str()` says so to people."""


@dataclass(frozen=True, slots=True)
class State:
    """An enrolled device. `seq` is that of the last statement sent; `trust` are the PEM certificates of TLS."""

    gateway: str
    device_id: str
    owner: str
    trust: tuple[str, ...]
    seq: int = 0


def write(file: Path, document: object, owner: int | None = None) -> None:
    """Replace `file` (0600) as a whole: what a crash leaves is the old one or the new one. Raises OSError.

    It is made the `owner`'s before it has its name: by name, whoever owns the folder could have root give them another.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")  # its own: two processes may write at once
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
            stream.flush()
            os.fsync(descriptor)
            if owner is not None:
                os.fchown(descriptor, owner, -1)
        temporary.rename(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove(file: Path) -> None:
    """Remove a file that may be gone already. Raises OSError."""
    file.unlink(missing_ok=True)


def _state(document: Any) -> State:  # noqa: ANN401 - JSON from a file
    """Return the state in a document. Raises TypeError, KeyError, ValueError."""
    state = State(**{**document, "trust": tuple(document["trust"])})
    texts = (state.gateway, state.device_id, state.owner, *state.trust)
    if not all(isinstance(text, str) for text in texts) or type(state.seq) is not int or state.seq < 0:
        raise ValueError("a member has the wrong type")
    return state


class Folder:
    """The agent's folder. `run` and `proxy` are two processes that share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the folder. Raises OSError, and ValueError when others own it or may look into it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.stat()
        if found.st_uid != os.geteuid():
            # Its settings name a command that runs as us.
            raise ValueError(
                f"{self.path} belongs to another user; run the agent as that user, or give another --state"
            )
        if found.st_mode & 0o077:
            raise ValueError(f"{self.path} may be entered by others; chmod 700 it")

    def load(self) -> State:
        """Return the enrolled device. Raises NotEnrolled, and ValueError for a file that is damaged."""
        document = self.read(FILE)
        if document is None:
            raise NotEnrolled(f"no device is enrolled in {self.path}")
        try:
            return _state(document)
        except (ValueError, TypeError, KeyError):
            raise self._damaged(FILE) from None

    def save(self, state: State) -> None:
        """Keep `state`. Raises OSError."""
        with self._locked():
            write(self.path / FILE, asdict(state))

    def advance(self, state: State, seq: int) -> State:
        """Keep that statement `seq` was sent, and return the new state. Raises OSError."""
        return self._change(state, seq=seq)

    def trust(self, state: State, trust: tuple[str, ...]) -> State:
        """Keep what the gateway said to trust from now on, and return the new state. Raises OSError."""
        return self._change(state, trust=trust)

    def _change(self, state: State, **changes: Any) -> State:  # noqa: ANN401 - fields of any type
        # What the other process kept stays: only these members change.
        with self._locked():
            try:
                kept = self.load()
            except (NotEnrolled, ValueError):
                kept = state
            if kept.device_id != state.device_id:
                raise Busy("the device was enrolled anew while this process ran; start it again")
            write(self.path / FILE, asdict(replace(kept, **changes)))
        return replace(state, **changes)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the JSON object in a file of the folder, None when there is none. Raises OSError, ValueError."""
        try:
            with (self.path / name).open("rb") as file:
                document = orjson.loads(file.read(_BYTES))
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise self._damaged(name)
        return document

    def keep(self, name: str, document: dict[str, Any] | None) -> None:
        """Keep a JSON object in a file of the folder, or (None) no such file. Raises OSError."""
        with self._locked():
            if document is None:
                remove(self.path / name)
            else:
                write(self.path / name, document)

    def exchange(self, name: str, before: dict[str, Any], document: dict[str, Any]) -> bool:
        """Keep a JSON object where `before` is what is kept, and return whether it was. Raises OSError, ValueError."""
        with self._locked():
            if self.read(name) != before:
                return False
            write(self.path / name, document)
        return True

    def door_secret(self) -> str:
        """Return the secret of the loopback door's address: made once, so that a viewer is set up once. Raises OSError."""
        kept = self.read(_DOOR)
        secret = kept.get("secret") if kept is not None else None
        if not isinstance(secret, str) or len(secret) < 32:  # noqa: PLR2004 - 24 bytes in base64url
            secret = secrets.token_urlsafe(24)
            write(self.path / _DOOR, {"secret": secret})
        return secret

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the one process that reports from this folder. Raises Busy."""
        with self._lock(_RUNNING, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return self._lock(_LOCK, fcntl.LOCK_EX)

    @contextmanager
    def _lock(self, name: str, how: int) -> Iterator[None]:
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                raise Busy(f"`leadglass-agent run` is running already on {self.path}") from None
            yield
        finally:
            os.close(descriptor)

    def _damaged(self, name: str) -> ValueError:
        return ValueError(f"{self.path / name} is damaged; remove it" + (" and enrol again" if name == FILE else ""))
