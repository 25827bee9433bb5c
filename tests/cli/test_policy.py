import tarfile
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from leadglass.cli.policy import app
from leadglass.policy import sources, upgrade
from support.gateway import idp_key, write_site
from support.policy import copy, files

INPUT = orjson.dumps(YAML(typ="safe").load((Path(files().cases[0].where)).read_text())["cases"][0]["input"])


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the fixture that stands for the shipped set, and a working folder without leadglass.yaml."""
    folder = copy(tmp_path)
    monkeypatch.setattr(sources, "shipped", lambda: folder)
    monkeypatch.setattr("leadglass.policy.program.Path.cwd", lambda: Path(__file__).parents[2])
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def asked(folder: Path, **changed: object) -> Path:
    document = orjson.loads(INPUT)
    for path, value in changed.items():
        part, _, key = path.partition("__")
        document[part][key] = value
    file = folder / "input.json"
    file.write_bytes(orjson.dumps(document))
    return file


def test_eval_says_yes_in_words(base: Path) -> None:
    result = run("eval", asked(base.parent))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["allowed", "  granted by role:reader", "  for 5 s, scope study"]


def test_eval_says_no_with_the_sentence_and_the_fix(base: Path) -> None:
    result = run("eval", _echo(base.parent))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:3] == ["refused", "  granted by role:reader", "  echoed: You said ünïcode."]


def _echo(folder: Path) -> Path:
    document = orjson.loads(INPUT)
    document["context"]["purpose"] = "echo"
    document["studies"][0]["description"] = "ünïcode"
    file = folder / "input.json"
    file.write_bytes(orjson.dumps(document))
    return file


def test_eval_in_json(base: Path) -> None:
    result = run("eval", "--json", asked(base.parent, subject__roles=[]))
    said = orjson.loads(result.stdout)
    assert result.exit_code == 1
    assert (said["allow"], [reason["code"] for reason in said["reasons"]]) == (False, ["not-granted"])
    assert said["reasons"][0]["sentence"].endswith(".")


BAD: list[tuple[str, bytes | None, int, str]] = [
    ("missing", None, 3, "cannot read"),
    ("not JSON", b"{", 3, "is not JSON"),
    ("not an input", b"{}", 3, "is not a policy input"),
]


@pytest.mark.parametrize(("content", "code", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_eval_of_what_is_no_input(base: Path, content: bytes | None, code: int, said: str) -> None:
    file = base.parent / "input.json"
    if content is not None:
        file.write_bytes(content)
    result = run("eval", file)
    assert result.exit_code == code
    assert result.stderr.startswith("leadglass: error: ")
    assert said in result.stderr


def test_no_decision_is_a_no(base: Path) -> None:
    result = run("eval", asked(base.parent, context__purpose="conflict"))
    assert result.exit_code == 1
    assert "which is a no" in result.stderr


def test_a_broken_set_could_not_be_read(base: Path) -> None:
    (base / "data/roles.yaml").write_text("roles: NO\n")
    result = run("eval", asked(base.parent))
    assert result.exit_code == 3
    assert "roles.yaml:1" in result.stderr


def test_a_verb_that_is_none_is_a_usage_error() -> None:
    assert run("bild").exit_code == 2


def plant(base: Path, text: str) -> None:
    (base / "leadglass/rules/study/onco/more.rego").write_text(f"package leadglass.rules.study.onco\n\n{text}\n")


CLEAN = "# METADATA\n# title: t\npackage leadglass\n\n"


@pytest.fixture
def clean(base: Path) -> Path:
    """The set less what its main.rego does to provoke the gate."""
    main = base / "leadglass/main.rego"
    kept = [block for block in main.read_text().split("\n\n") if "semver" not in block and "time." not in block]
    main.write_text("\n\n".join(kept) + "\n")
    return base


@pytest.mark.system
def test_check_names_what_is_unsound(clean: Path) -> None:
    plant(clean, 'deny contains {"code": "echoed", "params": {}} if time.now_ns() < 1')
    result = run("check", "--json")
    assert result.exit_code == 1
    (finding,) = [one for one in orjson.loads(result.stdout)["findings"] if "more.rego" in one["file"]]
    assert finding["line"] == 3
    assert "time.now_ns" in finding["problem"]
    assert run("build").exit_code == 1


@pytest.mark.system
def test_build_then_eval(clean: Path, tmp_path: Path) -> None:
    assert run("eval", asked(tmp_path)).exit_code == 3  # the rules changed, and are not compiled yet
    result = run("build", "--bundle", tmp_path / "bundle.tar.gz", "--json")
    assert result.exit_code == 0, result.stderr
    made = orjson.loads(result.stdout)
    assert made["revision"] == sources.read(None).revision
    assert (tmp_path / "bundle.tar.gz").stat().st_size > 100
    assert run("eval", asked(tmp_path)).exit_code == 0


FAILING: Sequence[tuple[str, str, str]] = [
    ("case", "cases/basic.yaml", "want: {allow: true"),
    ("opa test", "leadglass/rules/study/onco/onco_test.rego", ""),
]


@pytest.mark.system
@pytest.mark.parametrize(("path", "text"), [row[1:] for row in FAILING], ids=[row[0] for row in FAILING])
def test_test_runs_rego_tests_and_cases_in_both_engines(clean: Path, path: str, text: str) -> None:
    assert run("test").exit_code == 0
    file = clean / path
    if text:
        file.write_text(file.read_text().replace(text, text.replace("true", "false")))
    else:
        file.write_text("package leadglass.rules.study.onco_test\n\ntest_never if 1 == 2\n")
    result = run("test", "--json")
    assert result.exit_code == 1
    failures = orjson.loads(result.stdout)["failures"]
    assert [one.partition(":")[0] for one in failures] == (["wasm", "opa"] if text else ["opa test"])
    assert run("build").exit_code == 1


def test_bundle_writes_the_set_as_it_is_without_opa(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.policy.program.run", None)  # calling it would raise
    file = base.parent / "bundle.tar.gz"
    result = run("bundle", file)
    assert (result.exit_code, result.stdout) == (0, f"{file} holds the set of revision {sources.read(None).revision}\n")
    with tarfile.open(file) as bundle:
        about = bundle.extractfile(".manifest")
        assert about is not None
        assert orjson.loads(about.read())["revision"] == sources.read(None).revision


def test_bundle_says_where_it_cannot_write(base: Path) -> None:
    result = run("bundle", base.parent / "nowhere/bundle.tar.gz")
    assert (result.exit_code, "cannot write" in result.stderr) == (3, True)


@pytest.mark.system
def test_what_an_upgrade_changed_is_said_until_it_is_seen(tmp_path: Path) -> None:
    """Over the set as it is shipped: a stamp of before, one that is spoilt, and what mends both."""
    config = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), 1_800_000_000)
    site = tmp_path / "policies"
    upgrade.remember(site)
    stamp = site / "build/shipped.json"
    said = orjson.loads(stamp.read_bytes())
    said["files"]["schemas/tables/posture.json"] = "of before"
    stamp.write_bytes(orjson.dumps(said))
    assert "changed: data/posture.yaml: its shipped schema changed" in run("check", "-c", config).output
    stamp.write_text("{}")
    spoilt = run("check", "-c", config)
    assert spoilt.exit_code == 3
    assert "`leadglass policy check --seen` writes it anew" in spoilt.stderr
    assert run("check", "--seen", "-c", config).exit_code == 0
    seen = run("check", "-c", config)
    assert (seen.exit_code, "changed:" in seen.output) == (0, False)
