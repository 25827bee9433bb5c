"""An enrolled device on this machine, as the agent's tests need it."""

from dataclasses import dataclass

from leadglass_agent.member import Member
from leadglass_agent.state import Folder
from support.clock import FakeClock


@dataclass
class Enrolled:
    """Folder, certificate holder and the clock it counts by."""

    folder: Folder
    member: Member
    clock: FakeClock
