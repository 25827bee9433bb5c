"""`leadglass policy build | test | check | eval | explain | replay`: what those who edit rules and tables need."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from leadglass.cli.explain import explain
from leadglass.cli.replay import replay
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.model.disclosure import sentence
from leadglass.model.errors import Cause, ConfigurationError
from leadglass.policy import build as builder
from leadglass.policy import cases, check, document, program, sources, tables, upgrade
from leadglass.policy.engine import NoAnswer
from leadglass.policy.schemas import SchemaFault
from leadglass.policy.wasm import Program, WasmEngine

app = typer.Typer(no_args_is_help=True, help="Build, test, check and try the policy set.")
app.command()(explain)
app.command()(replay)

_DEFAULT = Path("leadglass.yaml")
Config = Annotated[
    Path,
    typer.Option("-c", "--config", help="Names the policy folder. Without the file, the shipped policy set is meant."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def _site(config: Path) -> Path | None:
    if config == _DEFAULT and not config.exists():
        return None
    from leadglass.config.load import load  # reads the settings of every package

    return load(config).policy.path


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _answer(found: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _tested(files: sources.PolicySet, compiled: Program) -> tuple[list[str], int]:
    """Run `opa test` and the cases in both engines; return what failed, and how many cases there are."""
    failures = []
    found = cases.read(files)
    failures += [f"wasm: {failure}" for failure in cases.run(found, cases.on_wasm(compiled))]
    with program.laid_out(files.rules, files.tests, {"tables.json": tables.data(files.tables)}) as folder:
        if files.tests:
            ran = program.run(
                ["test", "--format", "pretty", *sorted((*files.rules, *files.tests)), "tables.json"], folder
            )
            if ran.code:
                failures.append(f"opa test: {ran.out.decode('utf-8', 'replace').strip() or ran.err}")
        run = cases.on_opa(folder, files.rules)
        failures += [f"opa: {failure}" for failure in cases.run(found, run)]
    return failures, len(found)


def _changed(site: Path | None, *, seen: bool) -> list[upgrade.Change]:
    """Return what an upgrade changed under the site; `seen` takes it as known from now on."""
    if site is None or site.resolve() == sources.shipped().resolve():
        return []
    if seen:
        upgrade.remember(site)  # without reading the old stamp: this is what mends one that is spoilt
        return []
    return upgrade.changes(site) or []


@app.command("check")
def check_rules(
    config: Config = _DEFAULT,
    *,
    seen: Annotated[
        bool, typer.Option("--seen", help="Take what an upgrade changed as known; later checks tell of later changes.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is unsound in the rules and tables, and what an upgrade changed under them, without building anything."""
    with spoken():
        site = _site(config)
        changed = _changed(site, seen=seen)
        if not json:
            for change in changed:
                _say(f"changed: {change}")
        files = sources.read(site)
        findings = check.check(files)
        cases.read(files)
    if json:
        _answer(
            {
                "findings": [{"file": one.file, "line": one.line, "problem": one.problem} for one in findings],
                "changed": [{"file": one.file, "what": one.what} for one in changed],
            }
        )
    else:
        for finding in findings:
            _say(str(finding))
    if findings:
        fail(f"{len(findings)} findings", "docs/writing-policies.md says why, and what to write instead", Exit.NO)
    if not json:
        _say(f"{len(files.rules)} rule files and {len(files.tables)} tables are sound")


@app.command("test")
def run_tests(config: Config = _DEFAULT, *, json: Json = False) -> None:
    """Run `opa test` on the rules, and the cases in both engines."""
    with spoken():
        files = sources.read(_site(config))
        failures, count = _tested(files, Program(builder.compile_rules(files)))
    if json:
        _answer({"cases": count, "failures": failures})
    else:
        for failure in failures:
            _say(failure)
    if failures:
        fail(f"{len(failures)} failures", code=Exit.NO)
    if not json:
        _say(f"{len(files.tests)} test files and {count} cases pass, the cases in both engines")


@app.command()
def build(
    config: Config = _DEFAULT,
    bundle: Annotated[Path | None, typer.Option(help="Also write the set as a bundle for an OPA server.")] = None,
    *,
    json: Json = False,
) -> None:
    """Check, test and compile the rules into the policy folder's build/."""
    with spoken():
        site = _site(config)
        files = sources.read(site)
        problems = [str(finding) for finding in check.check(files)]
        if not problems:
            problems, _ = _tested(files, Program(builder.compile_rules(files)))
        for problem in problems:
            sys.stderr.write(f"{problem}\n")
        if problems:
            fail("nothing was built", "mend what is named above", Exit.NO)
        folder = files.builds[0]
        made = builder.write(folder, files)
        if site is not None and site.resolve() != sources.shipped().resolve():
            upgrade.remember(site)
        if bundle is not None:
            _write_bundle(bundle, files)
    if json:
        _answer({"folder": str(folder), "revision": files.revision, **made})
    else:
        _say(f"{folder / builder.MODULE} is built; the revision of the set is {files.revision}")


def _write_bundle(file: Path, files: sources.PolicySet) -> None:
    try:
        file.write_bytes(builder.bundle(files))
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None


@app.command("bundle")
def write_bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the bundle goes, a .tar.gz.")],
    config: Config = _DEFAULT,
) -> None:
    """Write the set as a bundle for an OPA server, as it is. Needs no `opa`: nothing is compiled or tested."""
    with spoken():
        files = sources.read(_site(config))
        _write_bundle(file, files)
    _say(f"{file} holds the set of revision {files.revision}")


@app.command("eval")
def evaluate(
    question: Annotated[
        Path, typer.Argument(metavar="INPUT.json", help="A policy input (policies/schemas/input.json).")
    ],
    config: Config = _DEFAULT,
    *,
    json: Json = False,
) -> None:
    """Say what the policy answers to an input, in words."""
    with spoken():
        files = sources.read(_site(config))
        engine = WasmEngine(builder.load(files), tables.data(files.tables))
    try:
        asked = orjson.loads(question.read_bytes())
        files.schemas["schemas/input.json"].check(asked)
    except OSError as error:
        fail(f"cannot read {question}: {error.strerror}")
    except orjson.JSONDecodeError as error:
        fail(f"{question} is not JSON: {error}")
    except SchemaFault as fault:
        fail(f"{question} is not a policy input: {fault}", "policies/schemas/input.json says what one is")
    try:
        said = engine.evaluate_now(orjson.dumps(asked))
        answer = document.read(
            said,
            files.schemas["schemas/decision.json"],
            files.reasons,
            studies=len(asked["studies"]),
            search=asked["action"]["name"] == "search",
        )
    except NoAnswer as none:
        fail(f"no decision, which is a no: {none}", code=Exit.NO)
    if json:
        _answer({"revision": files.revision, "decision": said, "allow": answer.allow, "reasons": _reasons(answer)})
    else:
        for line in _words(answer):
            _say(line)
    if not answer.allow:
        raise typer.Exit(Exit.NO)


def _reasons(answer: document.Answer) -> list[dict[str, Any]]:
    return [
        *({"row": None, **_said(cause)} for cause in answer.causes),
        *({"row": row.row, **_said(row.cause)} for row in answer.rows),
    ]


def _said(cause: Cause) -> dict[str, Any]:
    reason = cause.reason
    return {
        "code": str(reason.code),
        "status": reason.status,
        "disclose": str(reason.disclose),
        "sentence": sentence(reason.sentence, cause.params),
        "fix": sentence(reason.fix, cause.params),
    }


def _words(answer: document.Answer) -> list[str]:
    lines = ["allowed" if answer.allow else "refused"]
    lines += [f"  granted by {code}" for code in answer.grants]
    for reason in _reasons(answer):
        study = "" if reason["row"] is None else f"study {reason['row']}: "
        private = " (for the record alone)" if reason["disclose"] == "log" else ""
        lines += [f"  {study}{reason['code']}{private}: {reason['sentence']}", f"    fix: {reason['fix']}"]
    lines += [f"  with {one.type} {orjson.dumps(dict(one.params)).decode()}" for one in answer.obligations]
    if answer.lease_scope:
        lines.append(f"  for {answer.lease_seconds:g} s, scope {answer.lease_scope}")
    return lines
