"""Refusals that tell an agent what to do (docs/device-protocol.md, "Refusals")."""

from enum import StrEnum

from leadglass.model.errors import Cause, Refusal
from leadglass.model.reasons import REASONS, Code


class Fault(StrEnum):
    """What is wrong with a renewal or a statement. All but INVALID are told only to who signed with the device key."""

    INVALID = "invalid"
    REVOKED = "revoked"
    CLAIMS = "claims"
    NONCE = "nonce"
    CLOCK = "clock"
    SEQUENCE = "sequence"
    BOOT = "boot"


class StatementRefused(Refusal):
    """`statement-invalid`, with the members that its problem document gains. `detail` is for the record alone."""

    def __init__(self, fault: Fault, detail: str = "", **members: str | int) -> None:
        super().__init__(Cause(REASONS[Code.STATEMENT_INVALID]), detail=detail or str(fault))
        self.fault = fault
        self.members: dict[str, str | int] = {"error": str(fault), **members}
