"""Copies of files, judged by programs that are not ours: dcmtk, dicom3tools, Chromium."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from leadglass.copies.journal import NAME
from support.browser import chromium, violations, visit
from support.canaries import SYNTAXES, fill, part10, rows, survivors
from support.scans import export
from support.tools import tool

pytestmark = pytest.mark.system

REAL = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "rtplan.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm", "MR_small_expb.dcm",
    "image_dfl.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
)  # fmt: skip
ROWS = [
    tag for tag in rows() if tag >> 16 != 0x0004
]  # of a DICOMDIR alone; a file that has them at its top has no copy


def leadglass(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leadglass", "deid", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def errors(file: Path) -> Counter[str]:
    """Return what dciodvfy finds at fault, without the values that it quotes."""
    done = subprocess.run([tool("dciodvfy"), str(file)], capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    return Counter(re.sub(r"= <[^>]*>|<[^>]*>|\d+", "", line) for line in lines)


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_what_was_valid_is_valid_still(tmp_path: Path, profile: str) -> None:
    (tmp_path / "in").mkdir()
    for name in REAL:
        found = get_testdata_file(name, download=False)
        assert found is not None, name
        (tmp_path / "in" / name).symlink_to(found)
    judged = 0
    for name in REAL:
        source = (tmp_path / "in" / name).resolve()
        out = tmp_path / f"out-{name}"
        done = leadglass("run", str(source), str(out), "--profile", profile, "--key", "k", cwd=tmp_path)
        copies = list(out.rglob("*.dcm"))
        if done.returncode == 1:
            assert "may show who the patient is" in done.stdout, done.stdout
            continue
        assert done.returncode == 0, done.stderr
        (copy,) = copies
        dumped = subprocess.run([tool("dcmdump"), "-q", str(copy)], capture_output=True, check=False)
        assert (dumped.returncode, dumped.stderr) == (0, b""), name
        assert errors(copy) - errors(source) == Counter(), name
        judged += 1
    assert judged >= 6


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_canary_is_left_in_anything_that_is_written(tmp_path: Path, syntax: str) -> None:
    (tmp_path / "in/CNRY00100010").mkdir(parents=True)
    for depth in (0, 2, 20):
        (tmp_path / f"in/CNRY00100010/CNRY00100020-{depth}").write_bytes(
            part10(fill(depth=depth, tags=ROWS), syntax=syntax)
        )
        done = leadglass("run", "in", f"out{depth}", "--profile", "basic", "--key", "k", cwd=tmp_path)
        assert done.returncode in {0, 1}, done.stderr
        assert list((tmp_path / f"out{depth}").rglob("*.dcm"))
        for path in (tmp_path / f"out{depth}").rglob("*"):
            assert survivors(str(path.relative_to(tmp_path)).encode()) == []
            if path.is_file():
                assert survivors(path.read_bytes()) == [], path
        looked = leadglass("verify", f"out{depth}", "--against", "in", cwd=tmp_path)
        assert looked.returncode == 0, looked.stdout
        (tmp_path / f"in/CNRY00100010/CNRY00100020-{depth}").unlink()


async def test_people_can_read_the_report_without_a_network(tmp_path: Path) -> None:
    export(tmp_path / "in")
    done = leadglass("run", "in", "out", "--profile", "research", "--before", "look.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    async with chromium() as browser:
        for file in ("out/report.html", "look.html"):
            for scheme in ("light", "dark"):
                async with visit(browser, color_scheme=scheme, offline=True) as page:
                    asked: list[str] = []
                    page.on("request", lambda request: asked.append(request.url))  # noqa: B023 - within this round
                    await page.goto((tmp_path / file).as_uri())
                    await page.wait_for_function(
                        "[...document.images].every(one => one.complete && one.naturalWidth > 0)"
                    )
                    assert await violations(page) == []
                    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
                    text = await page.inner_text("body")
                    assert "Mustermann" not in text
                    assert "6" in text


def test_a_run_that_is_killed_goes_on(tmp_path: Path) -> None:
    export(tmp_path / "in", slices=150, series=2)
    arguments = [sys.executable, "-m", "leadglass", "deid", "run", "in", "out", "--profile", "basic", "--jobs", "1"]
    first = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True)
    journal = tmp_path / "out" / NAME
    while first.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 40):
        os.sched_yield()
    assert first.poll() is None, "it was too quick to be killed"
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done = leadglass("run", "in", "out", "--profile", "basic", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "300 instances of 2 series" in done.stdout
    assert "of an earlier run" in done.stdout
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 300
    assert not list((tmp_path / "out").glob(".draft-*"))
