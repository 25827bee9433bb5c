"""Settings of the mode: whether a gateway that is being introduced only observes, and until when."""

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from leadglass.model.settings import SettingsModel


def _moment(value: object) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            'must be a time with its zone, in quotes, such as "2026-12-15T08:00:00+01:00" or "2026-12-15T07:00:00Z": '
            "a date alone, or a time without zone, is another moment in each zone"
        )
    return moment.timestamp()


class ModeSettings(SettingsModel):
    """Whether refusals are carried out. Empty: they are."""

    observe_until: Annotated[float | None, BeforeValidator(_moment)] = Field(
        default=None,
        description="For introduction alone: until this time, at most 30 days after the first start that observes, what policy"
        " refuses passes and is written down. A time with its zone, in quotes. Afterwards the gateway enforces by itself.",
    )
