"""The frame of pages: no script, nothing from elsewhere, and colours that can be read."""

import base64
import hashlib
import re

import pytest

from leadglass.gateways.shell import go, policy, shell

PAGE = shell('A <b> "title"', go('/x?a=b&c="', "<Sign in>")).decode()


def test_what_is_text_stays_text() -> None:
    assert "<title>A &lt;b&gt; &quot;title&quot;</title>" in PAGE
    assert 'href="/x?a=b&amp;c=&quot;"' in PAGE
    assert "&lt;Sign in&gt;" in PAGE


def test_the_policy_lets_in_this_style_and_nothing_else() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy() == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert "form-action 'self' https://idp.example.org;" in policy(["https://idp.example.org"])
    assert "<script" not in PAGE
    assert "http" not in PAGE


def luminance(colour: str) -> float:
    colour = "".join(digit * 2 for digit in colour) if len(colour) == 3 else colour
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(scheme: int) -> None:
    """WCAG 2.2, success criterion 1.4.3: 4.5 to 1."""
    colours = dict(re.findall(r"--(\w+):#([0-9a-f]{3,6})", re.findall(r":root\{(.*?)\}", PAGE)[scheme]))
    assert contrast(colours["ink"], colours["card"]) > 4.5
    assert contrast(colours["soft"], colours["card"]) > 4.5
    assert contrast("fff", colours["go"]) > 4.5
