"""The Dockerfile, read as text: no engine is needed to hold it to what the chart and the docs rely on."""

import json
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from leadglass.config.settings import MetricsSettings
from leadglass_agent import __version__
from support.docs import page, rows

ROOT = Path(__file__).parents[2]
FINAL = ("gateway", "agent")


@dataclass
class Stage:
    """One stage: its base, and its instructions in order."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[str]:
        return [rest for found, rest in self.steps if found == name]

    def words(self, name: str) -> list[str]:
        words: list[str] = json.loads(
            self.of(name)[-1].partition("CMD ")[2] if name == "HEALTHCHECK" else self.of(name)[-1]
        )
        return words


def read() -> tuple[dict[str, str], dict[str, Stage]]:
    """Return the arguments before the first stage, and the stages by name."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            stage = stages[alias] = Stage(base)
        elif stage is not None and name:
            stage.steps.append((name, rest.strip()))
        elif name == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
    return arguments, stages


ARGUMENTS, STAGES = read()


def lineage(name: str) -> list[Stage]:
    """Return a stage and those it is made from, the first one first."""
    stage = STAGES[name]
    return [*(lineage(stage.base) if stage.base in STAGES else []), stage]


def test_the_base_is_an_argument_that_names_a_version() -> None:
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim(-[a-z]+)?", ARGUMENTS["BASE"])
    for name, stage in STAGES.items():
        assert stage.base == "${BASE}" or stage.base in STAGES, name
    assert "latest" not in (ROOT / "Dockerfile").read_text()


def test_what_builds_is_not_what_runs() -> None:
    for name in FINAL:
        assert not any("pip install" in step for stage in lineage(name) for step in stage.of("RUN"))
        (copied,) = STAGES[name].of("COPY")
        assert copied == f"--from=build-{name} /opt/leadglass /opt/leadglass"
    assert list(STAGES)[-1] == "gateway", "a build without --target makes the gateway"


def test_every_file_is_named_by_its_hash() -> None:
    assert "PIP_ONLY_BINARY=:all:" in " ".join(STAGES["source"].of("ENV"))
    installs = [
        line
        for stage in STAGES.values()
        for step in stage.of("RUN")
        for line in step.split("&&")
        if "pip install" in line
    ]
    assert len(installs) == 5
    for line in installs:
        locked = re.search(r" --require-hashes -r (requirements/[a-z]+\.lock)$", line.strip())
        assert (locked is not None and (ROOT / locked[1]).exists()) or " --no-deps --no-index " in line, line


@pytest.mark.parametrize("name", FINAL)
def test_it_holds_a_list_of_what_it_is_made_of(name: str) -> None:
    *_, step = STAGES[f"build-{name}"].of("RUN")
    assert re.search(rf"-m release\.sbom {name} \S+/site-packages /opt/leadglass/share/sbom\.cdx\.json$", step)


@pytest.mark.parametrize("name", FINAL)
def test_it_runs_as_a_number_that_is_not_root(name: str) -> None:
    stage = STAGES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage.of("USER")[-1])
    after = [step for step, _ in stage.steps[[step for step, _ in stage.steps].index("USER") :]]
    assert not {"RUN", "COPY", "ADD"} & set(after)


def test_the_chart_runs_as_the_same_number() -> None:
    uid, gid = map(int, STAGES["gateway"].of("USER")[-1].split(":"))
    security = YAML(typ="safe").load((ROOT / "helm/leadglass/values.yaml").read_text())["podSecurityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (uid, gid, gid)


@pytest.mark.parametrize("name", FINAL)
def test_signals_arrive_and_no_shell_is_needed(name: str) -> None:
    stage = STAGES[name]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    program = Path(stage.words("ENTRYPOINT")[0])
    assert program.parent == Path("/opt/leadglass/bin")
    assert program.name in scripts
    assert stage.words("CMD")
    assert [step for one in lineage(name) for step in one.of("STOPSIGNAL")] == ["SIGTERM"]


def test_health_is_asked_where_it_is_answered() -> None:
    python, flag, code = STAGES["gateway"].words("HEALTHCHECK")
    assert (python, flag) == ("/opt/leadglass/bin/python", "-c")
    compile(code, "healthcheck", "exec")
    assert f"http://{MetricsSettings().http}/health/live" in code
    assert STAGES["agent"].of("HEALTHCHECK") == ["NONE"]


@pytest.mark.parametrize("name", FINAL)
def test_what_is_written_belongs_to_it(name: str) -> None:
    (made,) = STAGES[name].of("RUN")
    uid, gid = STAGES[name].of("USER")[-1].split(":")
    folder = "/var/lib/leadglass" if name == "gateway" else "/var/lib/leadglass-agent"
    assert made == f"install -d -m 0700 -o {uid} -g {gid} {folder}"


def allowed(path: str) -> bool:
    """Return whether .dockerignore lets a path of the tree through: the last pattern that fits decides."""
    answer = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (pattern in {"*", path, path.split("/", maxsplit=1)[0]}):
            answer = line.startswith("!")
    return answer


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    sources = [name for copied in STAGES["source"].of("COPY") for name in copied.split()[:-1]]
    assert {"pyproject.toml", "requirements", "policies", "proxy", "agent", "release"} <= set(sources)
    for name in sources:
        assert (ROOT / name).exists(), name
        assert allowed(name), name
    for name in (".git", "tests", "var", ".venv", "secrets", "leadglass.yaml"):
        assert not allowed(name), name
    assert not any(stage.of("ADD") for stage in STAGES.values())


def test_the_label_is_of_this_version() -> None:
    assert f'image.version="{__version__}"' in " ".join(STAGES["run"].of("LABEL"))


def test_the_chart_starts_it_as_the_image_does() -> None:
    text = (ROOT / "helm/leadglass/templates/deployment.yaml").read_text()
    (line,) = [line for line in text.splitlines() if line.strip().startswith("args: [serve")]
    assert YAML(typ="safe").load(line)["args"] == STAGES["gateway"].words("CMD")


def test_the_builder_gives_what_the_dockerfile_takes() -> None:
    script = (ROOT / "release/images.sh").read_text()
    subprocess.run(["/bin/sh", "-n", ROOT / "release/images.sh"], check=True)
    given = set(re.findall(r'--build-arg "?([A-Z_]+)=', script))
    assert given == {"BASE", "PIP_CERT", "PIP_INDEX_URL", "SOURCE_DATE_EPOCH"}
    taken = {one.partition("=")[0] for one in STAGES["source"].of("ARG")} | ARGUMENTS.keys()
    assert given <= taken
    passed_on = " ".join(STAGES["source"].of("ENV"))
    assert [name for name in given - {"BASE"} if f"{name}=${name}" not in passed_on] == [], (
        "stages after it have no ARG"
    )
    (certificate,) = re.findall(r"PIP_CERT=(\S+?)[ }]", script)
    steps = [step for stage in STAGES.values() for step in stage.of("RUN") if "--require-hashes" in step]
    assert len(steps) == 3
    assert all(step.startswith(f"--mount=type=secret,id=ca,target={certificate} ") for step in steps)


def test_every_variable_of_the_builder_is_told() -> None:
    script = (ROOT / "release/images.sh").read_text()
    used = set(re.findall(r"\$\{?:? ?([A-Z_]+)[}:]", script)) - {"SOURCE_DATE_EPOCH"}
    told = {name for row in rows(page("docs/building.md")) for name in row.split("`, `")}
    assert {"BASE", "CA", "ENGINE", "REPOSITORY"} <= used
    assert used - told == set()


ENGINE = """#!/bin/sh
printf '%s\\n' "$*" >>"$LOG"
case "$*" in
    *leadglass-agent*--version) echo leadglass-agent VERSION ;;
    *--version) echo leadglass VERSION ;;
    *bin/python*leadglass-agent:*) echo "UID leadglass-agent VERSION None False" ;;
    *bin/python*) echo "UID leadglass VERSION None False" ;;
esac
"""


@pytest.mark.parametrize(("uid", "code"), [("65532", 0), ("0", 1)], ids=["as it should be", "runs as root"])
def test_the_builder_makes_both_and_refuses_what_is_not_as_it_should_be(uid: str, code: int, tmp_path: Path) -> None:
    engine, log = tmp_path / "engine", tmp_path / "log"
    engine.write_text(ENGINE.replace("VERSION", __version__).replace("UID", uid))
    engine.chmod(0o755)
    given = {
        "PATH": os.environ["PATH"], "LOG": str(log), "ENGINE": str(engine), "SOURCE_DATE_EPOCH": "1700000000",
        "BASE": "python:here", "CA": "/site.pem", "REPOSITORY": "registry.example.org/",
    }  # fmt: skip
    done = subprocess.run(
        ["/bin/sh", ROOT / "release/images.sh"], env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    builds = [line for line in log.read_text().splitlines() if line.startswith("build ")]
    if code:
        assert "is not as it should be" in done.stderr
        return
    assert done.stdout.split() == [
        f"registry.example.org/{name}:{__version__}" for name in ("leadglass", "leadglass-agent")
    ]
    assert [line.split()[2] for line in builds] == list(FINAL)
    for line in builds:
        assert "--build-arg BASE=python:here --secret id=ca,src=/site.pem --build-arg PIP_CERT=/run/ca.pem" in line
        assert "--build-arg SOURCE_DATE_EPOCH=1700000000" in line
    runs = [line for line in log.read_text().splitlines() if line.startswith("run ")]
    assert len(runs) == 4
    assert all("--read-only --cap-drop ALL --security-opt no-new-privileges --network none" in line for line in runs)
