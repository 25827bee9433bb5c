import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy import tables
from leadglass.policy.schemas import Schema

SCHEMA = Schema(
    "s.json",
    orjson.dumps({"type": "object", "additionalProperties": False, "properties": {"on": {"type": "boolean"}}}),
)


def test_a_table_is_plain_data() -> None:
    assert tables.table("data/t.yaml", b"on: false\n", SCHEMA) == {"on": False}


def test_no_is_not_false() -> None:
    with pytest.raises(ConfigurationError, match=r"data/t\.yaml:2: on: must be boolean"):
        tables.table("data/t.yaml", b"# c\non: NO\n", SCHEMA)


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"data/t\.yaml:1"):
        tables.table("data/t.yaml", b"off: true\n", SCHEMA)


def test_a_table_without_a_schema_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no schema") as error:
        tables.table("data/t.yaml", b"on: true\n", None)
    assert "schemas/tables/t.json" in error.value.hint


def test_tables_are_all_there_is_in_the_data() -> None:
    assert tables.data({"b": {}, "a": {"x": 1}}) == b'{"tables":{"a":{"x":1},"b":{}}}'
