"""The frame of every page of the gateway's own: refusals, sign-in, sessions.

No outside resource, no script but the one that a page names, everything escaped by whoever fills it; readable in light
and dark, by keyboard and by screen reader. The policy that goes with it (`policy`) lets nothing else in.
"""

import base64
from collections.abc import Iterable
from html import escape
from typing import Final

from leadglass.codec.control import DEVICE
from leadglass.hazmat.mac import sha256

_STYLE: Final = """
:root{color-scheme:light dark;--ground:#f4f6f8;--card:#fff;--ink:#15202b;--soft:#51606f;--line:#d7dee5;--mark:#0b6e75;--go:#0b6e75}
@media (prefers-color-scheme:dark){:root{--ground:#0f151b;--card:#182129;--ink:#eef3f7;--soft:#a9b7c4;--line:#2c3a46;--mark:#5cc8cf;--go:#0f7d85}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:36rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--mark);border-radius:.6rem}
.brand{display:flex;align-items:center;gap:.5rem;margin:0 0 1.25rem;color:var(--mark);font-size:.875rem;font-weight:600;letter-spacing:.04em}
.brand svg{width:1.25rem;height:1.25rem;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}
h2{margin:1.5rem 0 .25rem;font-size:1rem}
p,ul{margin:0}
p[role=status]{margin-top:.75rem;font-weight:600}
details{margin-top:1.25rem}
ul{padding-left:1.2rem}
ul.ways{margin-top:1.25rem;padding:0;list-style:none}
a{color:var(--mark)}
label{display:block;margin-top:1rem;font-weight:600}
input,textarea{width:100%;margin-top:.25rem;padding:.5rem .6rem;border:1px solid var(--soft);border-radius:.4rem;background:var(--ground);color:var(--ink);font:inherit}
input:focus-visible,textarea:focus-visible,a:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
a.go,button.go{display:inline-block;margin-top:1.25rem;padding:.6rem 1.1rem;border:0;border-radius:.4rem;background:var(--go);color:#fff;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
button.quiet{margin-top:0;padding:.35rem .8rem;background:transparent;color:var(--ink);border:1px solid var(--soft)}
ul.rows{padding:0;list-style:none}
ul.rows li{display:flex;flex-wrap:wrap;align-items:center;justify-content:space-between;gap:.5rem 1rem;padding:.6rem 0;border-top:1px solid var(--line)}
ul.rows li:first-child{border-top:0}
a.go:focus-visible,button.go:focus-visible,summary:focus-visible{outline:3px solid var(--mark);outline-offset:3px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
@media (max-width:26rem){body{padding:.75rem}main{padding:1.25rem}dl{grid-template-columns:1fr;gap:0}dt{margin-top:.5rem}}
dd{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,Menlo,Consolas,monospace}
"""

_BRAND: Final = (
    '<p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="3" width="18" height="18" rx="4"/>'
    '<path d="M8 12l4-4M10 17l7-7"/></svg>Leadglass</p>'
)


def shell(title: str, content: str) -> bytes:
    """Return an HTML document. `title` is text; `content` is HTML, escaped already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{_BRAND}\n<h1>{escape(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    ).encode()


def onward(path: str) -> str:
    """Return the link to what a person who was refused is to do next: sign in, or have the device checked."""
    return go(path, "Check this device" if path.startswith(DEVICE) else "Sign in")


def go(path: str, label: str) -> str:
    """Return the link that a page is for. Both are text."""
    return f'<a class="go" href="{escape(path)}">{escape(label)}</a>'


def ways(others: Iterable[tuple[str, str]]) -> str:
    """Return a list of what else a page leads to, pairs of path and words; nothing when there is nothing."""
    items = "".join(f'<li><a href="{escape(path)}">{escape(words)}</a></li>' for path, words in others)
    return f'<ul class="ways">{items}</ul>' if items else ""


def policy(forms: Iterable[str] = (), script: str = "", asks: str = "") -> str:
    """Return the Content-Security-Policy of a page whose forms may lead to our own origin and to `forms`.

    `script` is the URL of the one script it may run, `asks` the origin that this may ask beside our own.
    """
    actions = " ".join(["'self'", *forms])
    scripted = f" script-src {script}; connect-src 'self' {asks};" if script else ""
    return (
        f"default-src 'none';{scripted} style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action {actions}; "
        "frame-ancestors 'none'"
    )


_DIGEST: Final = base64.b64encode(sha256(_STYLE.encode())).decode()
