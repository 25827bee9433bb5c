import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from leadglass.cli import replay as verb
from leadglass.cli.policy import app
from leadglass.policy import sources

SHIPPED = sources.read(None)
FAILING = next(
    case["input"]
    for file in SHIPPED.cases
    for case in YAML(typ="safe").load(Path(file.where).read_text())["cases"]
    if case["note"] == "firewall fails"
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", *arguments])


def decision(name: str, day: int, *codes: str) -> bytes:
    return orjson.dumps({
        "seq": 1, "type": "decision", "decision_id": name, "timestamp": f"2026-11-{day}T20:00:00.000000Z",
        "decision": {"allow": not codes, "reasons": [{"code": code} for code in codes], "rows": [], "obligations": []},
        "input": FAILING,
    }) + b"\n"  # fmt: skip


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "decisions.jsonl"
    settings = SimpleNamespace(audit=SimpleNamespace(file=file), policy=SimpleNamespace(path=None))
    monkeypatch.setattr(verb, "load", lambda _: settings)
    return file


def test_nothing_changes_under_the_policy_that_judged(record: Path) -> None:
    record.write_bytes(decision("ONE", 23, "posture-failed") + b"not a line\n[]\n")
    result = run()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"1 decisions put to revision {SHIPPED.revision[:12]}; 1 come out the same",
        "nobody would notice anything",
    ]


def test_an_edit_that_lets_somebody_in(record: Path, tmp_path: Path) -> None:
    record.write_bytes(decision("ONE", 23, "posture-failed"))
    table = tmp_path / "policies/data/posture.yaml"
    table.parent.mkdir(parents=True)
    table.write_text(
        "max_age_seconds: 120\nrequired: [forbidden_software]\nroles: {}\nremediation: {forbidden_software: Stop it.}\n"
    )
    result = run("--policy", str(tmp_path / "policies"))
    assert result.exit_code == 1
    who, what = FAILING["subject"]["id"], FAILING["action"]["transaction"]
    assert result.stdout.splitlines()[1:] == [
        f"was refused, would be allowed: {what}, 1 requests of {who}", "  - posture-failed", "  such as ONE",
    ]  # fmt: skip


def test_in_json_and_within_a_time(record: Path) -> None:
    record.write_bytes(decision("EARLY", 21) + decision("IN", 22) + decision("LATE", 23))
    result = run("--json", "--since", "2026-11-22", "--until", "2026-11-23")
    document: dict[str, Any] = json.loads(result.stdout)
    assert (result.exit_code, document["asked"], document["same"]) == (1, 1, 0)
    (change,) = document["changes"]
    assert (change["effect"], change["came"], change["examples"]) == ("refused", ["posture-failed"], ["IN"])


def test_a_record_that_cannot_be_read(record: Path) -> None:
    record.mkdir()
    result = run()
    assert result.exit_code == 3
    assert "cannot read" in result.stderr


def test_a_time_that_is_none(record: Path) -> None:
    assert run("--since", "yesterday").exit_code == 2
