"""Every kind speaks of things that exist, and says where it has them from."""

from typing import get_args

import pytest

from leadglass.codec.kinds import KINDS, Kind
from leadglass.codec.query import parse_search
from leadglass.codec.routes import ROUTES
from leadglass.upstream.settings import UpstreamSettings

NAMES = {route.transaction for route in ROUTES}


def test_the_setting_takes_these_kinds_and_no_other() -> None:
    assert list(KINDS) == list(get_args(UpstreamSettings.model_fields["kind"].annotation))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_it_lacks_are_transactions(kind: Kind) -> None:
    for name in kind.lacks:
        family = name.removesuffix("*")
        assert name in NAMES or (family != name and any(one.startswith(family) for one in NAMES)), name
    assert kind.source


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_it_renders_can_be_asked_for(kind: Kind) -> None:
    rendered = {media for route in ROUTES if route.query == "render" for media in route.media}
    assert set(kind.renders) <= rendered


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_its_order_is_by_attributes_that_are_known(kind: Kind) -> None:
    for key in kind.order.values():
        parse_search([(key, "1.2.3")], path={}, returned=frozenset(), needed=())


def test_a_family_is_lacked_whole_and_nothing_else() -> None:
    kind = Kind("x", "quoted", "a test", lacks=frozenset({"delete.*", "wado-rs.study-3d"}))
    told = {name: kind.has(name) for name in ("delete.study", "delete.instance", "wado-rs.study-3d", "wado-rs.study")}
    assert told == {"delete.study": False, "delete.instance": False, "wado-rs.study-3d": False, "wado-rs.study": True}
