"""Projects as administrators see them, and what may be a name of one."""

import pytest

from leadglass.clock import rfc3339
from leadglass.model.project import NAME, Project


def test_a_document_says_all_of_it_but_keys() -> None:
    made = Project("lung", "Lung study", "basic", 1_800_000_000.0, "root", "open", 1)
    assert made.document(rfc3339) == {
        "name": "lung", "title": "Lung study", "profile": "basic", "created": "2027-01-15T08:00:00.000000Z",
        "created_by": "root", "state": "open", "generation": 1, "key_destroyed": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "a" * 33, "ä", "a\n"])
def test_other_names_are_none(name: str) -> None:
    assert NAME.fullmatch(name) is None


@pytest.mark.parametrize("name", ["a", "lung", "lung-2", "a" * 32])
def test_names(name: str) -> None:
    assert NAME.fullmatch(name)
