"""Pages of other origins: who may read what is answered, and the preflights in which browsers ask that first.

A preflight carries no credential, so it is answered before anybody is identified, and never reaches the archive. It is no
use of anything, and leaves no line in the record unless it is refused.
"""

from leadglass.access.services import Services
from leadglass.audit.noise import source_of
from leadglass.audit.scope import Scope
from leadglass.codec.cors import Cors, is_preflight
from leadglass.model.errors import refuse
from leadglass.model.permit import ControlReply
from leadglass.model.ports import Reply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Peer

_NO_CONTENT = 204


def answered(services: Services, cors: Cors, scope: Scope, request: CleanRequest, peer: Peer, reply: Reply) -> bool:
    """Let listed pages read the reply, refusals too; answer a preflight, and return whether it was one.

    Raises Refusal `rate-limited`, `origin-refused`.
    """
    reply.share(cors.shared(request))
    if not is_preflight(request):
        return False
    services.preflights.spend(source_of(peer.ip))
    if not cors.lists(request):
        raise refuse(Code.ORIGIN_REFUSED, "a preflight of a page that is not listed")
    scope.control("preflight")
    reply.answer(ControlReply(_NO_CONTENT, cors.granted(request), b""), scope.decision_id)
    scope.finished(_NO_CONTENT, reply.sent)
    return True
