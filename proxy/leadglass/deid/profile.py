"""Profiles: what is de-identified and how, in YAML that a privacy officer can read and sign.

A profile names the options of Annex E, and what differs for single attributes. Shipped ones stand in `profiles/`; those of
a site are in a folder of its own, and one with a shipped one's name takes its place.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import orjson
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from leadglass import limits
from leadglass.codec import dictionary, strictyaml
from leadglass.deid.acts import TEXT, Act, act_of, leaves_more
from leadglass.deid.options import Option, contradict
from leadglass.deid.risk import PixelSettings
from leadglass.deid.table import ROWS
from leadglass.model.errors import ConfigurationError, ConfigurationErrors
from leadglass.model.settings import SettingsModel

WORDS: Final = {
    "keep": Act.KEEP, "remove": Act.REMOVE, "empty": Act.EMPTY, "dummy": Act.DUMMY, "uid": Act.UID,
    "pseudonym": Act.IDENTIFIER, "shift": Act.SHIFT, "clean": Act.CLEAN, "age": Act.AGE, "zip3": Act.POSTCODE,
}  # fmt: skip
"""What a profile may say of an attribute."""

_FOR: Final = {
    "uid": {"UI"}, "pseudonym": {"LO", "SH", "PN"}, "shift": {"DA", "DT", "TM"}, "clean": TEXT - {"AE", "UR"} | {"SQ"},
    "age": {"AS"}, "zip3": TEXT,
}  # fmt: skip
_NAME: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")
_DEPTH: Final = 4  # a list in a block in the list of private blocks
_PROBLEMS: Final = {"missing": "is missing", "extra_forbidden": "is not a field of a profile"}
# The markers, and what the bytes of a data set are read by, are not a profile's to change.
_FIXED: Final = frozenset({0x00080005, 0x00120062, 0x00120063, 0x00120064, 0x00280303})


def _attribute(name: str) -> str:
    tag = dictionary.tag(name)
    if tag is None or dictionary.is_private(tag):
        raise ValueError("is no attribute of the DICOM dictionary, by keyword or GGGGEEEE")
    if int(tag, 16) in _FIXED:
        raise ValueError("is not a profile's to change")
    return name


def _group(name: str) -> str:
    if name in {"0001", "0003", "0005", "0007", "FFFF"}:
        raise ValueError("is a group that no private attribute may have (PS3.5 section 7.8)")
    return name


Attribute = Annotated[str, AfterValidator(_attribute)]
Word = Literal["keep", "remove", "empty", "dummy", "uid", "pseudonym", "shift", "clean", "age", "zip3"]


class SafeBlock(SettingsModel):
    """Private attributes that hold nothing of a person, as their maker documents (PS3.15 section E.3.10)."""

    creator: str = Field(min_length=1, max_length=64, description="The Private Creator, as it stands in the data set.")
    group: Annotated[str, AfterValidator(_group)] = Field(
        pattern="^[0-9A-F]{3}[13579BDF]$", description="The group, four hexadecimal digits, odd."
    )
    elements: tuple[Annotated[str, Field(pattern="^[0-9A-F]{2}$")], ...] = Field(
        min_length=1, description="The last two hexadecimal digits of each element that stays."
    )


class Profile(SettingsModel):
    """One profile. `name` is that of its file."""

    name: str = ""
    title: str = Field(
        pattern=r"^[ -\[\]-~]{1,64}$", description="What it is for, in one line of ASCII; it stands in the images."
    )
    description: str | None = Field(None, description="For whom it is and why, for people who read it.")
    options: tuple[Option, ...] = Field((), description="Options of PS3.15 section E.3.")
    conformant: bool = Field(
        default=True, description="False lets attributes leave more than Annex E does; images then do not claim it."
    )
    ages_over_89: bool = Field(default=True, description="Ages over 89 years become 090Y (HIPAA 164.514(b)(2)(i)(C)).")
    zip3: bool = Field(
        default=True, description="ZIP codes in text become their first three digits (HIPAA 164.514(b)(2)(i)(B))."
    )
    shift_days: int = Field(
        365, ge=1, le=limits.DATE_SHIFT_DAYS, description="Largest number of days that dates are moved by."
    )
    private: tuple[SafeBlock, ...] = Field((), description="Private attributes that stay with retain-safe-private.")
    pixels: PixelSettings = Field(
        PixelSettings(), description="Which images may show the patient, and what of them passes."
    )
    attributes: dict[Attribute, Word] = Field(
        default={}, description="What differs for single attributes, by keyword or GGGGEEEE."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.options)) < len(self.options):
            raise _wrong("one is named twice", "options")
        if contradict(self.options):
            raise _wrong("dates are kept in full or modified, not both", "options")
        if self.private and Option.RETAIN_SAFE_PRIVATE not in self.options:
            raise _wrong("needs the option retain-safe-private", "private")
        seen: set[int] = set()
        for name, word in self.attributes.items():
            tag = tag_of(name)
            if tag in seen:
                raise _wrong("is named twice, by keyword and by tag", "attributes", name)
            seen.add(tag)
            self._judge(name, tag, word)
        return self

    def _judge(self, name: str, tag: int, word: Word) -> None:
        vr = dictionary.vr(f"{tag:08X}")
        if vr not in _FOR.get(word, {vr}):
            raise _wrong(f"cannot be `{word}`: its value representation is {vr}", "attributes", name)
        if word == "shift" and Option.RETAIN_MODIFIED_DATES not in self.options:
            raise _wrong("`shift` needs the option retain-modified-dates", "attributes", name)
        if self.conformant and leaves_more(WORDS[word], standard(tag, vr, self.options)):
            raise _wrong(
                f"`{word}` leaves more than Annex E does under these options; `conformant: false` allows it",
                "attributes",
                name,
            )


def _wrong(problem: str, *at: str) -> PydanticCustomError:
    return PydanticCustomError("profile", "{problem}", {"problem": problem, "at": at})


def tag_of(name: str) -> int:
    """Return the tag of an attribute that a profile names."""
    return int(dictionary.tag(name) or "", 16)


def standard(tag: int, vr: str, options: tuple[Option, ...]) -> Act:
    """Return what the standard does to an attribute under these options; what it does not name is kept."""
    row = ROWS.get(tag)
    if row is None:
        return Act.KEEP
    return act_of(row.action(options), vr, row.strongest, moment=Option.RETAIN_MODIFIED_DATES in row.options)


def load_profiles(folder: Path | None = None) -> Mapping[str, Profile]:
    """Return the shipped profiles and those in `folder`, by name.

    Raises ConfigurationError with file and line for what is wrong in any of them, or when the folder cannot be read.
    """
    found: dict[str, Profile] = {}
    for entry in (files(__package__) / "profiles").iterdir():
        if entry.name.endswith(".yaml"):
            profile = parse(entry.name, entry.read_bytes())
            found[profile.name] = profile
    if folder is None:
        return found
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
        texts = [(path, path.read_bytes()) for path in names]
    except OSError as error:
        raise ConfigurationError(f"cannot read {error.filename or folder}: {error.strerror}") from None
    if len(texts) > limits.DEID_PROFILES:
        raise ConfigurationError(f"holds more than {limits.DEID_PROFILES} profiles", where=str(folder))
    return found | {profile.name: profile for profile in (parse(str(path), text) for path, text in texts)}


def parse(where: str, text: bytes) -> Profile:
    """Return the profile in `text`; `where` is its file. Raises ConfigurationError with file and line."""
    if len(text) > limits.DEID_PROFILE_BYTES:
        raise ConfigurationError(f"is larger than {limits.DEID_PROFILE_BYTES} bytes", where=where)
    name = Path(where).stem
    if not _NAME.fullmatch(name):
        raise ConfigurationError("a profile's name is a-z, 0-9 and -, at most 32 characters", where=where)
    tree = strictyaml.load(where, text, lines=False)
    if not isinstance(tree, dict) or "name" in tree:
        raise ConfigurationError("is not a mapping of a profile's fields", where=where, hint="its name is its file's")
    try:
        strictyaml.spelt_out(tree, _DEPTH)
        return Profile.model_validate_json(orjson.dumps({**tree, "name": name}))
    except ValidationError as error:
        lined = strictyaml.load(where, text)
        raise ConfigurationErrors([_fault(where, lined, one) for one in error.errors(include_url=False)]) from None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"is not usable YAML: {str(error).splitlines()[0]}", where=where) from None


def _fault(where: str, tree: object, error: ErrorDetails) -> ConfigurationError:
    at = error.get("ctx", {}).get("at", error["loc"])  # a judgement on the whole says itself where it looked
    path = tuple(part for part in at if part != "[key]")
    problem = _PROBLEMS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    shown = ".".join(map(str, path))
    return ConfigurationError(
        f"{shown}: {problem}" if shown else problem,
        where=f"{where}:{strictyaml.line(tree, path)}",
        hint="docs/deidentification.md says what a profile holds",
    )
