import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.accept import JSON, Offers, related
from leadglass.limits import ACCEPT_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

OCTETS, JPEG, DICOM = related("application/octet-stream"), related("image/jpeg"), related("application/dicom")
FRAMES = Offers((OCTETS, JPEG, "image/jpeg"))
ROWS = Offers((JSON,))
INSTANCES = Offers((DICOM,))

CHOSEN = [
    (ROWS, None, JSON),
    (ROWS, "*/*", JSON),
    (ROWS, "application/dicom+json", JSON),
    (ROWS, "application/json", JSON),
    (ROWS, "Application/DICOM+JSON", JSON),
    (ROWS, "application/dicom+json; charset=utf-8", JSON),
    (ROWS, "application/*", JSON),
    (ROWS, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
    (ROWS, 'multipart/related; type="application/dicom+xml", application/dicom+json', JSON),
    (FRAMES, None, OCTETS),
    (FRAMES, "multipart/related", OCTETS),
    (FRAMES, 'multipart/related; type="*/*"', OCTETS),  # dicomweb-client's
    (FRAMES, 'multipart/related; type="application/octet-stream"; transfer-syntax=*', f"{OCTETS}; transfer-syntax=*"),
    (FRAMES, "multipart/related;type=application/octet-stream;transfer-syntax=*", f"{OCTETS}; transfer-syntax=*"),
    (
        FRAMES,
        'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50',
        f"{JPEG}; transfer-syntax=1.2.840.10008.1.2.4.50",
    ),
    (FRAMES, 'multipart/related; type="image/*"', JPEG),
    (FRAMES, "image/*", "image/jpeg"),
    (FRAMES, 'image/png, multipart/related; type="image/jpeg";q=0.5, */*;q=0.1', JPEG),
    (FRAMES, "*/*, image/jpeg", "image/jpeg"),
    (FRAMES, f"image/jpeg;q=0.1, {OCTETS};q=0.9", OCTETS),
    (INSTANCES, 'multipart/related; type="application/dicom"; transfer-syntax="*"', f"{DICOM}; transfer-syntax=*"),
]


@pytest.mark.parametrize(("offers", "accept", "chosen"), CHOSEN, ids=[f"{row[1]}" for row in CHOSEN])
def test_one_media_type_is_chosen_and_written_one_way(offers: Offers, accept: str | None, chosen: str) -> None:
    assert offers.choose(accept) == chosen
    assert offers.choose(chosen) == chosen


def test_a_transaction_without_a_reply_body_asks_for_anything() -> None:
    assert Offers(()).choose("image/png") == "*/*"


REFUSED = [
    (ROWS, 'multipart/related; type="application/dicom+xml"'),
    (ROWS, "application/dicom+xml"),
    (ROWS, "text/html"),
    (ROWS, "application/dicom+json;q=0"),
    (ROWS, "*/*, application/dicom+json;q=0"),
    (ROWS, ""),
    (ROWS, ","),
    (ROWS, "*/*,"),
    (ROWS, ",*/*"),
    (ROWS, "*"),
    (ROWS, "*/json"),
    (ROWS, "application/dicom+json;q=2"),
    (ROWS, "application/dicom+json;q=0.1234"),
    (ROWS, "application/dicom+json;q=1;q=0"),
    (ROWS, "application/dicom+json;"),
    (ROWS, 'application/dicom+json; x="'),
    (ROWS, "application/dicom+json\r\nX: 1"),
    (ROWS, "*/*" + " " * ACCEPT_BYTES),
    (FRAMES, "application/zip"),
    (FRAMES, 'multipart/related; type="application/zip"'),
    (FRAMES, "multipart/related; type=image/jpeg; transfer-syntax=01.2"),
    (FRAMES, "multipart/related; type=image/jpeg; transfer-syntax=1.2,1.3"),
    (FRAMES, "multipart/related; type=image/jpeg; type=application/dicom"),
    (INSTANCES, "application/dicom"),
    (INSTANCES, "application/zip"),
]


@pytest.mark.parametrize(("offers", "accept"), REFUSED, ids=[row[1][:60] for row in REFUSED])
def test_what_is_not_offered_is_not_acceptable(offers: Offers, accept: str) -> None:
    with pytest.raises(Refusal) as caught:
        offers.choose(accept)
    assert caught.value.causes[0].reason.code == Code.NOT_ACCEPTABLE


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ai/*;=, "q01.multipart-related', max_size=60))
def test_the_answer_is_always_an_offer(accept: str) -> None:
    try:
        chosen = FRAMES.choose(accept)
    except Refusal:
        return
    assert chosen.partition("; transfer-syntax=")[0] in FRAMES.media
