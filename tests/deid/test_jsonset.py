import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from leadglass.codec.dicomjson import write_rows
from leadglass.deid.jsonset import deidentify_row
from leadglass.deid.known import Known
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile, SafeBlock
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import Refusal

KNOWN = Known.of({0x00100010: ["Doe^Jane"], 0x00100020: ["P-77"]})


def values(*options: Option, **more: object) -> Values:
    profile = Profile.model_validate({"title": "T", "options": options, **more})
    return Values(Rules(profile), Pseudonyms(b"k" * 32, Patient.of(None, "P-77"), 365), KNOWN)


def row(**attributes: object) -> dict[str, Any]:
    return {name[1:]: attribute for name, attribute in attributes.items()}


STUDY = row(
    _00080005={"vr": "CS", "Value": ["ISO_IR 192"]},
    _00080020={"vr": "DA", "Value": ["20240101"]},
    _00080030={"vr": "TM", "Value": ["101112"]},
    _00080050={"vr": "SH", "Value": ["A1"]},
    _00080061={"vr": "CS", "Value": ["CT", "SR"]},
    _00080090={"vr": "PN", "Value": [{"Alphabetic": "Ref^Erring"}]},
    _00081030={"vr": "LO", "Value": ["CT of Jane Doe"]},
    _00081190={"vr": "UR", "Value": ["https://pacs/studies/1.2.3"]},
    _00100010={"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "X"}]},
    _00100020={"vr": "LO", "Value": ["P-77"]},
    _00100030={"vr": "DA", "Value": ["19700101"]},
    _0020000D={"vr": "UI", "Value": ["1.2.3"]},
    _00201206={"vr": "IS", "Value": [3]},
)


def test_a_row_of_a_search_is_seen_as_the_view_shows_it() -> None:
    one = values(Option.RETAIN_MODIFIED_DATES, Option.CLEAN_DESCRIPTORS)
    names = one.pseudonyms
    assert deidentify_row(STUDY, one) == row(
        _00080005={"vr": "CS", "Value": ["ISO_IR 192"]},
        _00080020={"vr": "DA", "Value": [names.moved("20240101")]},
        _00080030={"vr": "TM", "Value": ["101112"]},
        _00080050={"vr": "SH", "Value": [names.identifier("accession-number", "A1")]},
        _00080061={"vr": "CS", "Value": ["CT", "SR"]},
        _00080090={"vr": "PN"},
        _00081030={"vr": "LO", "Value": ["CT of"]},
        _00081190={"vr": "UR"},
        _00100010={"vr": "PN", "Value": [{"Alphabetic": names.patient_id}]},
        _00100020={"vr": "LO", "Value": [names.patient_id]},
        _00100030={"vr": "DA"},
        _0020000D={"vr": "UI", "Value": [names.uid("1.2.3")]},
        _00201206={"vr": "IS", "Value": [3]},
    )


def test_a_whole_data_set_says_that_it_was_de_identified() -> None:
    done = deidentify_row(STUDY | row(_00120063={"vr": "LO", "Value": ["by hand for Doe"]}), values(), marked=True)
    assert done["00120062"] == {"vr": "CS", "Value": ["YES"]}
    assert done["00120063"]["Value"] == ["Leadglass, PS3.15 2024e", "T"]
    assert done["00120064"]["Value"][0]["00080100"] == {"vr": "SH", "Value": ["113100"]}
    assert list(done) == sorted(done)
    assert Dataset.from_json(json.dumps(done)).PatientIdentityRemoved == "YES"


def nested(depth: int, inner: dict[str, Any]) -> dict[str, Any]:
    for _ in range(depth):
        inner = {"52009229": {"vr": "SQ", "Value": [inner]}}
    return inner


@pytest.mark.parametrize("depth", [1, 2, 5, 20, NESTING_DEPTH])
def test_items_are_gone_into_at_every_depth(depth: int) -> None:
    inner = row(_00100010={"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}, _00321033={"vr": "LO", "Value": ["Doe"]})
    assert "Doe" not in json.dumps(deidentify_row(nested(depth, inner), values()))


def test_what_nests_deeper_than_the_bound_is_refused() -> None:
    with pytest.raises(Refusal, match="deid-unreadable"):
        deidentify_row(nested(NESTING_DEPTH + 1, {}), values())


def test_a_sequence_that_needs_an_item_has_a_dummy() -> None:
    done = deidentify_row(
        row(_0040A730={"vr": "SQ", "Value": [row(_0040A160={"vr": "UT", "Value": ["Doe"]})]}), values()
    )
    assert done["0040A730"]["Value"][0]["0040A160"]["Value"] == ["ANONYMIZED"]
    assert deidentify_row(row(_00400562={"vr": "SQ", "Value": [{}]}), values()) == row(_00400562={"vr": "SQ"})


def test_text_in_structured_content_is_cleaned_with_its_option() -> None:
    content = row(
        _0040A730={
            "vr": "SQ",
            "Value": [
                row(
                    _0040A043={"vr": "SQ", "Value": [row(_00080104={"vr": "LO", "Value": ["Finding of Doe"]})]},
                    _0040A123={"vr": "PN", "Value": [{"Alphabetic": "Smith"}]},
                    _0040A160={"vr": "UT", "Value": ["Jane Doe has a cyst"]},
                )
            ],
        }
    )
    done = json.dumps(deidentify_row(content, values(Option.CLEAN_STRUCTURED)))
    assert "has a cyst" in done
    assert "Finding of" in done
    assert not any(name in done for name in ("Doe", "Jane", "Smith"))


def test_bulk_data_stay_only_by_the_uri_they_are_given() -> None:
    asked = []

    def bulk(uri: str, path: str) -> str | None:
        asked.append((uri, path))
        return "https://gateway/handle" if path == "7FE00010" else None

    pixels = row(
        _00089215={"vr": "SQ", "Value": [row(_00281201={"vr": "OW", "BulkDataURI": "https://pacs/1.2.3/lut"})]},
        _00420011={"vr": "OB", "BulkDataURI": "https://pacs/1.2.3/document"},
        _7FE00010={"vr": "OW", "BulkDataURI": "https://pacs/1.2.3/pixels"},
    )
    assert deidentify_row(pixels, values()) == row(
        _00089215={"vr": "SQ", "Value": [row(_00281201={"vr": "OW"})]},
        _00420011={"vr": "OB", "InlineBinary": "AAA="},
        _7FE00010={"vr": "OW"},
    )
    assert deidentify_row(pixels, values(), bulk=bulk)["7FE00010"] == {
        "vr": "OW",
        "BulkDataURI": "https://gateway/handle",
    }
    assert asked == [("https://pacs/1.2.3/lut", "00089215.0.00281201"), ("https://pacs/1.2.3/pixels", "7FE00010")]


def test_pixels_never_stay_inline() -> None:
    inline = row(_7FE00010={"vr": "OW", "InlineBinary": "AAAA"}, _00283006={"vr": "OW", "InlineBinary": "AAAA"})
    assert deidentify_row(inline, values()) == row(
        _7FE00010={"vr": "OW"}, _00283006={"vr": "OW", "InlineBinary": "AAAA"}
    )


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "LO", "Value": [{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}}]},
        {"vr": "LO", "Value": [["Doe"]]},
        {"vr": "LO", "Value": {"x": "Doe"}},
        {"vr": "LO", "Value": ["CT"], "Doe": "Doe"},
        {"vr": "Doe", "Value": [{"Doe": 1}]},
        {"vr": "PN", "Value": [{"Alphabetic": "CT", "Other": "Doe"}, "Doe"]},
        {"vr": "SQ", "Value": ["Doe", {"Doe": {"vr": "LO", "Value": ["Doe"]}}]},
        {"vr": "LO", "BulkDataURI": "https://Doe"},
        {"Doe": "Doe"},
        {"vr": 1, "Value": [{"Doe": 1}]},
        "Doe",
    ],
)
def test_what_has_not_the_form_of_an_attribute_does_not_pass(attribute: object) -> None:
    assert "Doe" not in json.dumps(deidentify_row(row(_00081090=attribute), values()))


@pytest.mark.parametrize("name", ["Doe", "0010001Z", "000811", "+0080060", " 0080060", "Doe_0060"])
def test_names_that_are_no_tags_do_not_pass(name: str) -> None:
    assert deidentify_row({name: {"vr": "LO", "Value": ["x"]}}, values()) == {}


def test_pictures_in_items_are_gone() -> None:
    data = row(_00283010={"vr": "SQ", "Value": [row(_7FE00010={"vr": "OW", "BulkDataURI": "u"})]})
    assert deidentify_row(data, values(), bulk=lambda _uri, _path: "ours") == row(_00283010={"vr": "SQ", "Value": [{}]})


def test_private_text_is_cleaned_where_all_text_is() -> None:
    block = SafeBlock(creator="ACME", group="0019", elements=("0C",))
    one = values(Option.RETAIN_SAFE_PRIVATE, Option.CLEAN_STRUCTURED, private=(block,))
    item = row(_00190010={"vr": "LO", "Value": ["ACME"]}, _0019100C={"vr": "LO", "Value": ["head of Jane Doe"]})
    told = deidentify_row(row(_0040A730={"vr": "SQ", "Value": [item]}), one)
    assert told["0040A730"]["Value"][0]["0019100C"]["Value"] == ["head of"]


def test_private_attributes_stay_by_the_creator_in_the_same_item() -> None:
    block = SafeBlock(creator="ACME", group="0019", elements=("0C",))
    one = values(Option.RETAIN_SAFE_PRIVATE, private=(block,))
    creator, value = {"vr": "LO", "Value": ["ACME"]}, {"vr": "DS", "Value": [1]}
    kept = row(_00190010=creator, _0019100C=value)
    assert deidentify_row(kept | row(_0019100D=value, _0019110C=value), one) == kept
    assert deidentify_row(kept, values()) == {}
    orphan = row(_00190010=creator, _00089215={"vr": "SQ", "Value": [row(_0019100C=value)]})
    assert deidentify_row(orphan, one) == row(_00190010=creator, _00089215={"vr": "SQ", "Value": [{}]})


def test_a_representation_that_is_none_becomes_that_of_the_dictionary() -> None:
    had = row(_00280106={"vr": "US or SS", "Value": [1]}, _FFFEE000={"vr": "LO", "Value": ["Doe"]})
    assert deidentify_row(had, values()) == row(_00280106={"vr": "US", "Value": [1]})


def test_names_written_small_are_the_same_attribute() -> None:
    assert deidentify_row({"0020000d": {"vr": "UI", "Value": ["1.2.3"]}}, values()).keys() == {"0020000D"}


def test_numbers_stay_numbers_and_bytes_stay_bytes() -> None:
    one = values(Option.RETAIN_PATIENT)
    had = row(
        _00101030={"vr": "DS", "Value": [70.5, None]},
        _00280010={"vr": "US", "Value": [512]},
        _00101010={"vr": "AS", "Value": ["094Y"]},
    )
    assert deidentify_row(had, one) == had | row(_00101010={"vr": "AS", "Value": ["090Y"]})


def test_what_comes_out_is_read_by_pydicom() -> None:
    held = BytesIO()
    Dataset.from_json(json.dumps(deidentify_row(STUDY, values(), marked=True))).save_as(
        held, implicit_vr=False, little_endian=True
    )
    held.seek(0)
    assert dcmread(held, force=True).PatientIdentityRemoved == "YES"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "Alphabetic", "InlineBinary", "BulkDataURI", "00100010", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
TAGS = st.sampled_from(sorted(values().rules.acts)).map("{:08X}".format) | st.text(
    "0123456789ABCDEF", min_size=8, max_size=8
)
VRS = st.sampled_from(["LO", "SQ", "PN", "UI", "DA", "DS", "OB", "UN", "AT", "zz"])


@settings(max_examples=200, deadline=None)
@given(given_row=st.dictionaries(TAGS, st.fixed_dictionaries({"vr": VRS, "Value": JSON}) | JSON, max_size=6))
def test_whatever_comes_is_de_identified_and_can_be_written(given_row: dict[str, Any]) -> None:
    one = values(Option.CLEAN_DESCRIPTORS, Option.RETAIN_MODIFIED_DATES)
    done = deidentify_row(given_row, one, marked=True, bulk=lambda _uri, _path: None)
    assert json.loads(write_rows([done])) == [json.loads(json.dumps(done))]
    assert set(done) <= set(map(str.upper, given_row)) | {"00120062", "00120063", "00120064", "00280303"}
