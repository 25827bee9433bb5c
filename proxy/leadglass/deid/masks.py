"""Where devices write on their pictures: regions by manufacturer, model and size, in a YAML file that an officer keeps.

Of several masks that fit an instance all apply: what any of them covers is painted black.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import orjson
from pydantic import Field, ValidationError, field_validator, model_validator

from leadglass.codec import strictyaml
from leadglass.deid.instance import Header
from leadglass.deid.risk import Region, alike, check_pattern
from leadglass.limits import MASK_FILE_BYTES, MASK_REGIONS, MASKS
from leadglass.model.errors import ConfigurationError, ConfigurationErrors
from leadglass.model.settings import SettingsModel

_SIDE: Final = 65_535  # Rows and Columns are US


class Rectangle(SettingsModel):
    """Pixels of a picture, counted from 0 at the top left."""

    left: int = Field(ge=0, le=_SIDE, description="Columns to the left of it.")
    top: int = Field(ge=0, le=_SIDE, description="Rows above it.")
    width: int = Field(ge=1, le=_SIDE, description="Its columns.")
    height: int = Field(ge=1, le=_SIDE, description="Its rows.")


class Mask(SettingsModel):
    """One device at one size of its pictures, and what to paint black in them."""

    manufacturer: str = Field(description="Manufacturer (0008,0070); `*` stands for any text, case does not count.")
    model: str = Field(description="Manufacturer's Model Name (0008,1090), likewise.")
    software: str | None = Field(default=None, description="Software Versions (0018,1020): one of them, likewise.")
    modality: str | None = Field(default=None, description="Modality (0008,0060), where the device has several.")
    columns: int = Field(ge=1, le=_SIDE, description="Columns (0028,0011) of its pictures.")
    rows: int = Field(ge=1, le=_SIDE, description="Rows (0028,0010) of its pictures.")
    remove: tuple[Rectangle, ...] = Field(
        default=(), max_length=MASK_REGIONS, strict=False, description="What is painted black."
    )
    keep: tuple[Rectangle, ...] = Field(
        default=(), max_length=MASK_REGIONS, strict=False, description="Or what stays: all around it is painted black."
    )
    note: str = Field(default="", max_length=200, description="Where the regions were learnt, for the next reader.")

    _names = field_validator("manufacturer", "model", "software")(check_pattern)

    @model_validator(mode="after")
    def _within(self) -> "Mask":
        if bool(self.remove) == bool(self.keep):
            raise ValueError("must name regions to remove, or regions to keep")
        if any(
            one.left + one.width > self.columns or one.top + one.height > self.rows for one in self.remove + self.keep
        ):
            raise ValueError(f"a region reaches beyond {self.columns} x {self.rows}")
        return self

    def fits(self, header: Header) -> bool:
        """Return whether this instance comes from the device, at this size."""
        return (
            (header.rows, header.columns) == (self.rows, self.columns)
            and self.modality in {None, header.modality}
            and alike(self.manufacturer, header.manufacturer)
            and alike(self.model, header.model)
            and (self.software is None or any(alike(self.software, one) for one in header.software.split("\\")))
        )

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is painted black."""
        if self.remove:
            return tuple(Region(one.left, one.top, one.width, one.height) for one in self.remove)
        return _around(self.keep, self.columns, self.rows)


class MaskFile(SettingsModel):
    """A file of masks."""

    version: Literal[1] = Field(description="The form of this file.")
    masks: tuple[Mask, ...] = Field(max_length=MASKS, strict=False, description="The devices.")


class Masks:
    """All masks that are in force."""

    def __init__(self, masks: Sequence[Mask] = ()) -> None:
        self._masks = tuple(masks)

    def __len__(self) -> int:
        return len(self._masks)

    def regions(self, header: Header) -> tuple[Region, ...]:
        """Return what to paint black in this instance, nothing when no mask is for its device at its size."""
        found = [region for mask in self._masks if mask.fits(header) for region in mask.regions]
        return tuple(dict.fromkeys(found))


def load_masks(path: Path) -> Masks:
    """Read a file of masks. Raises ConfigurationError with file and line for each fault."""
    try:
        with path.open("rb") as file:
            text = file.read(MASK_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(text) > MASK_FILE_BYTES:
        raise ConfigurationError(f"is larger than {MASK_FILE_BYTES} bytes", where=str(path))
    tree = strictyaml.load(str(path), text)
    try:
        return Masks(MaskFile.model_validate_json(orjson.dumps(tree)).masks)
    except (TypeError, orjson.JSONEncodeError):
        raise ConfigurationError("is not plain YAML", where=str(path), hint="write text, numbers and lists") from None
    except ValidationError as error:
        raise ConfigurationErrors(
            [
                ConfigurationError(
                    f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}",
                    where=f"{path}:{strictyaml.line(tree, one['loc'])}",
                )
                for one in error.errors()
            ]
        ) from None


def _around(keep: Sequence[Rectangle], columns: int, rows: int) -> tuple[Region, ...]:
    """Return rectangles that cover all but these: one or more for each band of rows between their edges."""
    edges = sorted({0, rows, *(one.top for one in keep), *(one.top + one.height for one in keep)})
    found: list[Region] = []
    for top, bottom in itertools.pairwise(edges):
        at = 0
        for left, right in [
            *sorted((one.left, one.left + one.width) for one in keep if one.top <= top < one.top + one.height),
            (columns, columns),
        ]:
            if left > at:
                found.append(Region(at, top, left - at, bottom - top))
            at = max(at, right)
    return tuple(found)
