"""One data set is the same in a view whatever form it comes in: Part 10, DICOM JSON and XML of every file of pydicom."""

import json
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from leadglass.deid.jsonset import deidentify_row
from leadglass.deid.known import Known
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.profile import load_profiles
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.deid.xmlset import deidentify_xml, read, write
from leadglass.model.errors import Refusal

FILES = sorted((Path(pydicom.__file__).parent / "data/test_files").glob("*.dcm"))
RULES = {name: Rules(profile) for name, profile in load_profiles().items()}
PIXELS = "7FE00010"
# These are broken: a view refuses what a lenient reader makes something of.
BROKEN = {
    "GDCMJ2K_TextGBR.dcm", "MR_truncated.dcm", "SC_rgb_jpeg.dcm", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm", "rtplan_truncated.dcm",
}  # fmt: skip


def as_json(data: bytes) -> dict[str, Any] | None:
    """Return what pydicom reads, None when it reads nothing of use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found: dict[str, Any] = pydicom.dcmread(BytesIO(data)).to_json_dict(bulk_data_threshold=1 << 30)
        except Exception:  # noqa: BLE001 - of files that are broken on purpose
            return None
    return found


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a data set without what forms write in their own way: padding, numbers as text, empty values at the end."""
    done: dict[str, Any] = {}
    for tag, attribute in sorted(row.items()):
        values = attribute.get("Value") or []
        if attribute["vr"] == "SQ":
            done[tag] = [plain(item) for item in values]
            continue
        texts = [_text(value) for value in values]
        while texts and not texts[-1]:
            texts.pop()
        done[tag] = (str(attribute["vr"].split(" or ")[0]), texts, attribute.get("InlineBinary") or "")
    return done


def _text(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    try:
        return str(float(value))  # type: ignore[arg-type]  # what is no number is seen
    except (TypeError, ValueError):
        return str("" if value is None else value).strip()


@pytest.mark.parametrize("profile", ["basic", "research", "research-private"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_part_10_json_and_xml_agree(file: Path, profile: str) -> None:
    data = file.read_bytes()
    row = as_json(data)
    if row is None:
        return  # nothing to compare with
    patient = str((row.get("00100020", {}).get("Value") or [""])[0])
    known = Known.of_row(row)

    def values() -> Values:
        return Values(RULES[profile], Pseudonyms(b"k" * 32, Patient.of(None, patient, "1.2"), 365), known)

    try:
        rewriter = Part10Rewriter(values())
        written = b"".join([*rewriter.feed(data), *rewriter.finish()])
    except Refusal:
        assert file.name in BROKEN
        return
    assert file.name not in BROKEN
    seen = as_json(written)
    assert seen is not None
    expected = deidentify_row(row, values(), marked=True)
    for one in (seen, expected):
        one.pop(PIXELS, None)  # not inline in JSON
    assert plain(seen) == plain(expected)
    assert plain(read(deidentify_xml(write(row), values()))) == plain(expected) | (
        {PIXELS: (str(row[PIXELS]["vr"]), [], "")} if PIXELS in row else {}
    )
