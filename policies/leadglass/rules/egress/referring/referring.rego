# METADATA
# title: Pictures for referring physicians
# description: >-
#   Who acts in a role of the table referring, and in no other role that grants anything, sees pictures alone, with a
#   watermark. No codes.
# scope: package
# custom:
#   codes: []
#   tables: [referring, roles]
package leadglass.rules.egress.referring

import data.leadglass.lib

oblige contains {"type": "render-only"} if bound

oblige contains {
	"type": "watermark",
	"show": mark.show,
	"note": mark.note,
	"strength": mark.strength,
} if {
	bound
}

mark := data.tables.referring.watermark

bound if {
	some role in lib.acting
	referring(role)
	not acts_otherwise
}

acts_otherwise if {
	some role in lib.acting
	data.tables.roles.roles[role]
	not referring(role)
}

referring(role) if role in data.tables.referring.roles
