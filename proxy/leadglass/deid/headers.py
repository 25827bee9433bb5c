"""The facts of an instance that its pixels are judged by, from a row of DICOM JSON (PS3.18 annex F)."""

from collections.abc import Mapping
from typing import Any, Final

from leadglass.deid.instance import Header

_TEXTS: Final = {
    "sop_class_uid": "00080016", "sop_instance_uid": "00080018", "study_uid": "0020000D", "series_uid": "0020000E",
    "modality": "00080060", "conversion_type": "00080064", "image_type": "00080008", "manufacturer": "00080070",
    "model": "00081090", "software": "00181020", "photometric": "00280004", "burned_in": "00280301",
    "recognizable": "00280302", "lossy": "00282110",
}  # fmt: skip
_NUMBERS: Final = {
    "samples": "00280002", "planar": "00280006", "rows": "00280010", "columns": "00280011",
    "bits_allocated": "00280100", "bits_stored": "00280101", "high_bit": "00280102", "signed": "00280103",
}  # fmt: skip
_FRAMES: Final = "00280008"
_SYNTAX: Final = "00083002"  # Available Transfer Syntax UID


def header_of(row: Mapping[str, Any]) -> Header:
    """Return the facts in a row. The transfer syntax is that in which the archive has it, where it says so, else empty."""
    told: dict[str, Any] = {name: _text(row, tag) for name, tag in _TEXTS.items()}
    told |= {name: _number(row, tag) for name, tag in _NUMBERS.items()}
    return Header(_text(row, _SYNTAX), frames=_number(row, _FRAMES) or 1, **told)


def _values(row: Mapping[str, Any], tag: str) -> list[Any]:
    attribute = row.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values if isinstance(values, list) else []


def _text(row: Mapping[str, Any], tag: str) -> str:
    return "\\".join(value.strip(" \0") for value in _values(row, tag) if isinstance(value, str))


def _number(row: Mapping[str, Any], tag: str) -> int | None:
    values = _values(row, tag)
    try:
        return int(values[0]) if values else None
    except (TypeError, ValueError, OverflowError):
        return None
