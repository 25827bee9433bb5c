"""What a trace calls the place of a request: its row's template under its mount, with no UID of anybody in it."""

from leadglass.codec.routes import RouteMatch
from leadglass.model.request import CleanRequest


def route_of(request: CleanRequest, match: RouteMatch) -> str:
    """Return `http.route`: the mount and the template, or the template alone where the mount cannot be told apart."""
    ask, template = match.ask, match.route.template
    if ask.service == "static":
        return f"{(match.resource.mount or '').rstrip('/')}{template}"
    if ask.service == "wado-uri":
        return request.path  # nothing but the mount: this service has everything in its query
    mount = request.path.removesuffix(ask.path) if ask.path and request.path.endswith(ask.path) else ""
    return f"{mount}{template}" or "/"
