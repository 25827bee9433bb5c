import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from leadglass.cli import explain as verb
from leadglass.cli.policy import app
from leadglass.policy import sources

SHIPPED = sources.read(None)
CASES = {
    case["note"]: case["input"]
    for file in SHIPPED.cases
    for case in YAML(typ="safe").load(Path(file.where).read_text())["cases"]
}
HIDDEN = CASES["a cancer study is hidden from others"]
FAILING = CASES["firewall fails"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments])


def decision(
    name: str, judged: Mapping[str, Any] | None, reasons: list[str], revision: str = SHIPPED.revision
) -> bytes:
    document = {
        "seq": 1,
        "type": "decision",
        "decision_id": name,
        "timestamp": "2026-11-23T20:00:00.000000Z",
        "resource": {"study_uid": "1.2.3"},
        "decision": {"allow": not reasons, "reasons": [{"code": code, "params": {}} for code in reasons], "rows": [], "detail": "no\x1bkeys"},
        "policy": None if judged is None else {"engine": "wasm", "revision": revision},
        "input": judged,
    }  # fmt: skip
    return orjson.dumps(document) + b"\n"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(
        decision("FAILING", FAILING, ["posture-failed"])
        + decision("OLD", FAILING, ["posture-failed"], "0" * 64)
        + decision("CHANGED", FAILING, [])
        + decision("EARLY", None, ["user-unauthenticated"])
        + decision("LARGE", {"sha256": "00", "bytes": 9_000_000}, [])
        + decision("FOREIGN", {**FAILING, "subject": {}}, [])
        + orjson.dumps({"type": "use", "decision_id": "USE", "leased_from": "FAILING"}) + b"\n"
    )  # fmt: skip
    settings = SimpleNamespace(audit=SimpleNamespace(file=file), policy=SimpleNamespace(path=None))
    monkeypatch.setattr(verb, "load", lambda _: settings)
    return file


@pytest.mark.usefixtures("record")
def test_a_refusal_in_words() -> None:
    result = run("FAILING")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "FAILING: refused"
    assert "judged by the policy in force" in lines[2]
    assert lines[3:5] == ["granted by", "  identity/roles: role:radiologist"]
    denied = lines.index("denied by")
    assert lines[denied + 1].startswith("  device/posture_required: posture-failed: The device does not pass the check")
    assert '      device.checks.firewall.status = "fail"' in lines
    assert lines[-2:] == ["the smallest change that would have allowed it", "  the device passing the check firewall"]
    assert "NOTE" not in result.stdout


@pytest.mark.usefixtures("record")
def test_a_refusal_in_json() -> None:
    document = json.loads(run("USE", "--json").stdout)
    assert (document["decision_id"], document["leased"]) == ("FAILING", True)
    assert (document["revision_in_force"], document["agrees"], document["allow"]) == (True, True, False)
    assert document["rules"][0]["rule"] == "identity/roles"
    assert document["smallest"] == [
        [{"fact": "device.checks.firewall.status", "words": "the device passing the check firewall"}]
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("USE", "the id that was asked for used its lease"),
        ("OLD", "which is not in force; what follows is what"),
        ("CHANGED", "NOTE: this differs from the record; the policy that was asked now refuses it"),
        ("EARLY", "refused before any rule was asked: user-unauthenticated\n  no\\x1bkeys"),
    ],
    ids=["use", "old revision", "disagrees", "before policy"],
)
@pytest.mark.usefixtures("record")
def test_what_else_is_said(name: str, said: str) -> None:
    result = run(name)
    assert result.exit_code == 0
    assert said in result.stdout


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("NOBODY", 1, "the record has no decision NOBODY"),
        ("LARGE", 3, "as a digest alone"),
        ("FOREIGN", 3, "this version cannot judge what was recorded"),
    ],
    ids=["unknown", "too large", "another schema"],
)
@pytest.mark.usefixtures("record")
def test_what_cannot_be_explained(name: str, code: int, said: str) -> None:
    result = run(name)
    assert result.exit_code == code
    assert said in result.stderr


def test_a_record_that_cannot_be_read(record: Path) -> None:
    record.unlink()
    record.mkdir()
    assert run("FAILING").exit_code == 3


def test_a_reason_for_the_record_alone_is_marked(record: Path) -> None:
    record.write_bytes(decision("HIDDEN", HIDDEN, []))
    said = run("HIDDEN").stdout
    assert "study/oncology, study " in said
    assert "oncologist-only (for the record alone)" in said
    assert said.splitlines()[-2:] == [
        "the smallest change that would have shown the studies left out",
        "  the role oncologist",
    ]


@pytest.mark.parametrize(
    ("observed", "words"), [("refuse", "refused, and let through"), ("hide", "every row shown"), ("allow", None)]
)
def test_what_observation_let_through_is_told_so(record: Path, observed: str, words: str | None) -> None:
    line = orjson.loads(decision("LET", FAILING, ["posture-failed"]))
    record.write_bytes(orjson.dumps({**line, "observed": observed}) + b"\n")
    said = run("LET").stdout
    assert (words in said) if words else "observed" not in said
