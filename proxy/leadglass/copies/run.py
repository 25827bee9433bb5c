"""A folder of copies, made file by file: what is done already is left alone, what fails says why and stops nothing else."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from leadglass.copies.copier import DRAFT, Copier, Making
from leadglass.copies.found import Found
from leadglass.copies.journal import Done, Journal

Progress = Callable[[int], None]
_AHEAD: Final = 4  # files given to each process before the first is waited for


@dataclass(frozen=True, slots=True)
class Left:
    """A file of which there is no copy: where it is, and why."""

    name: str
    code: str
    why: str = ""


@dataclass
class Series:
    """What was copied of one series, under pseudonyms. `shown` is the copy in its middle."""

    study: str
    uid: str
    modality: str
    copies: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """The copy that stands for the series in pictures."""
        return sorted(self.copies)[len(self.copies) // 2]


@dataclass
class Result:
    """What a run has come to, with what earlier runs into the same folder did."""

    counts: Counter[str] = field(default_factory=Counter)
    copied: int = 0  # bytes
    before: int = 0  # of the copies, those that an earlier run made
    left: list[Left] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    attributes: dict[str, Counter[str]] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)  # copy -> original, of what was looked at now

    def take(self, found: Found, done: Done) -> None:
        """Count one file."""
        self.counts[done.status] += 1
        if done.status == "refused":
            self.left.append(Left(found.name, done.code, done.why))
        if done.status != "written":
            return
        self.copied += done.size
        series = self.series.setdefault(done.series, Series(done.study, done.series, done.modality))
        series.copies.append(done.out)
        self.sources[done.out] = found.path
        for tag, way in done.shape.items():
            self.attributes.setdefault(tag, Counter())[way] += 1


def run(making: Making, files: list[Found], out: Path, journal: Journal, *, jobs: int, progress: Progress) -> Result:
    """Copy all of `files` that are DICOM, and tell `progress` of their bytes. Raises OSError when `out` cannot be written."""
    result = Result()
    for draft in out.glob(f"{DRAFT}*"):  # of a run that was killed; the journal's lock says that nobody writes it now
        draft.unlink()
    copier = Copier(making, out)
    waiting: list[Found] = []
    for found in files:
        if found.kind != "dicom":
            result.left.append(Left(found.name, found.kind))
            result.counts["left"] += 1
            progress(found.size)
            continue
        done = journal.done.get(copier.source(found))
        if done is not None and done.status != "refused" and _there(out, done):
            result.before += 1
            result.take(found, done)
            progress(found.size)
        else:
            waiting.append(found)
    outs = {done.out for done in journal.done.values() if done.status == "written"}
    with _copying(making, out, copier, jobs=min(jobs, len(waiting))) as each:
        for found, done in each(waiting):
            # A run that was killed between the file and its line in the journal left a copy that nobody has counted.
            told = replace(done, status="written") if done.status == "double" and done.out not in outs else done
            outs.add(told.out)
            journal.put(told)
            result.take(found, told)
            progress(found.size)
    return result


def _there(out: Path, done: Done) -> bool:
    try:
        return (out / done.out).stat().st_size == done.size
    except OSError:
        return False


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


_copier: Copier | None = None  # of a process that copies for another


def _begin(making: Making, out: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for us
    global _copier  # noqa: PLW0603 - what a pool offers to set up its processes
    _copier = Copier(making, out)


def _one(found: Found) -> Done:
    if _copier is None:
        raise RuntimeError("no process of a pool")
    return _copier.copy(found)


@contextmanager
def _copying(
    making: Making, out: Path, copier: Copier, *, jobs: int
) -> Iterator[Callable[[list[Found]], Iterator[tuple[Found, Done]]]]:
    """Give what copies files and yields what became of them: here, or in other processes."""
    if jobs <= 1:
        yield lambda files: ((found, copier.copy(found)) for found in files)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(making, out)) as pool:
        try:
            yield lambda files: zip(files, pool.map(_one, files, chunksize=_AHEAD), strict=True)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
