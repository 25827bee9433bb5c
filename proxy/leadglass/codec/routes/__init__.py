"""The route table of DICOMweb (PS3.18): rows as data, and the look-up that places a clean request on one of them."""

from leadglass.codec.routes.places import Places
from leadglass.codec.routes.row import Route, RouteMatch
from leadglass.codec.routes.rows import ROUTES
from leadglass.codec.routes.table import Table

__all__ = ["ROUTES", "Places", "Route", "RouteMatch", "Table"]
