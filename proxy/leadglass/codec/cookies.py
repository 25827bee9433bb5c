"""Our two cookies in a Cookie header (RFC 6265 section 5.4), and the lines that set and clear them.

Each holds one random id and nothing else, so none is ever split into chunks. `__Host-` (RFC 6265bis section 4.1.3.2)
keeps siblings of our host from setting them; one that comes twice all the same was tossed, and neither is believed.
"""

import re
from typing import Final

from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

SESSION: Final = "__Host-leadglass"
LOGIN: Final = "__Host-leadglass-login"
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 256 bits in base64url, in their one spelling


def value(header: str | None, name: str) -> str | None:
    """Return the value of our cookie `name`; None when it is absent, `""` when it is none that we ever set.

    Raises Refusal `two-credentials` when it comes more than once.
    """
    if header is None or name not in header:
        return None
    found = [pair[len(name) + 1 :] for item in header.split(";") if (pair := item.strip()).startswith(f"{name}=")]
    if not found:
        return None
    if len(found) > 1:
        raise refuse(Code.TWO_CREDENTIALS, f"cookie {name} more than once")
    return found[0] if _VALUE.fullmatch(found[0]) else ""


def setting(name: str, value: str) -> str:
    """Return the Set-Cookie line. It ends with the browser; when its content ends is decided here, not there."""
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax"


def clearing(name: str) -> str:
    """Return the Set-Cookie line that removes a cookie."""
    return f"{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
