"""Settings of proxies on loopback, where tests stand."""

import json
from typing import Final

from leadglass.gateways.http.settings import ProxySettings


def proxy(speaks: str, *networks: str, client_cert: bool = False) -> ProxySettings:
    """Return the settings of a proxy, on loopback when no network is given."""
    document = {"networks": networks or ["127.0.0.0/8"], "speaks": speaks, "client_cert": client_cert}
    return ProxySettings.model_validate_json(json.dumps(document))


V2: Final = proxy("proxy-v2")
XFF: Final = proxy("x-forwarded-for")
FORWARDED: Final = proxy("forwarded", client_cert=True)
