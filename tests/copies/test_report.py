from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

from leadglass.copies.report import About, reason, render, size
from leadglass.copies.run import Left, Result, Series

ABOUT = About(
    "Research with moved dates", "research", "2026-11-29", "0.1.0", {"s/e/i.dcm": "data:image/jpeg;base64,AAAA"}
)


def result() -> Result:
    made = Result(Counter(written=2, refused=1, left=1), copied=1_234_567)
    made.series["e"] = Series("s", "e", "CT", ["s/e/i.dcm"])
    made.left = [Left("secret Mustermann.pdf", "pdf"), Left("b", "deid-unreadable", "odd length")]
    made.attributes = {
        "00100010": Counter(replaced=2), "00080080": Counter(removed=1, emptied=1), "00280010": Counter(kept=2),
        "00091001": Counter(removed=2),
    }  # fmt: skip
    return made


class Names(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]


def test_it_says_what_was_done() -> None:
    text = render(result(), ABOUT)
    for said in ("Research with moved dates", "PatientName", "InstitutionName", "private attribute", "1.2 MB", "a PDF"):
        assert said in text


def test_it_names_no_original() -> None:
    text = render(result(), ABOUT)
    assert "Mustermann" not in text
    assert "before de-identification" not in text
    assert "Not for passing on" not in text


def test_it_needs_nothing_else() -> None:
    names = Names()
    names.feed(render(result(), ABOUT))
    assert all(address.startswith("data:") for address in names.addresses)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(names.tags)
    assert "default-src 'none'" in render(result(), ABOUT)
    assert "http" not in render(result(), ABOUT).replace("http-equiv", "")


def test_pictures_before_say_that_they_must_stay() -> None:
    text = render(result(), replace(ABOUT, before={"s/e/i.dcm": "data:image/jpeg;base64,BBBB"}))
    assert "Not for passing on" in text
    assert text.index("BBBB") < text.index("AAAA")
    assert "Series 1 before de-identification: CT, 1 instance" in text


def test_what_an_image_says_is_escaped() -> None:
    hostile = result()
    hostile.series = {"<script>": Series("<b>", "<script>", "<i>", ["x"])}
    text = render(hostile, replace(ABOUT, title="<img src=x>"))
    assert "<script>" not in text
    assert "<img src=x>" not in text
    assert "no picture can be shown" in text


def test_an_empty_run_is_told_too() -> None:
    text = render(Result(), ABOUT)
    assert "<h2>" not in text
    assert "instances copied" in text


def test_reasons_and_sizes_in_words() -> None:
    assert reason("deid-unreadable").startswith("it cannot be read to its end")
    assert reason("dicomdir") == "a DICOMDIR, which names patients and files"
    assert reason("same-uid")
    assert reason("not-granted") == "Not allowed (not-granted)"
    assert [size(count) for count in (0, 999, 1500, 2_000_000, 123_456_789)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "2.0 MB",
        "123 MB",
    ]
