# METADATA
# title: Search keys and what rows show
# description: >-
#   A search matches on keys that the table search opens to everyone who may search, or the subject acts in a role that
#   may use them all. Others are not shown what the table hides. Code: search-key-not-granted.
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

oblige contains {"type": "hide-attributes", "attributes": sort(hidden)} if {
	input.action.name == "search"
	startswith(input.action.transaction, "qido-rs.")
	not uses_all
	count(hidden) > 0
}

hidden contains tag if some tag in data.tables.search.hidden

open contains key if some key in data.tables.search.open

uses_all if lib.emergency

# A view matches nothing that it does not show.
uses_all if count(lib.projects) > 0

uses_all if {
	some role in lib.acting
	role in data.tables.search.roles
}
