import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from leadglass.codec.picture import PictureError
from leadglass.codec.png import clean


def picture() -> bytes:
    info = PngInfo()
    info.add_text("Patient", "Demo^Patient")
    info.add_itxt("Comment", "Demo^Patient", zip=True)
    out = io.BytesIO()
    Image.linear_gradient("L").save(out, "PNG", pnginfo=info, dpi=(72, 72), exif=b"Exif\0\0Demo")
    return out.getvalue()


def test_what_is_written_beside_the_pixels_is_gone() -> None:
    before = picture()
    assert b"Demo" in before
    after = clean(before + b"Demo^Patient behind its end")
    assert b"Demo" not in after
    with Image.open(io.BytesIO(after)) as one, Image.open(io.BytesIO(before)) as other:
        assert one.tobytes() == other.tobytes()
        assert not {"Patient", "Comment", "exif", "dpi"} & set(one.info)


def test_what_cannot_be_read_does_not_pass() -> None:
    whole = picture()
    for broken in (b"", b"JPEG", whole[:-20], whole[:40], whole.replace(b"IDAT", b"QDAT")):
        with pytest.raises(PictureError):
            clean(broken)
