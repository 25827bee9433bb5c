"""Searches: judged whole before the archive is asked, and row by row when its answers are here.

`limit` and `offset` count the rows that are seen, and an archive counts all of them. So its pages are asked for one after
the other, each judged in one question, until the page asked for is full. That ends after a bounded number of rows; the
reply then says so (`Warning: 299`), in the same words whatever the reason, and the next page goes on there (cursors.py).
"""

from typing import Final

from leadglass.access.cursors import Owner
from leadglass.access.exchange import Exchange
from leadglass.access.live import Running
from leadglass.access.reply import judged, send, takes_gzip
from leadglass.codec.query import FUZZY, STUDY_UID, Search
from leadglass.codec.routes import RouteMatch
from leadglass.hazmat.mac import sha256
from leadglass.limits import SEARCH_AGAIN, SEARCH_ROWS, SEARCH_SCAN_SECONDS, STUDY_ROWS
from leadglass.model.decision import Decision
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.permit import Permit
from leadglass.model.reasons import Code
from leadglass.obligations.page import Page, identity, read_page
from leadglass.obligations.plan import Plan, Shown
from leadglass.obligations.treatment import PageRow

# PS3.18 sections 8.3.4.4 and 8.3.4.2. How many more there are is told to nobody.
MORE: Final = "There may be more results than this page holds. Narrow the search, or ask for the next page."
LITERAL: Final = "The fuzzymatching parameter is not supported. Only literal matching has been performed."


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12. Raises Refusal, UpstreamBroken, ClientGone."""
    services, scope = exchange.services, exchange.scope
    question = exchange.question()
    decision, permit = await judged(exchange, question)  # 8: may they search at all, and with these keys?
    scope.stage("plan")  # 9
    match = await exchange.plan(decision, question).ask()
    await scope.decided(question, decision)
    async with services.live.running(exchange, question, decision) as running:
        pages, warnings = await _Scan(exchange, running, permit, match, decision).fill()  # 10, 11
        sealed = await Plan.seal_rows(pages, gzip=takes_gzip(exchange.request), warnings=warnings)
        await running.confirm()
        scope.disclose(sealed.disclosed)
        await send(exchange, sealed)  # 12


class _Scan:
    """One page of a search being filled.

    `_row` is the archive's next row, `_left` how many more may be looked at. `_met` are the identities of the rows met,
    `_seen` those that may be seen, from the known place before the page on, each with the archive's row after it.
    """

    def __init__(
        self, exchange: Exchange, running: Running, permit: Permit, match: RouteMatch, decision: Decision
    ) -> None:
        if match.search is None or exchange.match.search is None:
            raise refuse(Code.INTERNAL_FAULT, "not a search")
        self._exchange, self._running, self._permit, self._match = exchange, running, permit, match
        self._came, self._search = exchange.match.search, match.search
        self._owner, self._name = _owner(exchange), _name(exchange, self._came)
        cursors = exchange.services.cursors
        self._begun = cursors.find(self._owner, self._name, self._came.offset)
        self._row = self._begun.row
        inside = match.resource.study_uid is not None  # one study, which is seen or not, however many rows it has
        self._largest = STUDY_ROWS if inside else SEARCH_ROWS
        self._left = STUDY_ROWS + SEARCH_AGAIN if inside else cursors.reach(self._owner, _keys(exchange, self._came))
        self._met: set[int] = set()
        self._seen: list[tuple[int, int]] = []
        self._terms, self._judgings = decision.terms, 0

    async def fill(self) -> tuple[list[Shown], tuple[str, ...]]:
        """Return the rows of the page, and what is to be said of it."""
        clock = self._exchange.services.clock
        until = clock.monotonic() + SEARCH_SCAN_SECONDS
        first = self._came.offset - self._begun.shown
        end = first + self._came.limit
        wanted, going, pages = end + self._begun.again, True, list[Shown]()
        while len(self._seen) < end and going and self._left > 0 and clock.monotonic() < until:
            start, size = self._row, min(wanted, self._largest, self._left)
            page = await self._page(size)
            new = self._new(page)
            going = page.count > 0 and (page.more or page.count == size)
            shown, before = (
                await self._judged(page.of(item for one, item in new if one not in self._begun.seen)),
                len(self._seen),
            )
            told = {item.place: one for one, item in new}
            self._seen += ((told[item.place], start + item.place + 1) for item in shown.rows)
            pages.append(shown.part(first - before, end - before))
            # While most are seen, somewhat more are asked for than are lacking; else as many as one question takes.
            wanted = 2 * (end - len(self._seen)) if 2 * len(shown.rows) >= page.count else self._largest
        self._keep(end)
        return pages, self._said(more=going or len(self._seen) > end)

    async def _page(self, size: int) -> Page:
        """Ask the archive for its next rows. A study in the address that is not there has none, as one that is hidden."""
        self._exchange.scope.stage("upstream")  # 10
        ask = self._match.ask._replace(query=self._search.page(size, self._row))
        try:
            reply = await self._exchange.archive.upstream.open(self._permit, ask)
        except Refusal as refusal:
            if refusal.causes[0].reason.code != Code.STUDY_NOT_VISIBLE:
                raise
            return Page((), ())
        page = await read_page(reply, self._match, size)
        self._row += page.count
        self._left -= page.count
        return page

    def _new(self, page: Page) -> list[tuple[int, PageRow]]:
        """Return the rows that were not met before, each once, with their identities."""
        new: list[tuple[int, PageRow]] = []
        for item in page.rows:
            one = identity(item)
            if one not in self._met:
                self._met.add(one)
                new.append((one, item))
        return new

    async def _judged(self, page: Page) -> Shown:
        """Judge rows of the archive and return what of them may leave."""
        exchange = self._exchange
        exchange.scope.stage("rows")  # 11
        # What the request names is looked up whether it has rows or not: hidden and absent cost the same.
        found, missing = await exchange.archive.studies.gather((*page.studies, *_named(exchange.match)), page=True)
        studies: tuple[Study, ...] = tuple(found[uid] for uid in page.studies if uid in found)
        judged_uids = [study.study_uid for study in studies]
        if exchange.services.observes() is not None and len(studies) < len(page.studies):
            # Rows that nothing is known of pass, too; of the exchange, so that the page is no longer good when that ends.
            more = refuse(Code.STUDY_AMBIGUOUS, "of studies in the page", count="several")
            exchange.refused = exchange.refused or more
            judged_uids = list(page.studies)
        if not judged_uids:
            return Shown((), {}, page.links)
        rows = exchange.question(studies, missing)
        verdict = await exchange.decide(rows)
        await exchange.scope.decided(rows, verdict)
        plan = exchange.plan(verdict, rows)  # raises what a denial of the page as a whole says
        if verdict.terms != self._terms:  # what was asked of the archive was asked under those
            raise refuse(Code.VIEW_CHANGED, "rows leave otherwise than the search was asked")
        self._running.stands_on(rows, verdict, also=self._judgings > 0)
        self._judgings += 1
        patients = {study.study_uid: study.patient_id or "" for study in studies}
        return await plan.show(page, judged_uids, patients, added=self._search.added)

    def _keep(self, end: int) -> None:
        """Remember where the next page goes on, after the last one as well: studies may come in."""
        seen = self._seen[:end]
        if not seen:
            return
        row = seen[-1][1] if len(seen) == end else self._row
        cursors = self._exchange.services.cursors
        cursors.keep(self._owner, self._name, self._begun, [one for one, _ in seen], row)

    def _said(self, *, more: bool) -> tuple[str, ...]:
        """Return the warnings of the reply."""
        request = self._exchange.request
        origin = self._exchange.services.authorities[request.authority]
        asked = self._exchange.asked or self._exchange.match
        service = origin + request.path.removesuffix(asked.ask.path)
        literal = self._came.flags.get(FUZZY) == "true" and FUZZY not in self._search.flags
        return tuple(f"299 {service}: {text}" for text, said in ((MORE, more), (LITERAL, literal)) if said)


def _named(match: RouteMatch) -> tuple[str, ...]:
    """Return the studies that a search names in its address or by its key."""
    if match.resource.study_uid is not None:
        return (match.resource.study_uid,)
    return () if match.search is None else match.search.matching.get(STUDY_UID, ())


def _keys(exchange: Exchange, search: Search) -> str:
    """Return what decides which rows match, and nothing of how they are asked for."""
    return repr((exchange.match.resource.upstream, exchange.match.ask.path, sorted(search.written.items())))


def _owner(exchange: Exchange) -> Owner:
    """Return whose walk it is: of one person in one session, or with one token."""
    subject = exchange.subject
    return subject.issuer, subject.id, subject.session or subject.token_hash


def _name(exchange: Exchange, search: Search) -> str:
    """Return which walk it is: what is searched for, in which archive, and for what purpose."""
    context = exchange.context
    what = (
        exchange.match.resource.upstream,
        exchange.match.ask.path,
        search.page(0, 0),
        context.purpose,
        context.break_glass is None,
    )
    return sha256(repr(what).encode("utf-8", "surrogatepass")).hex()
