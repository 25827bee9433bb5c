"""Reasons that rules declare (`data/reasons.yaml`), merged with the gateway's own into one closed list."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leadglass.model.reasons import REASONS, Disclose, Reason
from leadglass.policy.yamlfile import YamlFile

_CODE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class _Row(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    status: int = Field(ge=400, le=499)
    title: str = Field(min_length=1)
    sentence: str = Field(min_length=1)
    fix: str = Field(min_length=1)
    disclose: Literal["subject", "log"]


def read(document: YamlFile, known: Mapping[str, Reason]) -> dict[str, Reason]:
    """Return the reasons of one file. Raises ConfigurationError for a code that is `known` already."""
    rows = document.value
    if not isinstance(rows, dict):
        raise document.fault((), "must be a mapping from code to reason")
    found: dict[str, Reason] = {}
    for code, row in rows.items():
        path = (code,)
        if not _CODE.fullmatch(code):
            raise document.fault(path, "a code is lower-case words joined by hyphens")
        if code in known:
            raise document.fault(path, "the code is declared already", "choose another code")
        try:
            fields = _Row.model_validate(row)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise document.fault((*path, *first["loc"]), first["msg"]) from None
        found[code] = Reason(code, fields.status, fields.title, fields.sentence, fields.fix, Disclose(fields.disclose))
    return found


def merged(documents: list[YamlFile]) -> Mapping[str, Reason]:
    """Return the gateway's reasons with those of `documents`. Raises ConfigurationError."""
    reasons: dict[str, Reason] = dict(REASONS)
    for document in documents:
        reasons.update(read(document, reasons))
    return MappingProxyType(reasons)
