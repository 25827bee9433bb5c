"""What the gateway keeps on disk, before it starts: may it write there, is there room, and what becomes of the store."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from leadglass.config.look import Finding, Look
from leadglass.gateways.control import sockets
from leadglass.migrations.schema import HEAD, STEPS, copy_of, pending
from leadglass.model.errors import ConfigurationError
from leadglass.recovery.places import Places

_FULL = 0.80


def folders(look: Look) -> Iterator[Finding]:
    """Look at the folders of record, store and socket."""
    kept = (("audit", "file"), look.settings.audit.file), (("store",), look.settings.store), (
        ("admin", "unix"), look.settings.admin.unix,
    )  # fmt: skip
    taken: dict[Path, str] = {}
    for path, file in kept:
        name = ".".join(path)
        if file.is_dir():
            yield Finding("error", look.at(*path), f"{file} is a folder", "name a file in it")
            continue
        if file in taken:
            yield Finding("error", look.at(*path), f"is the same file as {taken[file]}", "each needs its own")
        taken[file] = name
        folder = next(parent for parent in file.parents if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=folder):  # never has a name, so nothing is left behind
                pass
        except OSError as error:
            yield Finding("error", look.at(*path), f"{folder} cannot be written: {error.strerror}",
                          "make it the gateway's own")  # fmt: skip
            continue
        usage = shutil.disk_usage(folder)
        if usage.used > _FULL * usage.total:
            yield Finding("warning", look.at(*path), f"its disk is {usage.used / usage.total:.0%} full", "make room")
        else:
            yield look.good(f"{folder} is writable", *path)
    try:
        for socket in (look.settings.admin.unix, look.settings.admin.unix.with_name(sockets.PUBLIC)):
            sockets.check_length(socket)
    except ConfigurationError as error:
        yield from look.bad(error, "admin", "unix")


def store(look: Look) -> Iterator[Finding]:
    """Say what a start will do to the store."""
    file = look.settings.store
    if file.is_dir():
        return
    if Places(file, look.settings.audit.file).journal.exists():
        yield Finding(
            "warning", look.at("store"), "a restore was interrupted", "the next start, or another restore, finishes it"
        )
        return
    try:
        found = pending(file)
    except ConfigurationError as error:
        yield from look.bad(error, "store")
        return
    if found.schema is None:
        yield look.good("there is no store yet; the first start makes it", "store")
    elif found.steps:
        told = ", ".join(STEPS[step] for step in found.steps)
        fix = f"take a backup with `leadglass backup`; the start itself keeps a copy in {copy_of(file, found.schema)}"
        yield Finding("warning", look.at("store"),
                      f"has schema {found.schema}; the next start takes it to {HEAD}: {told}", fix)  # fmt: skip
    else:
        yield look.good(f"schema {found.schema}", "store")
