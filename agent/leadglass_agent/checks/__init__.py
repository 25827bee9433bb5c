"""Posture checks: one module each and platform. `platform_checks()` is the list of those that fit this machine."""

import sys

from leadglass_agent.checks.base import Check
from leadglass_agent.checks.linux import CHECKS as LINUX


def platform_checks(platform: str = sys.platform) -> tuple[Check, ...]:
    """Return the checks for `platform`; none for one that has no checks yet."""
    return {"linux": LINUX}.get(platform, ())
