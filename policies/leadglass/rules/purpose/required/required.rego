# METADATA
# title: Purpose of use required
# description: >-
#   A role that the table purpose binds to purposes of use counts only while one of them is declared. Who has no other
#   role to act in is told so. Code: purpose-required.
# scope: package
# custom:
#   codes: [purpose-required]
#   tables: [purpose, roles, writes]
package leadglass.rules.purpose.required

import data.leadglass.lib

deny contains {"code": "purpose-required", "params": {"role": role, "purposes": purposes}} if {
	not lib.viewer_file
	not acts_otherwise
	some role in input.subject.roles
	lib.bound_elsewhere(role)
	purposes := concat(", ", data.tables.purpose.roles[role])
}

acts_otherwise if {
	some role in lib.acting
	data.tables.roles.roles[role]
}

acts_otherwise if lib.writes_images
