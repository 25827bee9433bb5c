# METADATA
# title: Bulk data
# description: >-
#   Bulk data asked for is one attribute that the table bulkdata opens to everyone who may retrieve, or the subject
#   acts in a role that may read them all. Code: attribute-not-granted.
# scope: package
# custom:
#   codes: [attribute-not-granted]
#   tables: [bulkdata]
package leadglass.rules.egress.bulkdata

import data.leadglass.lib

deny contains {"code": "attribute-not-granted", "params": {"attribute": object.get(input.resource, "attribute", "")}} if {
	asked
	not open
	not reads_all
}

open if input.resource.attribute in data.tables.bulkdata.open

asked if input.resource.type == "bulkdata"

asked if input.resource.attribute

asked if endswith(input.action.transaction, "bulkdata")

reads_all if lib.emergency

# A view gives handles to what it shows, and nothing else is reached in it.
reads_all if count(lib.projects) > 0

reads_all if {
	some role in lib.acting
	role in data.tables.bulkdata.roles
}
