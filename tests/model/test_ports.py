"""The doors between packages, held against what stands in them."""

import inspect

import pytest

from leadglass.audit.service import Audit
from leadglass.gateways.control.relay import ControlRelay
from leadglass.gateways.http.body import RequestBody
from leadglass.gateways.http.reply import HttpReply
from leadglass.model import ports
from leadglass.obligations.part_guard import GuardedReply
from leadglass.upstream.facts import Facts
from leadglass.upstream.reply import Reply

PAIRS: list[tuple[type, type]] = [
    (ports.BodySource, RequestBody),
    (ports.UpstreamReply, Reply),
    (ports.UpstreamReply, GuardedReply),
    (ports.FactsDoor, Facts),
    (ports.Reply, HttpReply),
    (ports.Sink, HttpReply),
    (ports.EventSink, Audit),
    (ports.ControlDoor, ControlRelay),
]


@pytest.mark.parametrize(("port", "kind"), PAIRS, ids=[f"{kind.__name__}-as-{port.__name__}" for port, kind in PAIRS])
def test_what_stands_in_a_door_has_all_of_its_members(port: type, kind: type) -> None:
    for name, member in vars(port).items():
        if name.startswith("_"):
            continue
        held = getattr(kind, name, None)
        if not callable(member):
            continue  # a property may be a plain attribute
        assert held is not None, name
        wanted = list(inspect.signature(member).parameters)
        assert list(inspect.signature(held).parameters)[: len(wanted)] == wanted, name
