"""Masks of devices, read from a file and found by what a header says."""

from pathlib import Path

import pytest

from leadglass.deid.instance import Header
from leadglass.deid.masks import load_masks
from leadglass.deid.risk import Region
from leadglass.limits import MASK_FILE_BYTES
from leadglass.model.errors import ConfigurationError

ONE = """\
version: 1
masks:
- manufacturer: Acme*
  model: Sonic 3
  columns: 640
  rows: 480
  remove:
  - {left: 0, top: 0, width: 640, height: 40}
"""
DEVICE = Header("1.2", modality="US", manufacturer="ACME Medical", model="sonic 3", software=r"A1\B2", rows=480, columns=640)  # fmt: skip


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "masks.yaml"
    path.write_text(text)
    return path


def test_a_mask_is_found_by_device_and_size(tmp_path: Path) -> None:
    masks = load_masks(written(tmp_path, ONE))
    assert len(masks) == 1
    assert masks.regions(DEVICE) == (Region(0, 0, 640, 40),)


@pytest.mark.parametrize(
    "change", [{"manufacturer": "Other"}, {"model": "Sonic 4"}, {"rows": 481}, {"columns": 800}, {"rows": None}]
)
def test_another_device_or_size_has_none(tmp_path: Path, change: dict[str, object]) -> None:
    masks = load_masks(written(tmp_path, ONE))
    header = Header(**{**{name: getattr(DEVICE, name) for name in DEVICE.__dataclass_fields__}, **change})
    assert masks.regions(header) == ()


def test_software_and_modality_narrow_it(tmp_path: Path) -> None:
    narrow = ONE.replace("  columns", "  software: B*\n  modality: US\n  columns")
    assert load_masks(written(tmp_path, narrow)).regions(DEVICE)
    assert not load_masks(written(tmp_path, narrow.replace("B*", "C*"))).regions(DEVICE)
    assert not load_masks(written(tmp_path, narrow.replace("US", "XA"))).regions(DEVICE)


def test_all_masks_that_fit_apply(tmp_path: Path) -> None:
    more = ONE + ONE.partition("masks:\n")[2].replace("top: 0", "top: 440")
    assert load_masks(written(tmp_path, more)).regions(DEVICE) == (Region(0, 0, 640, 40), Region(0, 440, 640, 40))


def test_what_stays_may_be_named_instead(tmp_path: Path) -> None:
    text = ONE.partition("  remove")[0] + (
        "  keep:\n  - {left: 100, top: 40, width: 400, height: 300}\n  - {left: 450, top: 100, width: 100, height: 50}\n"
    )
    covered = {
        (x, y)
        for one in load_masks(written(tmp_path, text)).regions(DEVICE)
        for x in range(one.left, one.left + one.width)
        for y in range(one.top, one.top + one.height)
    }
    kept = {(x, y) for x in range(100, 500) for y in range(40, 340)} | {
        (x, y) for x in range(450, 550) for y in range(100, 150)
    }
    assert covered == {(x, y) for x in range(640) for y in range(480)} - kept


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("width: 640", "width: 641", 3, "beyond 640 x 480"),
        ("  rows: 480\n", "", 3, "rows"),
        ("  model", "  colour: blue\n  model", 4, "colour"),
        ("rows: 480", "rows: many", 6, "rows"),
        ("left: 0", "left: -1", 8, "left"),
        ("Acme*", "'*a*b*'", 3, "stars"),
        ("version: 1", "version: 2", 1, "version"),
        ("  remove:\n  - {left: 0, top: 0, width: 640, height: 40}\n", "", 3, "regions to remove"),
        ("rows: 480", "rows: 480\n  rows: 480", 7, "duplicate"),
        ("rows: 480", "rows: 0", 6, "greater"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    path = written(tmp_path, ONE.replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        load_masks(path)
    assert caught.value.where == f"{path}:{line}"
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "version: 1\nmasks: 2001-01-01\n", "version: 1\nmasks: &a [*a]\n"])
def test_what_is_no_list_of_masks_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        load_masks(written(tmp_path, text))


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_masks(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="larger"):
        load_masks(written(tmp_path, "#" * (MASK_FILE_BYTES + 1)))


def test_the_example_of_the_docs_can_be_read() -> None:
    masks = load_masks(Path(__file__).parents[2] / "docs/examples/deid/masks.yaml")
    header = Header("1.2", modality="US", manufacturer="ACME MEDICAL Ltd", model="Sonic 5 Pro", software="4.2", rows=768, columns=1024)  # fmt: skip
    assert Region(0, 0, 1024, 90) in masks.regions(header)
