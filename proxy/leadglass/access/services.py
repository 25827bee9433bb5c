"""What the pipeline stands on: one frozen value, so that a reload swaps everything or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from leadglass.access.cursors import Cursors
from leadglass.access.glass import BreakGlass
from leadglass.access.rates import RateLimit, Strangers
from leadglass.access.why import Why
from leadglass.attributes.context import ContextFacts
from leadglass.attributes.studies import StudyFacts
from leadglass.audit.service import Audit
from leadglass.clock import Clock
from leadglass.codec.cors import Cors
from leadglass.codec.routes import Places
from leadglass.devices.registry import Registry
from leadglass.identity.identity import Identity
from leadglass.model.ports import ControlDoor
from leadglass.obligations.occasion import NO_MEANS, Means
from leadglass.policy.decide import Policy
from leadglass.policy.observed import Observes
from leadglass.revocation.revocations import Revocations
from leadglass.sessions.bindings import Bindings
from leadglass.sessions.sessions import Sessions
from leadglass.signals.standing import Standings
from leadglass.static.mounts import Mounts
from leadglass.traces.tracer import Tracer
from leadglass.upstream.upstream import Upstream

if TYPE_CHECKING:  # the registry of what is running looks back at the services in force
    from leadglass.access.live import Live


class Archive(NamedTuple):
    """One archive: the door to it, and what is known of its studies and of no other's.

    The same UID in two archives is two studies, so nothing is held outside of this.
    """

    upstream: Upstream
    studies: StudyFacts


@dataclass(frozen=True, slots=True)
class Services:
    """Everything one request may need. `authorities` are the values of Host that are served, each with its origin.

    `archives` are by their names under `upstreams`. `cors` lists the pages of other origins that may read replies.
    `degraded` tells which of the gateway's own conditions are not as they should be (`context.degraded`). `sign_in` says
    whether people can sign in here with a browser; `observes` until when refusals are let through.
    `tracer` is None while nothing is traced. `means` are what obligations are met with.
    """

    clock: Clock
    audit: Audit
    authorities: Mapping[str, str]
    cors: Cors | None
    routes: Places
    archives: Mapping[str, Archive]
    files: Mounts
    identity: Identity
    sessions: Sessions
    bindings: Bindings
    sign_in: bool
    registry: Registry
    contexts: ContextFacts
    policy: Policy
    revocations: Revocations
    standings: Standings
    live: "Live"
    control: ControlDoor
    subjects: RateLimit
    strangers: Strangers
    preflights: RateLimit
    degraded: Callable[[], tuple[str, ...]]
    glass: BreakGlass
    why: Why
    cursors: Cursors
    observes: Observes
    tracer: Tracer | None = None
    means: Means = NO_MEANS
