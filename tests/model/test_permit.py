"""Permits are frozen values; tests/arch/test_permits.py says who may make them."""

from dataclasses import FrozenInstanceError, replace

import pytest

from leadglass.model.permit import ControlReply, Sealed
from support.upstreams import permit


def test_a_permit_cannot_be_widened() -> None:
    given = permit(study_uid="1.2.3")
    with pytest.raises(FrozenInstanceError):
        given.question = replace(given.question, resource=replace(given.resource, study_uid="1.2.4"))  # type: ignore[misc]  # that is the point


def test_what_is_sealed_stays_so() -> None:
    sealed = Sealed(200, (), b"", 0)
    with pytest.raises(FrozenInstanceError):
        sealed.body = b"x"  # type: ignore[misc]  # that is the point
    assert dict(sealed.disclosed) == {}


def test_a_control_reply_is_whole() -> None:
    assert ControlReply(200, (), b"x").body == b"x"
