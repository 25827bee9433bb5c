"""The refusal of what cannot be read, and so cannot be de-identified."""

from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code


def unreadable(detail: str) -> Refusal:
    """Make the refusal; `detail` says what was wrong, and no value."""
    return refuse(Code.DEID_UNREADABLE, detail)
