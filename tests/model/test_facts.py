"""Facts: an absent one is an absent key, and what a lease ranges over is left out of its key."""

import orjson

from leadglass.model.facts import Context, Device, Resource, Study, Subject


def plain(value: object) -> dict[str, object]:
    document: dict[str, object] = orjson.loads(orjson.dumps(value))
    return document


def test_what_a_subject_does_not_claim_is_absent() -> None:
    document = plain(Subject("person", "a", "i", b"", 1.0).document)
    assert "acr" not in document
    assert "auth_time" not in document
    assert "token_hash" not in document
    assert document["roles"] == []
    assert document["claims"] == {}


def test_what_no_source_told_of_a_study_is_absent_and_not_empty() -> None:
    document = plain(Study("1.2.3", conditions=(), series={"1.2.3.4": "CT"}).document)
    assert document == {"study_uid": "1.2.3", "conditions": []}


def test_documents_are_canonical() -> None:
    subject = Subject("person", "a", "i", b"", 1.0, claims={"z": 1, "a": 2})
    text = orjson.dumps(subject.document)
    assert text == orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def test_the_age_of_a_posture_is_never_negative() -> None:
    device = Device("d", "n", "o", "i", "mtls", "software", 1.0, received=100.0)
    assert device.age(107.0) == 7.0
    assert device.age(90.0) == 0.0
    assert Device("d", "n", "o", "i", "mtls", "software", 1.0).age(5.0) is None


def test_a_resource_leaves_out_of_a_lease_what_it_ranges_over() -> None:
    resource = Resource("frames", "1.2", "1.2.3", "1.2.3.4", (1, 2), "7FE00010", exists=False, upstream="vna")
    assert set(resource.lasting()) == {"type", "study_uid", "attribute", "exists", "upstream"}
    assert resource.document()["frames"] == (1, 2)
    assert Resource("study", "1.2").document() == {"type": "study", "study_uid": "1.2"}


def test_a_context_says_that_there_is_no_break_glass_and_is_silent_on_what_is_unknown() -> None:
    document = Context("http", "192.0.2.1", 9, 1).document()
    assert document["break_glass"] is None
    assert not {"country", "purpose"} & set(document)
    assert (document["hour"], document["weekday"]) == (9, 1)
    assert not {"hour", "weekday"} & set(Context("http", "192.0.2.1", 9, 1).lasting())
