"""Which instances may show text about the patient in their pixels, or in a document they carry (PS3.15 section E.3.1).

A kind of object that is not known to come from a detector as it is counts as at risk. A machine's own word that nothing
is burned in is no proof: only a mask of the device, or an allowance that an officer wrote down with the reason, lets it pass.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from leadglass.deid.instance import Header
from leadglass.model.settings import SettingsModel

_CODE: Final = re.compile(r"[A-Z0-9_ ]{1,16}")
_UID: Final = re.compile(r"[0-9.]{1,64}")
_STARS: Final = 2  # each more squares the work of a look
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."

# What a detector gives (PS3.4 annex B.5), by the end of the SOP class UID; at risk only when the header says more.
_IMAGES: Final = frozenset({
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "2.1", "2.2", "4", "4.1", "4.2", "4.3", "4.4", "5", "12.1", "12.1.1",
    "12.2", "12.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5", "14.1", "14.2", "20", "128", "128.1", "130", "30",
    "77.1.5.4", "77.1.5.5", "77.1.5.6", "77.1.5.7", "77.1.5.8", "77.1.6", "481.1",
})  # fmt: skip
# Without pixels, or with maps and labels that were computed; what their attributes say is for the table.
_NO_PICTURES: Final = re.compile(
    r"9\.[0-9.]+|11\.[0-9.]+|66(\.[1-7])?|67|68\.[12]|88\.59|90\.1|91\.1|200\.[0-9]|481\.([2-9]|1[0-9]|2[0-9])"
)
_DOCUMENTS: Final = re.compile(r"104\.[0-9]+")
_REPORTS: Final = re.compile(r"88\.[0-9]+(\.[0-9]+)?")
_CAPTURES: Final = re.compile(r"7(\.[0-9])?")
_ULTRASOUND: Final = re.compile(r"3(\.1)?|6(\.[0-9])?")
_SLIDES: Final = "77.1.6"
_FLUOROSCOPY: Final = frozenset({"XA", "RF", "DS", "DF", "CF", "VF"})

_MODALITIES: Final = {
    **dict.fromkeys(("US", "IVUS", "BDUS", "EC", "CD", "DD"), "ultrasound shows the patient's name"),
    **dict.fromkeys(("SC", "OT", "HC", "DG", "SCN"), "it is a capture of a screen or of paper"),
    **dict.fromkeys(("XC", "ES", "LP", "CP", "CS", "DM", "GM"), "it is a photograph or an endoscopy"),
    **dict.fromkeys(("OP", "FA", "FS", "AR", "OCT", "IVOCT", "LEN", "KER", "SRF", "VA", "OPV", "OPM", "OSS", "IOL", "BI"), "such devices write on their pictures"),
    **dict.fromkeys(("BMD", "ECG", "EPS", "HD", "RESP", "EEG", "EMG", "EOG"), "such devices give reports as pictures"),
    **dict.fromkeys(("SR", "DOC", "AU", "ASMT", "TEXTUREMAP", "M3D", "LS", "PLAN"), "it is a document"),
}  # fmt: skip
_TELLING: Final = ("SCREEN", "SAVE", "CAPTURE", "REPORT", "PROTOCOL", "DOSE", "LABEL", "OVERVIEW", "PHOTO", "PAPER")
VIDEO: Final = frozenset(
    f"1.2.840.10008.1.2.4.{number}"
    for number in (*range(100, 109), "100.1", "101.1", "102.1", "103.1", "104.1", "105.1", "106.1")
)


def check_pattern(value: str | None) -> str | None:
    """Return a text to look for in devices' names. Raises ValueError."""
    if value is not None and (not value.strip() or value.count("*") > _STARS):
        raise ValueError(f"must be text, with at most {_STARS} stars")
    return value


def alike(pattern: str | None, text: str) -> bool:
    """Return whether a text of a device is the one meant: case and outer spaces do not count, `*` stands for any text."""
    if pattern is None:
        return True
    shape = ".*".join(re.escape(part) for part in pattern.strip().casefold().split("*"))
    return re.fullmatch(shape, text.strip().casefold(), re.DOTALL) is not None


class Allowance(SettingsModel):
    """Instances at risk that may pass all the same, and who says so. All that is named must fit."""

    modality: str | None = Field(default=None, description="Modality (0008,0060), such as US.")
    sop_class: str | None = Field(default=None, description="SOP Class UID (0008,0016).")
    manufacturer: str | None = Field(default=None, description="Manufacturer (0008,0070); `*` stands for any text.")
    model: str | None = Field(
        default=None, description="Manufacturer's Model Name (0008,1090); `*` stands for any text."
    )
    burned_in: Literal["NO", "unsaid", "any"] = Field(
        default="unsaid",
        description="What Burned In Annotation (0028,0301) may say: `NO` alone; `unsaid`, anything but YES; or `any`.",
    )
    reason: str = Field(min_length=8, max_length=200, description="Why this is safe, for whoever reads the profile.")

    _names = field_validator("manufacturer", "model")(check_pattern)

    @field_validator("modality")
    @classmethod
    def _code(cls, value: str | None) -> str | None:
        if value is not None and _CODE.fullmatch(value) is None:
            raise ValueError("must be a modality such as US")
        return value

    @field_validator("sop_class")
    @classmethod
    def _uid(cls, value: str | None) -> str | None:
        if value is not None and _UID.fullmatch(value) is None:
            raise ValueError("must be a SOP Class UID")
        return value

    @model_validator(mode="after")
    def _says_what(self) -> "Allowance":
        if self.modality is None and self.sop_class is None:
            raise ValueError("must name a modality or a sop_class")
        return self

    def fits(self, header: Header) -> bool:
        """Return whether these instances are meant."""
        said = header.burned_in.upper()
        return (
            self.modality in {None, header.modality.upper()}
            and self.sop_class in {None, header.sop_class_uid}
            and alike(self.manufacturer, header.manufacturer)
            and alike(self.model, header.model)
            and (self.burned_in == "any" or said == "NO" or (self.burned_in == "unsaid" and said != "YES"))
        )


class PixelSettings(SettingsModel):
    """The section `pixels:` of a profile."""

    masks: bool = Field(default=True, description="Whether the regions of device masks are painted black.")
    at_risk: tuple[str, ...] = Field(
        default=(), max_length=100, strict=False, description="Modalities at risk beside those that always are."
    )
    allow: tuple[Allowance, ...] = Field(
        default=(), max_length=200, strict=False, description="Instances at risk that may pass without a mask."
    )

    @field_validator("at_risk")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(_CODE.fullmatch(code) is None for code in value):
            raise ValueError("must be modalities such as DX")
        return value


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels, counted from 0 at the top left."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done with the pixels of one instance: nothing (`clean`), paint `regions` black (`mask`), or keep it back (`at-risk`).

    `why` says in words why it is at risk, also where an allowance or a mask lets it pass.
    """

    verdict: Literal["clean", "mask", "at-risk"]
    regions: tuple[Region, ...] = ()
    why: str = ""


def judge(header: Header, settings: PixelSettings, regions: tuple[Region, ...] = ()) -> Judgement:
    """Judge an instance. `regions` are those of the masks of its device."""
    why = risk(header) or (
        "the profile says so of this modality" if header.modality.upper() in settings.at_risk else ""
    )
    if settings.masks and regions and header.rows and header.columns:
        return Judgement("mask", regions, why)
    if why and not any(allowance.fits(header) for allowance in settings.allow):
        return Judgement("at-risk", why=why)
    return Judgement("clean", why=why)


def risk(header: Header) -> str:
    """Return why the pixels of this instance may show who the patient is, or nothing."""
    if header.burned_in.upper() == "YES":
        return "its header says that text is burned in"
    if header.recognizable.upper() == "YES":
        return "its header says that the patient can be recognised"
    uid = header.sop_class_uid
    kind = uid.removeprefix(_STORAGE) if uid.startswith(_STORAGE) else ""
    if _NO_PICTURES.fullmatch(kind):
        return ""
    return _of_class(kind, header) or _MODALITIES.get(header.modality.upper(), "") or _of_header(header)


def _of_class(kind: str, header: Header) -> str:
    for shape, why in (
        (_DOCUMENTS, "it is a document"),
        (_REPORTS, "it is a report"),
        (_CAPTURES, "it is a capture of a screen or of paper"),
        (_ULTRASOUND, "ultrasound shows the patient's name"),
    ):
        if shape.fullmatch(kind):
            return why
    if kind not in _IMAGES:
        return "it is of a kind that is not known to be free of text"
    if kind == _SLIDES and "VOLUME" not in header.image_type.split("\\"):
        return "it shows the label of the slide"
    if header.transfer_syntax in VIDEO:
        return "it is a video"
    return ""


def _of_header(header: Header) -> str:
    if not header.modality:
        return "it names no modality"
    if header.conversion_type:
        return "it was converted from a screen, film or paper"
    if any(word in header.image_type.upper() for word in _TELLING):
        return "its image type is that of a capture or a report"
    if header.modality.upper() in _FLUOROSCOPY and not header.image_type.startswith("ORIGINAL\\PRIMARY"):
        return "it was not taken as it is from the detector"
    return ""
