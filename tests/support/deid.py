"""What the tests of files rewritten share: values of one patient, and one run."""

import io
import warnings
from collections.abc import Iterable
from functools import cache

import pydicom
import pytest
from pydicom.dataset import Dataset

from leadglass.deid.instance import PixelFilters
from leadglass.deid.known import Known
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.profile import Profile, load_profiles
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

KNOWN = {0x00100010: ["A^B"], 0x00100020: ["P1"]}
SHIFT = 365


@cache
def rules(profile: str) -> Rules:
    return Rules(load_profiles(None)[profile])


def values(profile: str | Profile = "basic", known: dict[int, list[str]] | None = None) -> Values:
    made = rules(profile) if isinstance(profile, str) else Rules(profile)
    return Values(made, Pseudonyms(b"k" * 32, Patient.of("HOSP", "P1"), SHIFT), Known.of(known or KNOWN))


def pieces(data: bytes, sizes: Iterable[int] = ()) -> Iterable[bytes]:
    """Cut bytes into pieces of these sizes, and the rest."""
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def rewritten(
    data: bytes, by: Values | None = None, sizes: Iterable[int] = (), pixels: PixelFilters | None = None
) -> bytes:
    rewriter = Part10Rewriter(by or values(), pixels)
    out = [piece for fed in pieces(data, sizes) for piece in rewriter.feed(fed)]
    return b"".join([*out, *rewriter.finish()])


def refused(data: bytes, by: Values | None = None) -> str:
    """Return why a file is refused."""
    with pytest.raises(Refusal) as caught:
        rewritten(data, by)
    assert caught.value.causes[0].reason.code == Code.DEID_UNREADABLE
    return caught.value.detail


def read(data: bytes) -> Dataset:
    """Read all of a file as pydicom does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(io.BytesIO(data))
        found.walk(lambda _, one: one.value)
    return found
