"""The tables people edit: strict YAML, each with a schema, all of them under `data.tables` and nowhere else.

A table that could land elsewhere could pose as a rule: a data document under `leadglass.rules` granted access.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

import orjson

from leadglass.model.errors import ConfigurationError
from leadglass.policy.schemas import Schema, SchemaFault
from leadglass.policy.yamlfile import YamlFile

REASONS: Final = "reasons"  # data/reasons.yaml declares reasons; it is no table


def table(where: str, text: bytes, schema: Schema | None) -> Any:  # noqa: ANN401 - plain data
    """Read one table. Raises ConfigurationError with file and line; a table without a schema is an error."""
    if schema is None:
        raise ConfigurationError(
            "the table has no schema, so nothing in it could be checked",
            where=where,
            hint=f"write schemas/tables/{PurePosixPath(where).stem}.json",
        )
    document = YamlFile(where, text)
    try:
        schema.check(document.value)
    except SchemaFault as fault:
        raise document.fault(fault.path, fault.problem, "see the comments in the shipped table") from None
    return document.value


def data(tables: Mapping[str, object]) -> bytes:
    """Return the data document for these tables, as canonical JSON."""
    return orjson.dumps({"tables": dict(tables)}, option=orjson.OPT_SORT_KEYS)
