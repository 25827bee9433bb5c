# METADATA
# title: Countries
# description: >-
#   Where the table countries says that everyone, or a role acted in, comes only from some countries or not from others,
#   the client address must be known to do so, unless it is in a network that is excepted. Code: country-not-allowed.
# scope: package
# custom:
#   codes: [country-not-allowed]
#   tables: [countries]
package leadglass.rules.network.countries

import data.leadglass.lib

deny contains {"code": "country-not-allowed", "params": {"role": role, "country": country}} if {
	some role, demand in demands
	names := demand.allowed
	not country in names
}

deny contains {"code": "country-not-allowed", "params": {"role": role, "country": country}} if {
	some role, demand in demands
	names := demand.denied
	not outside(names)
}

demands := object.union({"everyone": data.tables.countries.everyone}, {role: demand |
	some role in lib.acting
	demand := data.tables.countries.roles[role]
}) if {
	not excepted
}

excepted if {
	some name in input.context.networks
	name in data.tables.countries.except
}

# What is not known is no country: in no list of those that are allowed, and outside of none that is denied.
default country := "unknown"

country := input.context.country if not lib.missing["context.country"]

outside(names) if {
	country != "unknown"
	not country in names
}
