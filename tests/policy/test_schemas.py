import orjson
import pytest

from leadglass.model.errors import ConfigurationError
from leadglass.policy.schemas import Schema, SchemaFault

ROLES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"on": {"type": "boolean"}, "list": {"type": "array", "items": {"$ref": "#/definitions/code"}}},
    "definitions": {"code": {"type": "string", "pattern": "^[a-z]+$"}},
}


def schema(document: object) -> Schema:
    return Schema("s.json", orjson.dumps(document))


def test_what_fits_passes() -> None:
    schema(ROLES).check({"on": True, "list": ["a"]})


@pytest.mark.parametrize(
    ("value", "path"),
    [({"on": "NO"}, ("on",)), ({"list": ["a", "B"]}, ("list", 1)), ({"off": 1}, ()), ([], ())],
    ids=["NO is no boolean", "item", "unknown field", "type"],
)
def test_what_does_not_fit_is_named(value: object, path: tuple[str | int, ...]) -> None:
    with pytest.raises(SchemaFault) as fault:
        schema(ROLES).check(value)
    assert fault.value.path == path


def test_the_value_itself_is_not_quoted() -> None:
    with pytest.raises(SchemaFault) as fault:
        schema(ROLES).check({"on": "Doe^Jane"})
    assert "Doe" not in str(fault.value)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"unevaluatedProperties": False}, id="keyword of a later draft"),
        pytest.param({"properties": {"a": {"prefixItems": []}}}, id="nested"),
        pytest.param({"$schema": "https://json-schema.org/draft/2020-12/schema"}, id="other draft"),
        pytest.param({"typ": "object"}, id="misspelt"),
        pytest.param({"properties": {"a": 1}}, id="no schema"),
        pytest.param([], id="a list"),
        pytest.param({"$ref": "#/definitions/gone"}, id="broken reference"),
    ],
)
def test_a_schema_that_would_not_be_checked_is_refused(document: object) -> None:
    with pytest.raises(ConfigurationError):
        schema(document)


def test_a_schema_that_is_not_json_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Schema("s.json", b"{")
