import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from leadglass.limits import REPLAY_EXAMPLES
from leadglass.policy import build, sources, tables
from leadglass.policy.replay import Outcome, Replay, difference
from leadglass.policy.wasm import WasmEngine

SHIPPED = sources.read(None)
CASES = {
    case["note"]: case
    for file in SHIPPED.cases
    for case in YAML(typ="safe").load(Path(file.where).read_text())["cases"]
}
FAILING = CASES["firewall fails"]["input"]
HIDDEN = CASES["a cancer study is hidden from others"]["input"]


def under(**changed: object) -> Replay:
    """Return a replay under the shipped rules with these tables in place of the shipped ones."""
    files = replace(SHIPPED, tables={**SHIPPED.tables, **changed})
    return Replay(files, WasmEngine(build.load(SHIPPED), tables.data(files.tables)))


def line(
    judged: object, *codes: str, rows: tuple[str, ...] = (), name: str = "ONE", **verdict: object
) -> dict[str, Any]:
    return {
        "type": "decision",
        "decision_id": name,
        "decision": {
            "allow": not codes and not rows, "reasons": [{"code": code} for code in codes],
            "rows": [{"row": row, "code": code} for row, code in enumerate(rows)], "obligations": [], **verdict,
        },
        "input": judged,
    }  # fmt: skip


def posture(*required: str) -> Mapping[str, Any]:
    table = copy.deepcopy(SHIPPED.tables["posture"])
    assert isinstance(table, dict)
    return {**table, "required": list(required), "roles": {}}


def test_the_same_policy_changes_nothing() -> None:
    asked = under()
    asked.take(line(FAILING, "posture-failed"))
    asked.take(line(HIDDEN, rows=("oncologist-only",), allow=True))
    assert (asked.asked, asked.same, asked.groups) == (2, 2, [])


def test_a_check_that_is_no_longer_required_lets_people_in_and_its_uses_count() -> None:
    asked = under(posture=posture("disk_encryption"))
    asked.take(line(FAILING, "posture-failed", name="ONE"))
    asked.take({"type": "use", "decision_id": "USE", "leased_from": "ONE"})
    asked.take({"type": "use", "decision_id": "USE", "leased_from": "ANOTHER"})
    (group,) = asked.groups
    assert (group.effect, group.came, group.went, group.requests) == ("allowed", (), ("posture-failed",), 2)
    assert (group.people, group.examples) == ({FAILING["subject"]["id"]}, ["ONE"])


def test_what_was_allowed_and_would_be_refused_names_the_reason() -> None:
    asked = under()
    for number in range(REPLAY_EXAMPLES + 1):
        asked.take(line(FAILING, name=f"N{number}"))
    (group,) = asked.groups
    assert (group.effect, group.came, group.went) == ("refused", ("posture-failed",), ())
    assert (group.requests, group.examples) == (REPLAY_EXAMPLES + 1, ["N0", "N1", "N2"])


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        (None, "before policy"),
        ({"sha256": "00", "bytes": 1}, "too large"),
        ({**FAILING, "subject": {}}, "another version"),
    ],
)
def test_what_cannot_be_asked_again_is_counted(judged: object, why: str) -> None:
    asked = under()
    asked.take(line(judged, "posture-failed"))
    assert (asked.asked, asked.skipped) == (0, {why: 1})


def test_a_verdict_that_is_none_is_another_versions() -> None:
    asked = under()
    asked.take({**line(FAILING), "decision": {"allow": True}})
    assert asked.skipped == {"another version": 1}


def test_a_policy_without_an_answer_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WasmEngine, "evaluate_now", lambda *_: [])
    asked = under()
    asked.take(line(FAILING))
    assert [(one.effect, one.came) for one in asked.groups] == [("refused", ("decision-undefined",))]


def test_kinds_of_change_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.policy.replay.REPLAY_GROUPS", 1)
    asked = under()
    asked.take(line(FAILING))
    asked.take(line(FAILING, "mfa-required"))
    assert (len(asked.groups), asked.elsewhere) == (1, 1)


def _outcome(*codes: str, allow: bool = True, rows: tuple[int, ...] = (), duties: tuple[bytes, ...] = ()) -> Outcome:
    return Outcome(allow, frozenset(codes), frozenset((row, "oncologist-only") for row in rows), frozenset(duties))


@pytest.mark.parametrize(
    ("before", "now", "want"),
    [
        (_outcome(), _outcome("a", allow=False), ("refused", ("a",), ())),
        (_outcome("a", allow=False), _outcome(), ("allowed", (), ("a",))),
        (_outcome("a", allow=False), _outcome("b", allow=False), ("reasons", ("b",), ("a",))),
        (_outcome(), _outcome(rows=(1,)), ("shows less", ("oncologist-only",), ())),
        (_outcome(rows=(1, 2)), _outcome(rows=(1,)), ("shows more", (), ())),
        (_outcome(rows=(1,)), _outcome(rows=(2, 3)), ("shows more", (), ())),
        (_outcome(duties=(b'{"type":"log"}',)), _outcome(), ("obligations", (), ("log",))),
        (_outcome(), _outcome(duties=(b'{"type":"log"}',)), ("obligations", ("log",), ())),
    ],
)
def test_what_people_notice_first(
    before: Outcome, now: Outcome, want: tuple[str, tuple[str, ...], tuple[str, ...]]
) -> None:
    assert difference(before, now) == want
