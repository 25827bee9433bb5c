"""What the settings say of several archives: mounts of their own, and names that hold."""

from pathlib import Path

import pytest

from leadglass.config.load import Fault, parse
from leadglass.config.settings import Settings
from leadglass.static.appconfig import Root
from support.clock import FakeClock
from support.gateway import idp_key, write_site

MAIN = 'upstreams: {main: {kind: generic, url: "http://127.0.0.1:9"}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())


def say(file: Path, upstreams: str) -> Settings | list[Fault]:
    lines = file.read_text().splitlines()
    (at,) = (at for at, line in enumerate(lines) if line.startswith("upstreams:"))
    file.write_text("\n".join((*lines[:at], upstreams, *lines[at + 1 :])))
    return parse(file)


OVERLAPPING = {
    "equal": ("mount: /dicom-web\n    wado_mount: /b/wado", "mount", "/dicom-web and /dicom-web of upstreams.main.mount"),
    "below": ("mount: /dicom-web/b\n    wado_mount: /b/wado", "mount", "/dicom-web/b and /dicom-web of"),
    "equal-wado": ("wado_mount: /wado\n    mount: /b/rs", "wado_mount", "/wado and /wado of upstreams.main.wado_mount"),
    "its-own": ("mount: /b\n    wado_mount: /b/wado", "wado_mount", "/b/wado and /b of upstreams.b.mount overlap"),
    "other-service": ("wado_mount: /dicom-web/wado\n    mount: /b/rs", "wado_mount", "/dicom-web/wado and /dicom-web of"),
}  # fmt: skip


@pytest.mark.parametrize(("mounts", "setting", "problem"), OVERLAPPING.values(), ids=OVERLAPPING.keys())
def test_mounts_that_overlap_are_told_at_the_line_of_the_later(
    file: Path, mounts: str, setting: str, problem: str
) -> None:
    found = say(file, f"""\
upstreams:
  main: {{kind: generic, url: "http://127.0.0.1:9"}}
  b:
    kind: generic
    url: http://127.0.0.1:8
    {mounts}""")  # fmt: skip
    assert not isinstance(found, Settings)
    (fault,) = found
    assert (fault.path, problem in fault.problem) == (f"upstreams.b.{setting}", True)
    lines = file.read_text().splitlines()
    assert lines[fault.line - 1].strip().startswith(f"{setting}:")


def test_archives_at_mounts_of_their_own_are_sound_and_viewers_know_them(file: Path) -> None:
    more = "b: {kind: dcm4chee, url: http://127.0.0.1:8, mount: /b/rs, wado_mount: /b/wado}"
    found = say(file, MAIN.replace("}}", f"}}, {more}}}"))
    assert isinstance(found, Settings)
    main, other = Root("main", "/dicom-web", "/wado", "generic"), Root("b", "/b/rs", "/b/wado", "dcm4chee")
    assert found.roots == (main, other)


@pytest.mark.parametrize("name", ['"a b"', '""', '"é"', '"-x"', f'"{"x" * 65}"'])
def test_an_archive_is_called_by_a_name_that_labels_and_links_can_hold(file: Path, name: str) -> None:
    found = say(file, MAIN.replace("main", name))
    assert not isinstance(found, Settings)
    assert [("letters" in fault.problem, fault.line) for fault in found] == [(True, 5)]


def test_there_is_a_bound_to_how_many(file: Path) -> None:
    many = ", ".join(
        f"a{at}: {{kind: generic, url: http://127.0.0.1:9, mount: /{at}/rs, wado_mount: /{at}/w}}" for at in range(17)
    )
    found = say(file, f"upstreams: {{{many}}}")
    assert not isinstance(found, Settings)
    assert [(fault.path, fault.problem) for fault in found] == [("upstreams", "may hold at most 16")]
