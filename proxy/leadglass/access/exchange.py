"""One exchange on its way through the pipeline: what its stages have established so far."""

from dataclasses import dataclass, replace

from leadglass.access.credentials import device as device_of
from leadglass.access.observing import passes
from leadglass.access.services import Archive, Services
from leadglass.access.signals import stand
from leadglass.audit.scope import Scope
from leadglass.codec.routes import RouteMatch
from leadglass.model.decision import DEIDENTIFY, Decision
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Context, Device, Resource, Study, Subject
from leadglass.model.ports import BodySource, Reply
from leadglass.model.project import Project
from leadglass.model.question import Question
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Peer
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.plan import Plan


@dataclass(slots=True)
class Exchange:
    """A request whose sender is known, and the ways to its body and its reply.

    `generation` is that of the epochs before any of this was looked up. `refused` is what a stage said no to while the
    gateway observes. `outlives` is for how many seconds what is running may outlive its token, by the latest decision.
    `asked` is the request as the client spelt it where `match` is what its pseudonyms stand for, and `project` is whose they are.
    `shown_as` is the project as whose view the reply is made, None for what is shown as it is.
    """

    services: Services
    scope: Scope
    request: CleanRequest
    match: RouteMatch
    subject: Subject
    device: Device | None
    context: Context
    body: BodySource
    reply: Reply
    peer: Peer
    generation: int
    refused: Refusal | None = None
    outlives: int = 0
    asked: RouteMatch | None = None
    project: str | None = None
    shown_as: Project | None = None

    @property
    def archive(self) -> Archive:
        """The archive that the request is for. Raises Refusal `internal-fault` for a request that is for none."""
        name = self.match.resource.upstream
        if name is None:
            raise refuse(Code.INTERNAL_FAULT, "a request for no archive")
        return self.services.archives[name]

    def renew(self) -> None:
        """Look again at who asks and from which device, in an exchange that takes long. Raises Refusal."""
        services = self.services
        try:
            if self.refused is not None:
                raise self.refused
            device = self._vouched()
        except Refusal as refusal:  # goes on while the gateway observes, as it was
            self.refused, device = passes(services, refusal), self.device
        services.revocations.check(self.subject, device)  # as it is: a session may have been proven on another
        self.subject, self.device, risk = stand(services, self.subject, device)
        self.scope.device = self.device
        if risk != self.context.risk:
            self.context = replace(self.context, risk=risk)

    def _vouched(self) -> Device | None:
        services, now = self.services, self.services.clock.now()
        self.subject = services.sessions.current(self.subject)
        services.revocations.check(self.subject, self.device)  # as it was, which may be gone without a trace
        services.identity.check(self.subject)
        extra = self.outlives if self.subject.session is None else 0
        if now >= self.subject.expires + extra:
            raise refuse(Code.USER_UNAUTHENTICATED, "the token has expired meanwhile")
        return device_of(services, self.subject, self.peer)

    async def decide(self, question: Question, refused: Refusal | None = None) -> Decision:
        """Ask policy; what a stage refused already is only let through or not. Raises Refusal."""
        policy, decision_id = self.services.policy, self.scope.decision_id
        refused = self.refused or refused
        if refused is not None:
            return policy.pardon(refused, decision_id)
        return await policy.decide(question, decision_id)

    def plan(self, decision: Decision, question: Question) -> Plan:
        """Make the plan of an allowing decision. Raises Refusal.

        Who spells a study by a project's pseudonym gets it in that project's view and in no other way.
        """
        if self.project is not None and not any(
            one.type == DEIDENTIFY and one.params.get("project") == self.project for one in decision.obligations
        ):
            raise refuse(Code.STUDY_NOT_VISIBLE, "a pseudonym of a project that is not shown to this person")

        def occasion() -> Occasion:
            services, request, asked = self.services, self.request, self.asked or self.match
            return Occasion(
                self.match,
                question,
                services.means,
                self.asked,
                self.project,
                None if self.match.resource.upstream is None else self.archive.studies.pictures,
                services.authorities[request.authority] + request.path.removesuffix(asked.ask.path),
                services.clock.now(),
            )

        self.shown_as = self.services.means.project(decision.view)
        return Plan.of(decision, self.match, occasion)

    def question(
        self,
        studies: tuple[Study, ...] = (),
        missing: tuple[str, ...] = (),
        resource: Resource | None = None,
        context: Context | None = None,
    ) -> Question:
        """Put the question to policy: may this go on, about these studies?"""
        device, signed_in = self.device, self.subject.auth_time
        return Question(
            self.subject,
            self.match.action,
            self.match.resource if resource is None else resource,
            studies,
            device,
            self.context if context is None else context,
            None if device is None else device.age(self.services.clock.monotonic()),
            missing,
            None if signed_in is None else max(0.0, self.services.clock.now() - signed_in),
        )
