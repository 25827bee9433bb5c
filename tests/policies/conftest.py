"""The shipped policy set, read once."""

import pytest

from leadglass.policy import sources
from leadglass.policy.sources import PolicySet


@pytest.fixture(scope="session")
def shipped() -> PolicySet:
    return sources.read(None)
