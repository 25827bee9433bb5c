"""The tables people edit: each with a schema that bites, and each fit for the others."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from leadglass.access import reidentify
from leadglass.codec.routes import rows
from leadglass.model.errors import ConfigurationError
from leadglass.policy import tables
from leadglass.policy.schemas import Schema
from leadglass.policy.sources import PolicySet

POLICIES = Path(__file__).parents[2] / "policies"
STEMS = sorted(path.stem for path in (POLICIES / "data").glob("*.yaml"))
TABLES = [stem for stem in STEMS if stem != "reasons"]

FAULTS: dict[str, tuple[str, str]] = {
    "a role that grants an unknown action": (
        "roles",
        'transactions: ["wado-rs.*"]\nroles: {a: {allow: [{actions: [read]}]}}\n',
    ),
    "a role with an unknown key": (
        "roles",
        'transactions: ["wado-rs.*"]\nroles: {a: {allow: [{actions: [search], modality: [CT]}]}}\n',
    ),
    "a role for no archive": (
        "roles",
        'transactions: ["wado-rs.*"]\nroles: {a: {allow: [{actions: [search], upstreams: []}]}}\n',
    ),
    "a pattern that is too wide": ("roles", 'transactions: ["*"]\nroles: {}\n'),
    "modalities that are none": (
        "roles",
        'transactions: ["wado-rs.*"]\nroles: {a: {allow: [{actions: [search], modalities: []}]}}\n',
    ),
    "no sign-in to ask for": ("mfa", "acr_values: []\n"),
    "a shared device for nobody in particular": ("devices", "shared: {D: {}}\nexempt_service_roles: []\n"),
    "an age that is text": ("posture", 'max_age_seconds: "120"\nrequired: []\nroles: {}\nremediation: {}\n'),
    "a table that is cut short": ("posture", "max_age_seconds: 120\n"),
    "a switch that is text": ("treating", "enabled: NO\nexempt_roles: []\nlisted_roles: []\n"),
    "a weekday that is none": ("hours", "enabled: true\nroles: {a: {from: 7, to: 19, weekdays: [0]}}\n"),
    "an address that is no block": ("networks", "networks: {a: [10.0.0.1]}\neveryone: {}\nroles: {}\n"),
    "a purpose that is none": ("purpose", "roles: {researcher: []}\n"),
    "a class that is no UID": (
        "writes",
        "images: {roles: []}\nderived: {sop_classes: [SR]}\nreplace_roles: []\n",
    ),
    "an attribute by name": ("bulkdata", "open: [PixelData]\nroles: []\n"),
    "a key in lower case": ("search", 'open: ["0020000d"]\nroles: []\n'),
    "a prefix that every code has": (
        "oncology",
        "modalities: []\nroles: []\nlisted_roles: []\nicd10_prefixes: [C]\nsnomed: []\n",
    ),
    "a concept that is a number": (
        "oncology",
        "modalities: []\nroles: []\nlisted_roles: []\nicd10_prefixes: []\nsnomed: [363346000]\n",
    ),
    "a lease for ever": ("leases", "retrieve: {seconds: 301, scope: study}\n"),
    "a lease of a store": ("leases", "store: {seconds: 1, scope: study}\n"),
    "a key twice": ("mfa", "acr_values: [a]\nacr_values: [b]\n"),
}


def schema(stem: str) -> Schema:
    file = POLICIES / "schemas" / "tables" / f"{stem}.json"
    return Schema(str(file), file.read_bytes())


def closed(node: object) -> bool:
    """Say whether every object of a schema that lists properties refuses others."""
    if isinstance(node, list):
        return all(map(closed, node))
    if not isinstance(node, dict):
        return True
    if "properties" in node and node.get("additionalProperties") is not False:
        return False
    return all(closed(part) for part in node.values())


@pytest.mark.parametrize("stem", STEMS)
class TestTable:
    def test_has_a_schema_that_it_meets(self, stem: str) -> None:
        file = POLICIES / "data" / f"{stem}.yaml"
        tables.table(str(file), file.read_bytes(), schema(stem))

    def test_its_schema_is_draft_07_and_closed(self, stem: str) -> None:
        document = json.loads((POLICIES / "schemas" / "tables" / f"{stem}.json").read_text(encoding="utf-8"))
        jsonschema.Draft7Validator.check_schema(document)
        assert closed(document)

    def test_it_opens_with_what_it_is(self, stem: str) -> None:
        assert (POLICIES / "data" / f"{stem}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(("stem", "text"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_a_table_is_seen(stem: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{stem}\.yaml"):
        tables.table(f"{stem}.yaml", text.encode(), schema(stem))


def test_an_open_schema_is_seen() -> None:
    assert not closed({"properties": {"a": {"properties": {}}}, "additionalProperties": False})


def test_no_schema_without_a_table() -> None:
    assert sorted(path.stem for path in (POLICIES / "schemas" / "tables").glob("*.json")) == STEMS


def test_the_entry_point_insists_on_every_table() -> None:
    text = (POLICIES / "leadglass" / "main.rego").read_text(encoding="utf-8")
    listed = text[text.index("shipped_tables := {") :].partition("}")[0]
    assert sorted(re.findall(r'"([a-z_]+)"', listed)) == TABLES


def _table(shipped: PolicySet, name: str) -> Any:  # noqa: ANN401 - plain data
    return shipped.tables[name]


def test_every_required_check_says_what_to_do(shipped: PolicySet) -> None:
    posture = _table(shipped, "posture")
    required = {*posture["required"], *(check for role in posture["roles"].values() for check in role["required"])}
    assert required <= posture["remediation"].keys()


def test_granted_transactions_are_routes(shipped: PolicySet) -> None:
    known = {route.transaction for route in rows.ROUTES} | {reidentify.ACTION.transaction}
    roles = _table(shipped, "roles")
    patterns = [*roles["transactions"]]
    patterns += [
        p for role in roles["roles"].values() for entry in role["allow"] for p in entry.get("transactions", [])
    ]
    for pattern in patterns:
        family = pattern.removesuffix("*")
        assert any(name == pattern or (pattern != family and name.startswith(family)) for name in known), pattern


def test_roles_that_tables_name_are_in_the_role_table(shipped: PolicySet) -> None:
    known = {*_table(shipped, "roles")["roles"], *_table(shipped, "writes")["images"]["roles"]}
    named = {
        *_table(shipped, "posture")["roles"],
        *_table(shipped, "oncology")["roles"],
        *_table(shipped, "treating")["exempt_roles"],
        *_table(shipped, "treating")["listed_roles"],
        *_table(shipped, "networks")["roles"],
        *_table(shipped, "hours")["roles"],
        *_table(shipped, "purpose")["roles"],
        *_table(shipped, "bulkdata")["roles"],
        *_table(shipped, "search")["roles"],
    }
    assert named <= known


def test_what_is_off_as_shipped_is_off(shipped: PolicySet) -> None:
    assert _table(shipped, "treating")["enabled"] is False
    assert _table(shipped, "hours")["enabled"] is False
    assert _table(shipped, "writes")["replace_roles"] == []
    assert _table(shipped, "devices") == {"shared": {}, "exempt_service_roles": []}
