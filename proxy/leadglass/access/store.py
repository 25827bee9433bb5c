"""Stores (STOW-RS): judged at the head, and part by part as the parts' headers stream in, each before it goes on."""

from dataclasses import replace

from leadglass.access.exchange import Exchange
from leadglass.access.observing import passes
from leadglass.access.reply import judged, opened, send
from leadglass.codec.part10 import InstanceHeader
from leadglass.limits import STUDIES_JUDGED
from leadglass.model.errors import FactsUnavailable, Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.reasons import Code
from leadglass.obligations.store_body import StoreBody


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12. Raises Refusal, UpstreamBroken, ClientGone."""
    services, scope, match = exchange.services, exchange.scope, exchange.match
    if match.body is None:
        raise refuse(Code.MEDIA_TYPE_REFUSED, "no media type")
    question = exchange.question()
    decision, permit = await judged(exchange, question)  # 8: may they store at all?
    parts = _Parts(exchange)
    scope.disclose(parts.stored)
    try:
        scope.stage("plan")  # 9
        plan = exchange.plan(decision, question)
        await scope.decided(question, decision)
        body = StoreBody(exchange.body, match.body, match.resource.study_uid, parts.judge)
        ask = match.ask._replace(content_type=body.content_type, length=None)
        async with services.live.running(exchange, question, decision) as running:
            reply = await opened(exchange, running, permit, ask, body.chunks())  # 10
            await send(exchange, plan.seal(reply))  # 11, 12
    finally:
        parts.end()


class _Parts:
    """The judge of each part. `stored` maps the studies that parts were forwarded for to their patient ids."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._studies = exchange.archive.studies  # a reload may put others in their place
        self._begun: dict[str, object] = {}
        self.stored: dict[str, str] = {}

    def end(self) -> None:
        """Say that the store is over: what it has changed is asked for anew, and others may go on."""
        for uid in self.stored:
            self._studies.drop(uid)
        for uid in self._begun:
            self._studies.end(uid)
        self._begun.clear()

    async def judge(self, header: InstanceHeader, _index: int) -> None:
        """Judge one part by its header. Raises Refusal; the part and all after it are then not forwarded."""
        exchange = self._exchange
        exchange.renew()  # a store may take hours: who sends it, and from what, is looked at for each part
        uid = header.study_uid
        if uid not in self.stored and len(self.stored) >= STUDIES_JUDGED:
            raise refuse(Code.BODY_TOO_LARGE, "more studies in one store than are judged")
        if header.sop_instance_uid in self._begun:
            raise refuse(Code.PART_MISMATCH, "two parts of one store have the same SOP Instance UID")
        refused: Refusal | None = None
        if not self._begin(uid, (header.patient_id, header.issuer_of_patient_id)):
            refused = self._conflict("the study is being stored under another patient id or issuer")
        if not self._begin(header.sop_instance_uid, self):
            raise refuse(Code.INSTANCE_EXISTS, "the instance is being stored by another request")
        study, missing = await self._study(header)
        if study.exists and (study.patient_id, study.issuer_of_patient_id) != (
            header.patient_id,
            header.issuer_of_patient_id,
        ):
            refused = self._conflict("the study exists under another patient id or issuer")
        resource = replace(
            exchange.match.resource,
            study_uid=uid,
            series_uid=header.series_uid,
            instance_uid=header.sop_instance_uid,
            sop_class=header.sop_class_uid,
            exists=await self._exists(header),
        )
        question = exchange.question((study,), missing, resource)
        decision = await exchange.decide(question, refused)
        await exchange.scope.decided(question, decision)
        exchange.plan(decision, question)  # raises what a denial says, and an obligation that a store cannot meet
        self.stored[uid] = header.patient_id or ""
        self._studies.drop(uid)

    def _conflict(self, detail: str) -> Refusal:
        return passes(self._exchange.services, refuse(Code.PATIENT_CONFLICT, detail))

    def _begin(self, uid: str, told: object) -> bool:
        if uid in self._begun:
            return self._begun[uid] == told
        if not self._studies.begin(uid, told):
            return False
        self._begun[uid] = told
        return True

    async def _study(self, header: InstanceHeader) -> tuple[Study, tuple[str, ...]]:
        """Return the study as the archive has it, or as this first part of it says.

        Of one that does not exist no modality is known: what a part says of itself is no fact, and whoever stores by the
        right to read a study has none to a study that nobody can read. Raises `upstream-unreachable`.
        """
        found, missing = await self._studies.gather((header.study_uid,), fresh=True)
        study = found.get(header.study_uid)
        if study is not None:
            if "studies[0].patient_id" in missing:
                raise refuse(Code.UPSTREAM_UNREACHABLE, "cannot tell whose the study is")
            return study, missing
        patient = (header.patient_id, header.issuer_of_patient_id)
        new, lacking = self._studies.enrich(Study(header.study_uid, False, *patient))  # noqa: FBT003 - it does not exist yet
        return new, (*missing, *(f"studies[0].{name}" for name in lacking))

    async def _exists(self, header: InstanceHeader) -> bool:
        """Return whether the archive holds this SOP Instance UID, in whatever study. Raises `upstream-unreachable`."""
        try:
            rows = await self._exchange.archive.upstream.facts.instance_anywhere(header.sop_instance_uid)
        except FactsUnavailable as error:
            raise refuse(Code.UPSTREAM_UNREACHABLE, f"cannot tell whether the instance exists: {error}") from error
        return bool(rows)
