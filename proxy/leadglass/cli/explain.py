"""`leadglass policy explain`: why one decision in the record came out as it did, for administrators."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from leadglass.audit.find import Found, find
from leadglass.cli.audit import place, printable
from leadglass.cli.voice import Exit, fail, spoken
from leadglass.config.load import load
from leadglass.model.disclosure import sentence
from leadglass.model.reasons import Disclose, Reason
from leadglass.policy import build, sources, tables
from leadglass.policy.engine import NoAnswer
from leadglass.policy.explain import Explainer, Explanation, Saying
from leadglass.policy.schemas import SchemaFault
from leadglass.policy.wasm import WasmEngine

_DEFAULT = Path("leadglass.yaml")
_REVISION_CHARS = 12


def explain(
    decision_id: Annotated[str, typer.Argument(help="As replies, refusals and the record carry it.")],
    config: Annotated[
        Path, typer.Option("-c", "--config", help="The configuration; it names the record and the policy folder.")
    ] = _DEFAULT,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Say which rules granted and denied a request, on which facts, and the smallest change that would have allowed it."""
    with spoken():
        settings = load(config)
    found = _found(settings.audit.file, decision_id)
    judged = found.decision.get("input")
    if not isinstance(judged, dict):
        _unjudged(found, as_json=json)
        return
    if "sha256" in judged:
        fail("the record holds this input as a digest alone, because it was too large", "nothing can be replayed")
    with spoken():
        files = sources.read(settings.policy.path)
        engine = WasmEngine(build.load(files), tables.data(files.tables))
    try:
        files.schemas["schemas/input.json"].check(judged)
        explained = Explainer(files, engine).explain(judged)
    except SchemaFault as fault:
        fail(f"this version cannot judge what was recorded: {fault}", "use the version that wrote the record")
    except NoAnswer as none:
        fail(
            f"the policy in force has no answer to this, which is a no: {none}", "`leadglass policy check` may know why"
        )
    if json:
        _put(_document(found, explained, files))
    else:
        for line in _words(found, explained, files):
            sys.stdout.write(printable(line) + "\n")


def _put(document: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _found(file: Path, decision_id: str) -> Found:
    try:
        found = find(file, decision_id)
    except OSError as error:
        fail(f"cannot read {error.filename or file}: {error.strerror}", "run it as the user that owns the record")
    if found is None:
        fail(
            f"the record has no decision {printable(decision_id)}", "`leadglass audit search` finds decisions", Exit.NO
        )
    return found


def _unjudged(found: Found, *, as_json: bool) -> None:
    """Tell of a refusal before policy was asked: there are no rules to name."""
    verdict = found.decision.get("decision") or {}
    codes = [str(cause.get("code")) for cause in verdict.get("reasons") or ()]
    if as_json:
        _put({"decision_id": found.decision.get("decision_id"), "judged": False, "reasons": verdict.get("reasons"),
              "detail": verdict.get("detail")})  # fmt: skip
        return
    detail = verdict.get("detail")
    sys.stdout.write("refused before any rule was asked: " + printable(", ".join(codes)) + "\n")
    if detail:
        sys.stdout.write(f"  {printable(detail)}\n")
    sys.stdout.write("  docs/reasons.md tells what each reason means\n")


def _recorded(found: Found) -> tuple[bool, str, set[str]]:
    """Return what stands in the record: allowed or not, the revision, and the codes against it."""
    verdict = found.decision.get("decision") or {}
    codes = {str(one.get("code")) for name in ("reasons", "rows") for one in verdict.get(name) or ()}
    return verdict.get("allow") is True, str((found.decision.get("policy") or {}).get("revision")), codes


def _same(found: Found, explained: Explanation, files: sources.PolicySet) -> tuple[bool, bool]:
    """Return whether the revision in force judged it, and whether it says the same now as the record."""
    allow, revision, codes = _recorded(found)
    now = {str(cause.reason.code) for cause in explained.causes} | {
        str(cause.reason.code) for _, cause in explained.rows
    }
    return revision == files.revision, (allow, codes) == (explained.allow, now)


def _document(found: Found, explained: Explanation, files: sources.PolicySet) -> dict[str, Any]:
    allow, revision, _ = _recorded(found)
    in_force, agrees = _same(found, explained, files)
    return {
        "decision_id": found.decision.get("decision_id"),
        "leased": found.leased,
        "judged": True,
        "judgements": found.judgements,
        "cut_by": found.cut_by,
        "client": found.decision.get("client"),
        "recorded": {"allow": allow, "revision": revision},
        "revision": files.revision,
        "revision_in_force": in_force,
        "agrees": agrees,
        "allow": explained.allow,
        "rules": [
            {
                "rule": one.rule,
                "says": one.kind,
                "code": one.code,
                "row": one.row,
                "params": one.params,
                "facts": one.facts,
            }
            for one in explained.sayings
        ],
        "reasons": [cause.reason.code for cause in explained.causes],
        "wanted": explained.wanted,
        "smallest": [[{"fact": part.path, "words": part.words} for part in one] for one in explained.smallest],
    }


def _words(found: Found, explained: Explanation, files: sources.PolicySet) -> list[str]:
    decision = found.decision
    allow, revision, _ = _recorded(found)
    in_force, agrees = _same(found, explained, files)
    who, act = decision["input"]["subject"]["id"], decision["input"]["action"]["transaction"]
    asked = decision.get("resource") or {}
    what = asked.get("instance_uid") or asked.get("series_uid") or asked.get("study_uid") or ""
    lines = [
        f"{decision.get('decision_id')}: {'allowed' if allow else 'refused'}{_let_through(decision)}",
        f"  {decision.get('timestamp')}, {who}, {act} {what}".rstrip(),
    ]
    client = decision.get("client") or {}
    where = place(client.get("ip"), client.get("country"), client.get("city"))
    lines += [f"  from {where}"] if where else []
    lines += ["  the id that was asked for used its lease"] if found.leased else []
    lines += (
        [f"  judged {found.judgements} times; this is the first refusal, or the first of all"]
        if found.judgements > 1
        else []
    )
    lines += [f"  the reply was cut: {found.cut_by}"] if found.cut_by else []
    if in_force:
        lines.append(f"  judged by the policy in force, {revision[:_REVISION_CHARS]}")
    else:
        lines.append(
            f"  judged by policy {revision[:_REVISION_CHARS]}, which is not in force;"
            f" what follows is what {files.revision[:_REVISION_CHARS]} says"
        )
    if not agrees:
        now = "allows it" if explained.allow else "refuses it"
        lines.append(f"  NOTE: this differs from the record; the policy that was asked now {now}")
    lines += _rules(explained, files.reasons, decision["input"]["studies"])
    return lines + _smallest(explained)


def _let_through(decision: dict[str, Any]) -> str:
    told = {"refuse": ", and let through: the gateway observed", "hide": ", and every row shown: the gateway observed"}
    return told.get(str(decision.get("observed")), "")


def _rules(explained: Explanation, reasons: Any, studies: list[dict[str, Any]]) -> list[str]:  # noqa: ANN401 - by code
    lines = []
    for kind, title in (("grant", "granted by"), ("deny", "denied by")):
        some = [one for one in explained.sayings if one.kind == kind]
        lines.append(title if some else f"{title} no rule")
        for one in some:
            lines += [f"  {_said(one, reasons.get(one.code), studies)}"]
            lines += [f"      {path} = {_value(value)}" for path, value in one.facts.items()]
    return lines


def _said(one: Saying, reason: Reason | None, studies: list[dict[str, Any]]) -> str:
    study = "" if one.row is None else f", study {studies[one.row]['study_uid']}"
    if reason is None:
        return f"{one.rule}{study}: {one.code}"
    private = " (for the record alone)" if reason.disclose is Disclose.LOG else ""
    return f"{one.rule}{study}: {one.code}{private}: {sentence(reason.sentence, one.params)}"


def _value(value: object) -> str:
    return "(absent)" if value is None else orjson.dumps(value).decode()


def _smallest(explained: Explanation) -> list[str]:
    if explained.wanted is None:
        return []
    what = "have allowed it" if explained.wanted == "allow" else "have shown the studies left out"
    if not explained.smallest:
        return [f"no change on the list that is tried would {what} (docs/explain.md has the list)"]
    either = "the smallest change" if len(explained.smallest) == 1 else "the smallest changes, any of which"
    return [f"{either} that would {what}" if len(explained.smallest) == 1 else f"{either} would {what}"] + [
        "  " + " and ".join(part.words for part in one) for one in explained.smallest
    ]
