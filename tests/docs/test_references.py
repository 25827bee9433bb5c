"""What the code has, the references have; what is generated is fresh; every reason is tried by some test."""

import ast
import re
from pathlib import Path

import pytest

from leadglass.config.load import parse
from leadglass.config.settings import Settings
from leadglass.model.reasons import REASONS, Code
from support.docs import DOCS, ROOT, fences, generator, page, pages, rows

EVENT_METHODS = {"record_event", "note", "event", "_on_event"}  # of the record; `event` also stands alone


def test_no_generated_part_is_stale() -> None:
    stale = [str(path) for path, (text, should) in generator().pages().items() if text != should]
    assert stale == [], "run `make docs`"


def test_a_stale_part_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.md").write_text("<!-- generated: metrics -->\nold\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(generator(), "DOCS", tmp_path)
    assert generator().main(["--check"]) == 1
    assert generator().main([]) == 0
    assert generator().main(["--check"]) == 0
    assert "leadglass_requests_total" in (tmp_path / "x.md").read_text(encoding="utf-8")


def test_every_setting_has_a_row() -> None:
    paths = {row[0].strip("`") for row in generator().settings_rows()}
    assert "identity.issuers[].claims.roles" in paths
    assert paths - rows(page("docs/configuration.md")) == set()


def test_every_setting_says_what_it_is() -> None:
    assert [row[0] for row in generator().settings_rows() if not row[3]] == []


def test_the_complete_example_is_taken_and_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = fences(page("docs/configuration.md"), "yaml")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/pacs").write_text("user:password", encoding="ascii")
    for name in ("login", "introspection", "events", "mail", "otlp"):
        (tmp_path / "secrets" / name).write_text("secret", encoding="ascii")
    monkeypatch.setenv("COLLECTOR_TOKEN", "token")
    file = tmp_path / "leadglass.yaml"
    file.write_text(example, encoding="utf-8")
    settings = parse(file)
    assert isinstance(settings, Settings), settings
    named = {row[0].strip("`").rsplit(".", 1)[-1] for row in generator().settings_rows()}
    assert {name for name in named if not re.search(rf"\b{name}:", example)} == set()


def test_the_example_of_facts_is_taken(tmp_path: Path) -> None:
    from leadglass.attributes.sources import load

    (example,) = fences(page("docs/facts.md"), "yaml")
    (tmp_path / "facts.yaml").write_text(example, encoding="utf-8")
    facts = load(tmp_path / "facts.yaml")
    assert facts.conditions
    assert facts.care_team
    assert facts.consent


def test_the_excerpt_of_the_demo_says_what_the_demo_says() -> None:
    tour = " ".join((ROOT / "proxy/leadglass/demo/tour.py").read_text(encoding="utf-8").split())
    (excerpt,) = fences(page("README.md"), "text")
    told = [" ".join(step.split("\n  ")[0].split()) for step in excerpt.strip().split("\n\n")]
    assert len(told) > 4
    assert [step for step in told if step not in tour and not step.startswith("Every step")] == []


def test_every_example_of_the_record_is_a_line_of_its_type() -> None:
    text = page("docs/record.md")
    for kind in ("decision", "use", "completion", "event", "head"):
        section = text.partition(f"\n## `{kind}`\n")[2].partition("\n## ")[0]
        examples = list(fences(section, "json"))
        assert examples, kind
        assert all(f'"type":"{kind}"' in line for block in examples for line in block.split("\n{") if line), kind


def test_whole_lines_of_the_record_prove_themselves() -> None:
    from leadglass.hazmat.hashchain import check

    lines = [line for block in fences(page("docs/record.md"), "json") for line in block.splitlines()]
    whole = [line for line in lines if line.startswith('{"seq"') and line.endswith('"}') and "..." not in line]
    assert len(whole) >= 6
    for line in whole:
        check(f"{line}\n".encode())


def test_every_reason_has_a_row() -> None:
    codes = {*map(str, REASONS), *generator().policy_reasons()}
    assert codes - rows(page("docs/reasons.md")) == set()


def _tried() -> str:
    """What tests and cases say, as one text."""
    files = [path for path in (ROOT / "tests").rglob("*.py") if "docs" not in path.relative_to(ROOT).parts]
    files += (ROOT / "policies/cases").glob("*.yaml")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_reason_of_the_gateway_is_tried() -> None:
    text = _tried()
    untried = [str(code) for code in Code if f"Code.{code.name}" not in text and not _says(text, code)]
    assert untried == []


def _says(text: str, code: str) -> bool:
    """Whether the code stands alone, between quotes or as a plain YAML value."""
    return re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", text) is not None


def test_every_reason_of_the_rules_is_tried() -> None:
    text = _tried()
    assert [code for code in generator().policy_reasons() if not _says(text, code)] == []


def test_a_code_inside_another_does_not_count() -> None:
    assert not _says("posture-missing-too", "posture-missing")
    assert _says("code: posture-missing\n", "posture-missing")


def test_every_route_has_a_row() -> None:
    from leadglass.codec.control import ROUTES as CONTROL
    from leadglass.codec.routes import ROUTES

    text = page("docs/routes.md")
    assert {route.transaction for route in ROUTES} - rows(text) == set()
    assert {route.path for route in CONTROL} - rows(text) == set()
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    for route in ROUTES:
        start = f"| `{route.transaction}` | {route.method} | "
        assert any(line.startswith(start) and route.template in line for line in lines), route.template


def test_every_metric_has_a_row() -> None:
    names = {row[0].strip("`") for row in generator().metric_rows()}
    assert names
    assert names - rows(page("docs/metrics.md")) == set()


def test_every_obligation_has_a_row() -> None:
    from leadglass.obligations.plan import TREATMENTS

    assert set(TREATMENTS) - rows(page("docs/obligations.md")) == set()


def test_every_check_has_a_row() -> None:
    from leadglass_agent.checks.linux import CHECKS

    found = set().union(*(rows(path.read_text(encoding="utf-8")) for path in DOCS.glob("*.md")))
    assert {check.id for check in CHECKS} - found == set()


def kinds(text: str) -> set[str]:
    """Return the kinds of events that a module writes, as they stand in its calls."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            writes = (
                node.func.attr in EVENT_METHODS
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "") == "event"
            )
            if writes and isinstance(node.args[0].value, str):
                found.add(node.args[0].value)
    return found


def test_every_kind_of_event_has_a_row() -> None:
    written = set().union(*(kinds(path.read_text(encoding="utf-8")) for path in (ROOT / "proxy").rglob("*.py")))
    assert {"started", "device-revoked", "disk-pressure"} <= written
    assert written - rows(page("docs/record.md")) == set()


def test_every_verb_has_a_section_an_example_and_exit_codes() -> None:
    text = page("docs/cli.md")
    for program in ("leadglass", "leadglass-agent"):
        for words, _ in generator().verbs(program):
            _, _, rest = text.partition(f"### `{' '.join(words)}`\n")
            section = rest.partition("\n### ")[0]
            assert f"<!-- generated: verb {' '.join(words)} -->" in section, words
            assert f"$ {' '.join(words)}" in section, words
            assert "Exit codes: " in section, words


def test_every_page_of_the_docs_can_be_found_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        current = waiting.pop()
        if current in seen or not current.exists():
            continue
        seen.add(current)
        links = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", current.read_text(encoding="utf-8"))
        waiting += [(current.parent / link).resolve() for link in links if "://" not in link]
    assert [str(path) for path in pages() if DOCS in path.parents and path not in seen] == []
