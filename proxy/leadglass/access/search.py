"""Searches: judged whole before the archive is asked, and row by row when its answer is here."""

from leadglass.access.exchange import Exchange
from leadglass.access.live import Running
from leadglass.access.reply import judged, send, takes_gzip
from leadglass.codec.query import STUDY_UID
from leadglass.codec.routes import RouteMatch
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.permit import Permit, Sealed
from leadglass.model.reasons import Code
from leadglass.obligations.page import Page, read_page
from leadglass.obligations.plan import Plan


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12. Raises Refusal, UpstreamBroken, ClientGone."""
    services, scope = exchange.services, exchange.scope
    question = exchange.question()
    decision, permit = await judged(exchange, question)  # 8: may they search at all, and with these keys?
    scope.stage("plan")  # 9
    plan = exchange.plan(decision, question)
    await scope.decided(question, decision)
    async with services.live.running(exchange, question, decision) as running:
        scope.stage("upstream")
        page = await _page(exchange, permit, await plan.ask())  # 10
        scope.stage("rows")
        sealed = await _judged(exchange, running, plan, page)  # 11
        await running.confirm()
        scope.disclose(sealed.disclosed)
        await send(exchange, sealed)  # 12


async def _judged(exchange: Exchange, running: Running, plan: Plan, page: Page) -> Sealed:
    """Judge the rows of a page and return what of it may leave."""
    services, scope = exchange.services, exchange.scope
    # What the request names is looked up whether it has rows or not: hidden and absent cost the same.
    found, missing = await exchange.archive.studies.gather((*page.studies, *_named(exchange)), page=True)
    studies: tuple[Study, ...] = tuple(found[uid] for uid in page.studies if uid in found)
    judged_uids = [study.study_uid for study in studies]
    if services.observes() is not None and len(studies) < len(page.studies):  # rows that nothing is known of pass, too
        more = refuse(Code.STUDY_AMBIGUOUS, "of studies in the page", count="several")
        exchange.refused = (
            exchange.refused or more
        )  # of the exchange, so that the page is no longer good when that ends
        judged_uids = list(page.studies)
    if judged_uids:
        rows = exchange.question(studies, missing)
        verdict = await exchange.decide(rows)
        await scope.decided(rows, verdict)
        plan = exchange.plan(verdict, rows)  # raises what a denial of the page as a whole says
        running.stands_on(rows, verdict)
    patients = {study.study_uid: study.patient_id or "" for study in studies}
    return await plan.seal_rows(page, judged_uids, gzip=takes_gzip(exchange.request), patients=patients)


def _named(exchange: Exchange) -> tuple[str, ...]:
    """Return the studies that a search names in its address or by its key."""
    match = exchange.match
    if match.resource.study_uid is not None:
        return (match.resource.study_uid,)
    return () if match.search is None else match.search.matching.get(STUDY_UID, ())


async def _page(exchange: Exchange, permit: Permit, match: RouteMatch) -> Page:
    """Ask the archive. A study in the address that is not there has no rows, as one that is hidden has none."""
    try:
        reply = await exchange.archive.upstream.open(permit, match.ask)
    except Refusal as refusal:
        if refusal.causes[0].reason.code != Code.STUDY_NOT_VISIBLE:
            raise
        return Page((), ())
    return await read_page(reply, match)
