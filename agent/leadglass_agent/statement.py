"""The posture statement: what the checks answered, signed by the device key (docs/device-protocol.md; RFC 9711)."""

from collections.abc import Mapping
from pathlib import Path

from leadglass_agent import __version__
from leadglass_agent.checks.base import Result
from leadglass_agent.keys import DeviceKey, jws
from leadglass_agent.state import State

TYP = "leadglass-posture+jwt"
PROFILE = "urn:leadglass:posture:1"


def boot(root: Path = Path("/")) -> tuple[str, float]:
    """Return the boot id and the seconds since that boot, suspended time with them. Raises OSError, ValueError."""
    identifier = (root / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    uptime = (root / "proc/uptime").read_text(encoding="ascii").split()[0]
    return identifier, float(uptime)


def statement(
    key: DeviceKey,
    state: State,
    checks: Mapping[str, Result],
    *,
    nonce: str,
    seq: int,
    now: float,
    booted: tuple[str, float],
) -> str:
    """Return the signed statement `seq` of the device in `state`."""
    boot_id, uptime = booted
    claims = {
        "eat_profile": PROFILE,
        "eat_nonce": nonce,
        "ueid": state.device_id,
        "iat": int(now),
        "swname": "leadglass-agent",
        "swversion": __version__,
        "seq": seq,
        "boot_id": boot_id,
        "uptime": uptime,
        "checks": {name: result.document() for name, result in checks.items()},
    }
    return jws(key, claims, typ=TYP, kid=state.device_id)
