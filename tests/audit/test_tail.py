from itertools import islice
from pathlib import Path

from leadglass.audit.tail import tail
from leadglass.audit.writer import Writer
from leadglass.limits import KIB
from support.clock import FakeClock

BODY = b'"type":"event","kind":"x","fields":{}'


def test_the_last_lines_and_no_more(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r.jsonl", rotate=64 * KIB, clock=FakeClock())
    lines = [writer.append(BODY) for _ in range(5)]
    assert list(tail(writer.file, 2, follow=False)) == lines[-2:]
    writer.close()


def test_following_goes_over_rotations(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "r.jsonl", rotate=64 * KIB, clock=FakeClock())
    writer.append(BODY)
    waits = 0

    def write_more(_: float) -> None:
        nonlocal waits
        waits += 1
        for _ in range(150):
            writer.append(BODY)

    found = list(islice(tail(writer.file, 1, follow=True, wait=write_more), 1000))
    numbers = [int(line.split(b",", 1)[0][7:]) for line in found]
    assert numbers == list(range(1, 1001))
    assert waits >= 6
    writer.close()
