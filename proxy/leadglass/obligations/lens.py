"""A profile made ready for views: what becomes of attributes, and of pixels."""

from dataclasses import dataclass, field
from typing import Self

from leadglass.deid.masks import Masks
from leadglass.deid.pixels import Pixels
from leadglass.deid.profile import Profile
from leadglass.deid.rules import Rules


@dataclass(frozen=True, slots=True)
class Lens:
    """One profile. Two are equal when they were made of equal profiles and masks: `made_of` says of which."""

    made_of: tuple[Profile, str]
    rules: Rules = field(compare=False)
    pixels: Pixels = field(compare=False)

    @classmethod
    def of(cls, profile: Profile, masks: Masks, told: str = "") -> Self:
        """Make a profile ready. `told` stands for the masks: a digest of their file."""
        return cls((profile, told), Rules(profile), Pixels(profile.pixels, masks))
