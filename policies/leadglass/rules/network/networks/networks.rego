# METADATA
# title: Networks
# description: >-
#   Where the table networks says that everyone, or a role acted in, comes only from some networks or not from others,
#   the client address must be known to do so. Code: network-not-allowed.
# scope: package
# custom:
#   codes: [network-not-allowed]
#   tables: [networks]
package leadglass.rules.network.networks

import data.leadglass.lib

deny contains {"code": "network-not-allowed", "params": {"role": role}} if {
	some role, demand in demands
	names := demand.allowed
	not within(names)
}

deny contains {"code": "network-not-allowed", "params": {"role": role}} if {
	some role, demand in demands
	names := demand.denied
	not outside(names)
}

demands := object.union({"everyone": data.tables.networks.everyone}, {role: demand |
	some role in lib.acting
	demand := data.tables.networks.roles[role]
})

within(names) if {
	some name in input.context.networks
	name in names
}

# An address whose networks could not be told is not outside of any.
outside(names) if {
	not lib.missing["context.networks"]
	every name in input.context.networks {
		not name in names
	}
}
