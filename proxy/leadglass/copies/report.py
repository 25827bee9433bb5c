"""The report of a run: one HTML file that needs nothing else, no network and no script.

It lies beside the copies and travels with them, so it says what they say and no more: pseudonyms, counts, what became of
which attribute, pictures of the copies. It names no original, no file of it and no value. Only who asks for `before` gets
pictures of the originals, in a file that says that it must stay.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Final

from pydicom.datadict import keyword_for_tag

from leadglass.copies.bounds import REPORT_PICTURES
from leadglass.copies.found import KINDS
from leadglass.copies.run import Result, Series
from leadglass.copies.seen import WAYS
from leadglass.model.codes import Code
from leadglass.model.reasons import REASONS

_BRAND: Final = (
    '<p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="3" width="18" height="18" rx="4"/>'
    '<path d="M8 12l4-4M10 17l7-7"/></svg>Leadglass</p>'
)
_CSP: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_CHANGED: Final = ("removed", "emptied", "replaced", "added")
_OWN: Final = {
    "same-uid": "another file has its SOP Instance UID, and other content",
    "unreadable": "cannot be read",
    "store-unreadable": "it cannot be read to its end, so nobody can say whom it names",
    "deid-unreadable": "it cannot be read to its end, so nobody can say whom it names",
    "pixels-at-risk": "its pixels or its document may show who the patient is; a mask or an allowance lets it pass",
    "internal-fault": "it could not be copied, for a reason that was not foreseen",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a report is of. `pictures` are those of the copies by name; `before` those of their originals, or None."""

    title: str
    profile: str
    made: str
    version: str
    pictures: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] | None = None


def render(result: Result, about: About) -> str:
    """Return the report. What is in it is escaped here and nowhere else."""
    style = (files(__package__) / "style.css").read_text(encoding="utf-8")
    content = "\n".join([*_head(result, about), *_pictures(result, about), *_attributes(result), *_left(result)])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>De-identified copies: {escape(about.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{content}\n</main>\n<footer>\n<p>{_footer(about)}</p>\n</footer>\n</body>\n</html>\n"
    )


def _footer(about: About) -> str:
    kept = (
        "Studies, series and instances stand here under their pseudonyms. This report names no original, no file of it and "
        "no value that was replaced."
    )
    if about.before is not None:
        kept = "The pictures marked “before” are of the originals. Keep this file where the originals are kept."
    return f"{kept} Made on {escape(about.made)} by Leadglass {escape(about.version)}."


def _head(result: Result, about: About) -> Iterator[str]:
    yield f"<header>\n{_BRAND}\n<h1>De-identified copies</h1>"
    yield f'<p class="soft">Profile <b>{escape(about.profile)}</b>: {escape(about.title)}</p>'
    if about.before is not None:
        yield (
            '<p class="warn"><b>Not for passing on.</b> The pictures on the left are of the originals and may show who the '
            "patients are.</p>"
        )
    sums = {
        "instances copied": f"{result.counts['written']:,}",
        "series": f"{len(result.series):,}",
        "studies": f"{len({series.study for series in result.series.values()}):,}",
        "size of the copies": size(result.copied),
        "files without a copy": f"{len(result.left):,}",
    }
    each = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in sums.items())
    yield f'<dl class="sums">{each}</dl>\n</header>\n<main>'


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    value, unit = float(count), "bytes"
    for bigger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 - the step between units
            break
        value, unit = value / 1000, bigger
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004 - likewise


def _pictures(result: Result, about: About) -> Iterator[str]:
    if not result.series:
        return
    yield "<h2>Pictures</h2>"
    shown = sorted(result.series.values(), key=lambda series: (series.study, series.uid))
    words = (
        "the picture in its middle, as it was and as it is now"
        if about.before is not None
        else "the picture in its middle"
    )
    yield f'<p class="soft">One of each series: {words}. Look for text that names a person.</p>'
    by_study: dict[str, list[Series]] = {}
    for series in shown[:REPORT_PICTURES]:
        by_study.setdefault(series.study, []).append(series)
    number = 0
    for place, (study, of) in enumerate(by_study.items(), 1):
        yield f"<h3>Study {place} <code>{escape(study)}</code></h3>"
        yield f'<ul class="pictures{" pairs" if about.before is not None else ""}">'
        for series in of:
            number += 1
            yield f"<li>{_figure(series, number, about)}</li>"
        yield "</ul>"
    if len(shown) > REPORT_PICTURES:
        yield f'<p class="soft">and {len(shown) - REPORT_PICTURES:,} series more.</p>'


def _figure(series: Series, number: int, about: About) -> str:
    what = f"{series.modality or 'no modality'}, {_many(len(series.copies), 'instance')}"
    after = _side(about.pictures.get(series.shown), f"Series {number} after de-identification: {what}")
    if about.before is None:
        sides = after
    else:
        before = _side(about.before.get(series.shown), f"Series {number} before de-identification: {what}")
        sides = (
            f'<div class="sides"><div><p class="label">before</p>{before}</div>'
            f'<div><p class="label">after</p>{after}</div></div>'
        )
    return f"<figure>{sides}<figcaption><b>Series {number}: {escape(what)}</b><code>{_short(series.uid)}</code></figcaption></figure>"


def _short(uid: str) -> str:
    shortest = 22
    return escape(uid if len(uid) <= shortest else f"{uid[:8]}…{uid[-8:]}")


def _side(uri: str | None, words: str) -> str:
    if uri is None:
        return '<div class="none">no picture can be shown</div>'
    return f'<img src="{escape(uri)}" alt="{escape(words)}">'


def _attributes(result: Result) -> Iterator[str]:
    changed = {tag: ways for tag, ways in result.attributes.items() if any(ways[way] for way in _CHANGED)}
    kept = {tag: ways for tag, ways in result.attributes.items() if tag not in changed}
    if not result.attributes:
        return
    yield "<h2>What was done</h2>"
    yield (
        f'<p class="soft">{_many(len(changed), "attribute")} changed, {len(kept):,} stayed as they were. Seen in originals and '
        "copies, at every depth; a number is that of instances. What was inside a sequence that was removed went with it.</p>"
    )
    yield from _table("changed", "Attributes that were changed, in the order of their tags", changed, WAYS)
    if kept:
        yield f"<details><summary>{_many(len(kept), 'attribute')} that stayed as they were</summary>"
        yield from _table("kept", "Attributes that stayed as they were, in the order of their tags", kept, ("kept",))
        yield "</details>"


def _table(name: str, caption: str, rows: Mapping[str, Counter[str]], ways: tuple[str, ...]) -> Iterator[str]:
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
    yield f'<table id="{name}"><caption>{escape(caption)}</caption><thead><tr><th scope="col">Tag</th><th scope="col">Attribute</th>'
    yield "".join(f'<th scope="col" class="n">{way}</th>' for way in ways)
    yield ('<th scope="col">Share</th>' if len(ways) > 1 else "") + "</tr></thead><tbody>"
    for tag, counts in sorted(rows.items()):
        cells = "".join(
            f'<td class="n">{counts[way]:,}</td>' if counts[way] else '<td class="n">-</td>' for way in ways
        )
        bar = f"<td>{_bar(counts)}</td>" if len(ways) > 1 else ""
        yield f'<tr><td><code>({tag[:4]},{tag[4:]})</code></td><th scope="row">{escape(_name(tag))}</th>{cells}{bar}</tr>'
    yield "</tbody></table></div>"


def _bar(counts: Counter[str]) -> str:
    total = counts.total() or 1
    parts = "".join(
        f'<i class="{way}" style="width:{100 * counts[way] / total:.1f}%"></i>' for way in WAYS if counts[way]
    )
    return f'<span class="bar" aria-hidden="true">{parts}</span>'


def _name(tag: str) -> str:
    if int(tag[:4], 16) % 2:
        return "private attribute"
    return keyword_for_tag(int(tag, 16)) or "unknown attribute"


def _left(result: Result) -> Iterator[str]:
    if not result.left:
        return
    yield "<h2>Files without a copy</h2>"
    yield '<p class="soft">Their names are told to who runs it, and are not in this report.</p>'
    yield '<div class="scroll"><table id="left"><caption>Why files have no copy</caption><thead><tr>'
    yield '<th scope="col">Why</th><th scope="col" class="n">Files</th></tr></thead><tbody>'
    for code, count in Counter(left.code for left in result.left).most_common():
        yield f'<tr><th scope="row">{escape(reason(code))}</th><td class="n">{count:,}</td></tr>'
    yield "</tbody></table></div>"


def reason(code: str) -> str:
    """Return in words why there is no copy of a file."""
    if code in KINDS or code in _OWN:
        return _OWN.get(code) or KINDS[code]
    known: Iterable[Code] = Code
    return f"{REASONS[Code(code)].title} ({code})" if code in {one.value for one in known} else code


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
