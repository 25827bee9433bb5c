# METADATA
# title: Search keys
# description: >-
#   A search matches on keys that the table search opens to everyone who may search, or the subject acts in a role that
#   may use them all. Code: search-key-not-granted.
# scope: package
# custom:
#   codes: [search-key-not-granted]
#   tables: [search]
package leadglass.rules.egress.search_keys

import data.leadglass.lib

deny contains {"code": "search-key-not-granted", "params": {"key": key}} if {
	not uses_all
	some key, _ in input.resource.query
	not open[key]
}

open contains key if some key in data.tables.search.open

uses_all if lib.emergency

uses_all if {
	some role in lib.acting
	role in data.tables.search.roles
}
