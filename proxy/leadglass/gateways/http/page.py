"""The page a person sees when a browser navigation is refused: the same words as the problem document."""

from html import escape

from leadglass.gateways.shell import onward, shell, ways
from leadglass.model.disclosure import Said


def page(said: Said, decision_id: str) -> bytes:
    """Return the HTML document that says it, with the way to sign in where that would help."""
    fixes = "".join(f"<li>{escape(fix)}</li>" for fix in said.remediation)
    codes = escape(", ".join(said.codes))
    sign_in = "" if said.sign_in is None else f"\n{onward(said.sign_in)}"
    return shell(
        said.title,
        f"<p>{escape(said.detail)}</p>\n"
        f"<h2>What you can do</h2>\n<ul>{fixes}</ul>{sign_in}{ways(said.ways)}\n"
        f"<dl><dt>Status</dt><dd>{said.status}</dd><dt>Reason</dt><dd>{codes}</dd>"
        f"<dt>Decision id</dt><dd>{escape(decision_id)}</dd></dl>",
    )
