"""Putting many files in place as one: all drafts are on disk, then the journal, then each takes its place.

The journal is the moment of decision. Killed before it, everything is as it was and drafts are swept away; killed after
it, whoever comes next (a start, another restore) finishes what it says. Every step can be taken twice.
"""

import os
from collections.abc import Iterable

import orjson

from leadglass.audit.chain import take_lock
from leadglass.hazmat.files import sync_folder, write_private
from leadglass.model.errors import ConfigurationError
from leadglass.recovery.places import STORE, Places


def decide(places: Places, put: Iterable[str], remove: Iterable[str]) -> None:
    """Decide that the drafts of `put` take their places, and that the files `remove` go. Raises OSError."""
    for folder in {places.path(name).parent for name in put}:
        sync_folder(folder)
    write_private(places.journal, orjson.dumps({"put": sorted(put), "remove": sorted(remove)}))


def finish(places: Places) -> bool:
    """Finish a restore that was decided; sweep away one that was not. The caller holds the locks.

    Return whether there was one to finish. Raises ConfigurationError.
    """
    try:
        try:
            decided = orjson.loads(places.journal.read_bytes())
        except FileNotFoundError:
            _sweep(places)
            return False
        names: list[str] = decided["put"]
        paths = {name: (places.draft(name), places.path(name)) for name in names}
        gone = [places.path(name) for name in decided["remove"]]
        if STORE in names:  # what the old store had not written into itself yet is not of the new one
            gone += [places.store.with_name(places.store.name + end) for end in ("-wal", "-shm", "-journal")]
            if not paths[STORE][0].exists():
                gone = []  # that was done before it took its place
        for path in gone:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in gone}:
            sync_folder(
                folder
            )  # a log of the old store that came back after a power cut would be played into the new one
        for name, (draft, path) in paths.items():
            if draft.exists():
                draft.replace(path)
            elif not path.exists():
                raise ConfigurationError(
                    f"a restore was interrupted, and its part {name} is missing",
                    hint=f"restore again: `leadglass restore` after moving {places.journal} away",
                )
        for folder in {path.parent for _, path in paths.values()}:
            sync_folder(folder)
        places.journal.unlink()
        sync_folder(places.journal.parent)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{places.journal} is no journal of a restore: {error}", hint="move it away, and restore again"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"a restore cannot be finished: {error.strerror} ({error.filename})",
            hint="run it as the user of the gateway",
        ) from None
    return True


def finish_interrupted(places: Places) -> bool:
    """As `finish`, at a start, which holds no lock yet. Raises ConfigurationError."""
    if not places.journal.exists() and not any(places.drafts()):
        return False
    lock = take_lock(places.record)
    try:
        return finish(places)
    finally:
        os.close(lock)


def _sweep(places: Places) -> None:
    for path in set(places.drafts()):
        path.unlink()
