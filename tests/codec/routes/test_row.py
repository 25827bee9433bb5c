from dataclasses import FrozenInstanceError

import pytest

from leadglass.codec.accept import Offers
from leadglass.codec.routes.row import Route


def test_a_row_is_a_value_that_names_its_media_types() -> None:
    route = Route("x.y", "GET", "/x", "retrieve", "study", "Says", Offers(("image/png", "image/jpeg")))
    assert route.media == ("image/png", "image/jpeg")
    assert (route.on, route.judged, route.query, route.takes) == (True, "study", "none", ())
    with pytest.raises(FrozenInstanceError):
        route.on = False  # type: ignore[misc]  # the point of the test


def test_a_row_without_media_types_answers_with_a_status() -> None:
    assert Route("x.y", "DELETE", "/x", "delete", "study", "Says").media == ()
