"""What is known of countries: the geo database, how old it is, and whether a rule asks for what nothing tells."""

from collections.abc import Iterator

from leadglass.attributes.geo import load
from leadglass.config.look import Finding, Look
from leadglass.model.errors import ConfigurationError
from leadglass.policy.yamlfile import YamlFile

_DAY = 86_400.0
_OLD_DAYS = 60  # GeoLite2 comes twice a week, and its licence gives 30 days to follow


def places(look: Look) -> Iterator[Finding]:
    """Yield what there is to say of `geo`, and of the table of countries of the site."""
    geo = look.settings.geo
    path = ("geo", "database")
    if geo.database is not None:
        try:
            found = load(geo.database)
        except ConfigurationError as error:
            yield from look.bad(error, *path)
        else:
            days = (look.clock.now() - found.built) / _DAY
            if days > _OLD_DAYS:
                yield Finding("warning", look.at(*path), f"the {found.kind} is {days:.0f} days old: blocks move between countries",
                              "fetch it anew every week; it is read when it changes")  # fmt: skip
            else:
                yield look.good(f"countries are those of a {found.kind}, {max(0.0, days):.0f} days old", *path)
    elif not geo.embedded and _demanded(look):
        yield Finding("error", look.at("geo"), "countries.yaml demands countries, and none is ever known: nobody gets in",
                      "name a database, or leave out embedded: false")  # fmt: skip


def _demanded(look: Look) -> bool:
    """Whether the site's table binds anybody to a country. What is wrong with the table is said of the policy."""
    folder = look.settings.policy.path
    if folder is None or not (file := folder / "data/countries.yaml").exists():
        return False
    try:
        table = YamlFile(str(file), file.read_bytes()).value
    except ConfigurationError:
        return False
    return isinstance(table, dict) and bool(table.get("everyone") or table.get("roles"))
