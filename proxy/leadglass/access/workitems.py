"""Workitems (UPS-RS, PS3.18 chapter 11): judged by every study that one names, in the archive and in what is sent.

A workitem names studies and a patient anywhere in its data set, and an update may add some, so it is looked up before
the decision and both are judged. A study that the archive does not hold yet is judged by the patient whose the workitem
says it is. What the archive then answers must name nothing else than what was judged.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from leadglass.access.exchange import Exchange
from leadglass.access.reply import judged, opened, send, takes_gzip
from leadglass.codec.accept import JSON
from leadglass.codec.dicomjson import write_rows
from leadglass.codec.workitem import Workitem, parse_one, read_workitem
from leadglass.limits import STUDIES_JUDGED, WORKITEM_BYTES
from leadglass.model.errors import FactsUnavailable, Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.reasons import Code
from leadglass.obligations.page import read_workitems


@dataclass(frozen=True, slots=True)
class Named:
    """The studies that workitems name, as they are judged, and the facts about them that could not be had."""

    studies: tuple[Study, ...]
    missing: tuple[str, ...]

    @property
    def patients(self) -> dict[str, str]:
        """Whose they are, for the record."""
        return {study.study_uid: study.patient_id or "" for study in self.studies}


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12 of what is about one workitem. Raises Refusal, UpstreamBroken, ClientGone."""
    services, scope, match = exchange.services, exchange.scope, exchange.match
    sent = await _sent(exchange)
    held = await look_up(exchange, match.resource.instance_uid or "")
    made = match.route.transaction == "ups-rs.create"
    named = await gather(exchange, [item for item in (held, sent) if item is not None])
    question = exchange.question(named.studies, named.missing)
    decision, permit = await judged(exchange, question)  # 8
    if held is None and not made:
        raise refuse(Code.STUDY_NOT_VISIBLE, "no such workitem")
    scope.stage("plan")  # 9
    plan = exchange.plan(decision, question)
    await scope.decided(question, decision)
    ask, body = match.ask, None
    if sent is not None:
        data = write_rows([sent.row], _malformed)  # as it was judged, whatever else was in it
        ask, body = ask._replace(content_type=JSON, length=len(data)), _once(data)
    async with services.live.running(exchange, question, decision) as running:
        reply = await opened(exchange, running, permit, ask, body)  # 10
        if not match.route.media:
            await send(exchange, plan.seal(reply))  # 11, 12
            return
        found = await read_workitems(reply, 1)
        if [_told(item) for item in found] != [_told(item) for item in (held,) if item is not None]:
            raise refuse(Code.UPSTREAM_INVALID, "the workitem is not the one that was judged")
        await running.confirm()
        scope.disclose(named.patients)
        await send(
            exchange, await plan.seal_workitems(found, named.patients, reply.links, gzip=takes_gzip(exchange.request))
        )


async def search(exchange: Exchange) -> None:
    """Stages 7 to 12 of a search for workitems: judged whole, and then by the studies of its rows."""
    services, scope, match = exchange.services, exchange.scope, exchange.match
    question = exchange.question()
    decision, permit = await judged(exchange, question)
    scope.stage("plan")
    plan = exchange.plan(decision, question)
    await scope.decided(question, decision)
    async with services.live.running(exchange, question, decision) as running:
        reply = await opened(exchange, running, permit, match.ask)
        scope.stage("rows")
        rows = _bounded(await read_workitems(reply, match.search.limit if match.search else 0))
        named = await gather(exchange, rows, page=True)
        if named.studies:
            about = exchange.question(named.studies, named.missing)
            verdict = await exchange.decide(about)
            await scope.decided(about, verdict)
            plan = exchange.plan(verdict, about)
            running.stands_on(about, verdict)
        sealed = await plan.seal_workitems(rows, named.patients, reply.links, gzip=takes_gzip(exchange.request))
        await running.confirm()
        scope.disclose(sealed.disclosed)
        await send(exchange, sealed)


async def look_up(exchange: Exchange, uid: str) -> Workitem | None:
    """Return the workitem as the archive has it, None when there is none. Raises `upstream-unreachable`, `-invalid`."""
    try:
        rows = await exchange.archive.upstream.facts.workitem(uid)
    except FactsUnavailable as error:
        raise refuse(Code.UPSTREAM_UNREACHABLE, f"cannot tell what the workitem names: {error}") from error
    if not rows:
        return None
    item = read_workitem(rows[0], _invalid)
    if len(rows) > 1 or item.uid not in {None, uid}:
        raise _invalid("another workitem than was asked for")
    return item


async def gather(exchange: Exchange, items: Iterable[Workitem], *, page: bool = False) -> Named:
    """Return the facts about every study that these name. Raises `patient-conflict` where they are of somebody else.

    On a `page` such a study is left out, so that its rows are, and one broken row does not hide all others.
    """
    facts = exchange.archive.studies
    told: dict[str, list[Workitem]] = {}
    for item in items:
        for uid in item.studies:
            told.setdefault(uid, []).append(item)
    found, missing = await facts.gather(tuple(told), page=page)
    studies: list[Study] = []
    lacking: list[str] = []
    at: dict[str, str] = {}
    for position, (uid, study) in enumerate(found.items()):
        if all(_agree(item, study.patient_id, study.issuer_of_patient_id) for item in told[uid]):
            at[f"studies[{position}]"] = f"studies[{len(studies)}]"
            studies.append(study)
        elif not page:
            raise refuse(Code.PATIENT_CONFLICT, "a workitem names a study of another patient")
    for path in missing:
        study_path, _, name = path.partition(".")
        if study_path in at:
            lacking.append(f"{at[study_path]}.{name}" if name else at[study_path])
    for uid, items_of_it in told.items():
        if uid in found:
            continue
        first = items_of_it[0]
        if all(_agree(item, first.patient_id, first.issuer) for item in items_of_it):
            study, absent = facts.enrich(Study(uid, False, first.patient_id, first.issuer))  # noqa: FBT003 - it does not exist
            lacking += (f"studies[{len(studies)}].{name}" for name in absent)
            studies.append(study)
        elif not page:
            raise refuse(Code.PATIENT_CONFLICT, "a workitem gives a study to another patient")
    return Named(tuple(studies), tuple(lacking))


def _agree(item: Workitem, patient: str | None, issuer: str | None) -> bool:
    """Whether the workitem says of its patient nothing else than what is known of the study's."""
    for said, known in ((item.patient_id, patient), (item.issuer, issuer)):
        if said is not None and known is not None and said != known:
            return False
    return True


def _told(item: Workitem) -> tuple[object, ...]:
    return (item.uid, frozenset(item.studies), item.patient_id, item.issuer)


def _bounded(rows: Sequence[Workitem]) -> list[Workitem]:
    """Return the rows whose studies fit into one question; a row that names none cannot be judged."""
    seen: set[str] = set()
    kept = []
    for item in rows:
        more = seen | set(item.studies)
        if item.studies and len(more) <= STUDIES_JUDGED:
            seen = more
            kept.append(item)
    return kept


async def _sent(exchange: Exchange) -> Workitem | None:
    """Return the data set that the request brings. Raises `body-too-large`, `http-malformed`, `uid-malformed`."""
    if exchange.match.body is None:
        return None
    held = bytearray()
    async for chunk in exchange.body.chunks():
        held += chunk
        if len(held) > WORKITEM_BYTES:
            raise refuse(Code.BODY_TOO_LARGE, "a workitem")
    return parse_one(bytes(held), _malformed)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _malformed(detail: str) -> Refusal:
    return refuse(Code.HTTP_MALFORMED, detail)


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)
