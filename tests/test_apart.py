"""Work done by a process of its own: what goes wrong there goes wrong nowhere else."""

import ctypes
import mmap
import os
import threading
import time
from collections.abc import Iterator

import pytest

from leadglass.apart import Apart, ApartError
from leadglass.limits import APART_BYTES


@pytest.fixture
def apart() -> Iterator[Apart]:
    found = Apart(1)
    yield found
    found.close()


def test_it_is_done_by_another_process_that_is_kept(apart: Apart) -> None:
    first = apart.do(os.getpid)
    assert first != os.getpid()
    assert apart.do(os.getpid) == first
    assert apart.do(sum, [1, 2, 3]) == 6


def test_what_is_raised_there_is_told_by_name_alone(apart: Apart) -> None:
    with pytest.raises(ApartError, match=r"^ValueError$"):
        apart.do(int, "DOE^JANE")
    assert apart.do(len, "still there") == 11


def test_what_hangs_is_killed(apart: Apart) -> None:
    before = apart.do(os.getpid)
    with pytest.raises(ApartError, match="too long"):
        apart.do(time.sleep, 600, seconds=0.2)
    assert apart.do(os.getpid) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_what_crashes_takes_nothing_along(apart: Apart) -> None:
    with pytest.raises(ApartError, match="crashed"):
        apart.do(ctypes.string_at, 0)
    with pytest.raises(ApartError, match="crashed"):
        apart.do(os._exit, 3)
    assert apart.do(len, "still there") == 11


def test_memory_is_bounded(apart: Apart) -> None:
    with pytest.raises(ApartError, match="OSError"):
        apart.do(mmap.mmap, -1, APART_BYTES + (1 << 20))


def test_what_waits_is_done_in_its_turn(apart: Apart) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(apart.do(os.getpid))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 4
    assert len(set(found)) == 1
