from collections.abc import Iterable

from leadglass.codec.routes import ROUTES, Route
from leadglass.codec.routes.rows import WORKLISTS


def _names(routes: Iterable[Route]) -> set[str]:
    return {route.transaction for route in routes}


def test_what_is_on_reads_or_stores_and_nothing_else() -> None:
    assert {route.act for route in ROUTES if route.on} == {"search", "retrieve", "render", "store"}
    assert all(route.judged != "none" for route in ROUTES if route.on)
    assert not _names(r for r in ROUTES if r.on) & _names(r for r in ROUTES if not r.on)


def test_every_row_says_what_it_is() -> None:
    shared = {"wado-uri.object", "wado-uri.rendered", *(route.transaction for route in WORKLISTS.values())}
    addresses = [(route.method, route.template) for route in ROUTES if route.transaction not in shared]
    assert len(set(addresses)) == len(addresses)
    assert all(route.says and route.transaction.count(".") <= 1 for route in ROUTES)


def test_searches_are_judged_by_row_and_come_as_json() -> None:
    for route in ROUTES:
        if route.transaction.startswith("qido-rs."):
            assert (route.judged, route.query, route.media) == ("rows", "search", ("application/dicom+json",))


def test_whole_objects_are_bulk_and_the_rest_is_not() -> None:
    traffic = {route.transaction: route.traffic for route in ROUTES if route.on}
    assert {traffic[f"wado-rs.{level}"] for level in ("study", "series", "instance")} == {"bulk"}
    assert {
        traffic[name] for name in ("wado-rs.frames", "wado-rs.study-metadata", "qido-rs.studies", "stow-rs.store")
    } == {"interactive"}
