"""The chart says of the settings what they are: its schema beside the code, without Helm."""

import json
from typing import Any

from ruamel.yaml import YAML

from leadglass.codec import strictjson
from leadglass.config.settings import Settings
from leadglass_agent import __version__
from support.docs import ROOT, page, rows

CHART = ROOT / "helm/leadglass"
OF_THE_POD = {"listen", "metrics", "admin", "store", "policy", "networks", "attributes"}

Document = dict[str, Any]


def compared(chart: Document, ours: Document, definitions: Document, path: str = "") -> list[str]:
    """Return where the objects of the chart's schema have other members than the gateway's settings."""
    ours = definitions[ours["$ref"].rpartition("/")[2]] if "$ref" in ours else ours
    alternatives = [one for one in ours.get("anyOf", ()) if one.get("type") != "null"]
    ours = (
        definitions[alternatives[0]["$ref"].rpartition("/")[2]] if alternatives and "$ref" in alternatives[0] else ours
    )
    found = []
    if "properties" in chart:
        own = {"config": OF_THE_POD, "config.audit": {"file"}}.get(path, set())
        if chart["properties"].keys() | own != ours["properties"].keys():
            found.append(f"{path}: {chart['properties'].keys() ^ (ours['properties'].keys() - own)}")
        for name, member in chart["properties"].items():
            found += compared(member, ours["properties"].get(name, {}), definitions, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(chart.get(keyword), dict) and chart[keyword].get("properties"):
            found += compared(chart[keyword], ours[keyword], definitions, f"{path}[]")
    return found


def test_the_chart_knows_every_setting() -> None:
    chart = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    ours = Settings.model_json_schema()
    assert compared(chart, ours, ours["$defs"], "config") == []


def objects(schema: object, path: str = "") -> list[tuple[str, Document]]:
    """Return every schema of an object with members within a schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item, path)]
    if not isinstance(schema, dict):
        return []
    here = [(path, schema)] if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" else []
    return here + [found for name, item in schema.items() for found in objects(item, f"{path}/{name}")]


def test_no_object_of_the_schema_is_open() -> None:
    found = objects(json.loads((CHART / "values.schema.json").read_text()))
    assert len(found) > 20
    assert [path for path, schema in found if schema.get("additionalProperties") is not False] == []


def test_the_schema_says_everything_once_and_takes_no_secret_that_the_pod_has_not() -> None:
    text = (CHART / "values.schema.json").read_bytes()
    strictjson.loads(text)  # raises for a name that stands twice
    assert b"env:" not in text, "the pod has no environment of ours"


def test_the_alerts_of_the_chart_are_those_of_the_docs() -> None:
    alerts = YAML(typ="safe").load((CHART / "files/alerts.yaml").read_text())
    told = rows(page("docs/metrics.md").partition("Worth an alert")[2])
    assert {alert["expr"] for alert in alerts} == told
    assert len({alert["alert"] for alert in alerts}) == len(alerts) == len(told)


def test_the_chart_is_of_this_version() -> None:
    chart = YAML(typ="safe").load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == __version__
