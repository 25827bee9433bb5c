from leadglass.deid.instance import Header
from leadglass.deid.masks import Masks
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Act
from leadglass.obligations.lens import Lens


def test_a_profile_made_ready() -> None:
    lens = Lens.of(load_profiles(None)["basic"], Masks())
    assert lens.rules.act(0x00100010) is Act.IDENTIFIER
    assert lens.pixels.judge(Header("", sop_class_uid="1.2.840.10008.5.1.4.1.1.2", modality="CT")).verdict == "clean"


def test_equal_profiles_make_equal_lenses() -> None:
    one, other = (Lens.of(load_profiles(None)["basic"], Masks()) for _ in range(2))
    assert one == other
    assert one != Lens.of(load_profiles(None)["research"], Masks())
