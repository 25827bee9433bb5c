"""The tree speaks of itself alone: no machine paths, no addresses of package registries, no leftovers."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).name
LEFTOVER = re.compile(
    r"\b(TO"
    r"DO|FIX"
    r"ME|XX"
    r"X)\b|(?<![\w/.])/(work|root|home/\w+)/(?!leadglass)|files\.pythonhosted|registry\.npmjs"
)


def leftovers(text: str) -> list[str]:
    return [line.strip()[:100] for line in text.splitlines() if LEFTOVER.search(line)]


def tracked() -> list[Path]:
    names = subprocess.run(
        ["/usr/bin/git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return [ROOT / name.decode() for name in names.split(b"\0") if name]


def test_no_tracked_file_holds_a_leftover() -> None:
    found = {}
    for path in tracked():
        if path.name == HERE or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # compiled policies and pictures
        if lines := leftovers(text):
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}


def test_a_leftover_is_seen() -> None:
    assert leftovers("x = 1  # TODO later") == ["x = 1  # TODO later"]
    assert leftovers("see /root/thing") == ["see /root/thing"]


EXEMPTION = re.compile(r"# (?:no" r"qa|type: ig" r"nore)\b")
REASONED = re.compile(r"# (?:no" r"qa: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)* - \S|type: ig" r"nore\[[a-z, -]+\] +# \S)")


def unreasoned(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if len(EXEMPTION.findall(line)) > len(REASONED.findall(line))]


def test_every_exemption_from_lint_and_types_has_its_reason_beside_it() -> None:
    found = {}
    for path in tracked():
        if path.suffix != ".py" or path.name == HERE or not path.is_file():
            continue
        if lines := unreasoned(path.read_text(encoding="utf-8")):
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}


def test_an_exemption_without_a_reason_is_seen() -> None:
    bare = ["x = 1  # noqa", "x = 1  # noqa: E501", "x = 1  # type: ignore[misc]"]
    assert unreasoned("\n".join(bare)) == bare
    assert unreasoned("x  # noqa: E501, S101 - a table\ny  # type: ignore[misc]  # no types\n") == []
