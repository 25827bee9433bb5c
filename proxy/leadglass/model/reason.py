"""What a reason consists of."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ADMIN: Final = "Tell the administrator of the archive, and name the decision id."


class Disclose(StrEnum):
    """Who may read a reason: the person refused, or the record alone."""

    SUBJECT = "subject"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is refused. `sentence` and `fix` may name parameters in braces."""

    code: str
    status: int
    title: str
    sentence: str
    fix: str
    disclose: Disclose = Disclose.SUBJECT
