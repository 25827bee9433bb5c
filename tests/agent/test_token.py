import asyncio
import os
import sys
from pathlib import Path

import pytest

from leadglass_agent.token import CommandToken, FileToken, NoToken, expires
from support.clock import FakeClock
from support.device import b64u


def jwt(exp: object) -> str:
    import json

    return f"h.{b64u(json.dumps({'exp': exp}).encode())}.s"


async def test_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    source = FileToken(file)
    assert await source.token() == "one"
    stat = file.stat()
    file.write_text("three")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # a clock too coarse to tell
    assert await source.token() == "three"
    new = tmp_path / "new"
    new.write_text("seven")
    new.rename(file)
    assert await source.token() == "seven"


@pytest.mark.parametrize("content", ["", "\n", "a b", "a\nb", "x" * 20_000, "tök", "a\x00b", "a\x7f"], ids=repr)
async def test_what_is_no_token_is_not_sent(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(NoToken):
        await FileToken(tmp_path / "token").token()


async def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoToken, match="cannot be read"):
        await FileToken(tmp_path / "token").token()


@pytest.mark.parametrize(
    ("token", "ends"),
    [
        (jwt(12), 12.0),
        (jwt("x"), 0.0),
        (jwt(None), 0.0),
        (jwt([]), 0.0),
        ("opaque", 0.0),
        ("a.b.c", 0.0),
        ("a.é.c", 0.0),
        ("..", 0.0),
        (jwt("inf"), 0.0),
        (jwt("nan"), 0.0),
    ],
)
def test_the_end_of_a_token(token: str, ends: float) -> None:
    assert expires(token) == ends


def command(tmp_path: Path, prints: str) -> str:
    """Return a command that counts how often it ran and prints `prints`."""
    script = tmp_path / "sign in.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('x')\n{prints}\n")
    return f"{sys.executable} '{script}'"


def ran(tmp_path: Path) -> int:
    return len((tmp_path / "ran").read_text())


async def test_a_command_is_asked_again_shortly_before_the_end(tmp_path: Path) -> None:
    clock = FakeClock()
    source = CommandToken(command(tmp_path, f"print({jwt(clock.now() + 300)!r})"), clock.now)
    tokens = await asyncio.gather(*(source.token() for _ in range(5)))
    assert len(set(tokens)) == 1
    assert ran(tmp_path) == 1
    clock.advance(269)
    await source.token()
    assert ran(tmp_path) == 1
    clock.advance(2)
    await source.token()
    assert ran(tmp_path) == 2


async def test_a_token_without_an_end_is_kept_for_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    source = CommandToken(command(tmp_path, "print('opaque')"), clock.now)
    assert await source.token() == await source.token() == "opaque"
    assert ran(tmp_path) == 1
    clock.advance(61)
    await source.token()
    assert ran(tmp_path) == 2


@pytest.mark.parametrize(
    ("prints", "words"),
    [
        ("raise SystemExit(4)", "ended with 4"),
        ("print()", "no token"),
        ("print('a b')", "no token"),
        ("print('x' * 99999)", "more than"),
    ],
)
async def test_a_command_that_gives_none_says_so_and_not_what_it_printed(
    tmp_path: Path, prints: str, words: str
) -> None:
    with pytest.raises(NoToken, match=words) as raised:
        await CommandToken(command(tmp_path, prints), FakeClock().now).token()
    assert "xxx" not in str(raised.value)


async def test_a_command_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass_agent.token._SECONDS", 0.5)
    with pytest.raises(NoToken, match="did not end"):
        await CommandToken(command(tmp_path, "import time; time.sleep(60)"), FakeClock().now).token()


async def test_a_command_that_is_not_there_says_so() -> None:
    with pytest.raises(NoToken, match="cannot be started"):
        await CommandToken("/nowhere/tool", FakeClock().now).token()


@pytest.mark.parametrize("words", ["", "  ", "tool 'a"])
def test_what_is_no_command_is_refused_at_once(words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        CommandToken(words, FakeClock().now)
