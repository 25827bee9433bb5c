"""The part of Go's `fmt` that policies need: verbs v s q d f F e g x t, flags, width and precision.

Strings and numbers are formatted as such; any other Rego value is first written as Rego writes it, which is what OPA
does. Go's own complaints (`%!d(string=x)`, `%!d(MISSING)`, `%!(EXTRA int=1)`) are written as Go writes them. A verb
that is not listed is a ValueError, never a guess.

Source: pkg.go.dev/fmt; OPA v1/topdown/strings.go.
"""

import re
from typing import Final

from leadglass.policy.regovalue import Value, quote, show

_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>[1-9][0-9]{0,3})?(?:\.(?P<precision>[0-9]{0,2}))?(?P<verb>.|$)", re.DOTALL
)
_KNOWN: Final = "vsqdfFegxXt%"
_EXPONENT: Final = 6  # from here on strconv writes the shortest form with an exponent


def sprintf(layout: str, values: list[Value]) -> str:
    """Format. Raises ValueError for a directive outside the list."""
    used = 0
    out: list[str] = []
    at = 0
    for found in _VERB.finditer(layout):
        out.append(layout[at : found.start()])
        at = found.end()
        verb = found["verb"]
        if verb == "%":
            out.append("%")
        elif verb == "":
            out.append("%!(NOVERB)")
        elif verb not in _KNOWN:
            raise ValueError(f"%{verb} is not offered")
        elif used >= len(values):
            out.append(f"%!{verb}(MISSING)")
        else:
            out.append(_one(found, values[used]))
            used += 1
    out.append(layout[at:])
    if used < len(values):
        out.append("%!(EXTRA " + ", ".join(f"{_type(v)}={_plain(v)}" for v in values[used:]) + ")")
    return "".join(out)


def _one(found: "re.Match[str]", value: Value) -> str:
    flags, verb = found["flags"], found["verb"]
    width = int(found["width"] or 0)
    precision = None if found["precision"] is None else int(found["precision"] or 0)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number:
        text = _number(value, verb, flags, precision)  # type: ignore[arg-type]  # a number, by the line above
    else:
        text = _string(value if isinstance(value, str) else show(value), verb, precision)
    if text is None:
        return f"%!{verb}({_type(value)}={_plain(value)})"
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and number:
        sign = text[:1] if text[:1] in "+- " else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width, "0" if "0" in flags else " ")


def _string(text: str, verb: str, precision: int | None) -> str | None:
    if verb in "vsq" and precision is not None:
        text = text[:precision]
    if verb == "q":
        return quote(text)
    if verb in "xX":
        plain = text.encode()[:precision].hex()
        return plain.upper() if verb == "X" else plain
    return text if verb in "vs" else None


def _number(value: float, verb: str, flags: str, precision: int | None) -> str | None:
    text = _integer(value, verb, precision) if isinstance(value, int) else _float(value, verb, precision)
    if text is None or text.startswith("-"):
        return text
    return ("+" if "+" in flags else " " if " " in flags else "") + text


def _integer(value: int, verb: str, precision: int | None) -> str | None:
    if verb == "s" and not -(2**63) <= value < 2**63:  # Go's big.Int answers %s as well
        return str(value)
    if verb not in "vdxX":
        return None
    digits = format(abs(value), verb if verb in "xX" else "d").rjust(precision or 0, "0")
    return ("-" if value < 0 else "") + digits


def _float(value: float, verb: str, precision: int | None) -> str | None:
    if verb in "fF":
        return f"{value:.{6 if precision is None else precision}f}"
    if verb == "e":
        return f"{value:.{6 if precision is None else precision}e}"
    if verb in "vg":
        return _shortest(value) if precision is None else _trim(f"{value:.{max(precision, 1)}g}")
    return None


def _shortest(value: float) -> str:
    """Go's %v: the fewest digits that read back, with an exponent below 1e-4 and from 1e6 on."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    digits = mantissa.lstrip("-").replace(".", "").lstrip("0").rstrip("0") or "0"
    power = int(f"{value:e}".partition("e")[2])
    if value and (power < -4 or power >= _EXPONENT):  # noqa: PLR2004 - Go's %e is used if exp < -4
        sign = "-" if value < 0 else ""
        tail = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{power:+03d}"
    text = f"{value:.{max(len(digits) - power - 1, 0)}f}" if exponent or "." in mantissa else mantissa
    return _trim(text)


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _type(value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "string"
    if isinstance(value, float):
        return "float64"
    return "int64" if -(2**63) <= value < 2**63 else "*big.Int"


def _plain(value: Value) -> str:
    return sprintf("%v", [value])
