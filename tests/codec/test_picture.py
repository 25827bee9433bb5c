from leadglass.codec.jpeg import JpegCleaner
from leadglass.codec.jpeg2000 import CodestreamCleaner
from leadglass.codec.picture import Cleaner, PictureError


def test_cleaners_are_cleaners() -> None:
    cleaners: list[Cleaner] = [JpegCleaner(), CodestreamCleaner()]
    assert [cleaner.feed(b"") for cleaner in cleaners] == [b"", b""]
    assert issubclass(PictureError, ValueError)
