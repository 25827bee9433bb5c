# METADATA
# title: Writes
# description: >-
#   Objects of any class are stored by the roles of the table writes; reports, presentation states, key objects,
#   segmentations and structure sets also by whoever may read the study. A store is judged at its head, where no class is
#   known yet, and again for each part. Grants: writes-images, writes-derived. Codes: store-refused, instance-exists,
#   facts-missing.
# scope: package
# custom:
#   codes: [store-refused, instance-exists, facts-missing]
#   tables: [writes, roles]
package leadglass.rules.study.writes

import data.leadglass.lib

grant contains {"code": "writes-images"} if {
	stows
	lib.writes_images
}

grant contains {"code": "writes-derived"} if {
	reader_stores
	not input.resource.sop_class
}

grant contains {"code": "writes-derived"} if {
	reader_stores
	derived
}

# At the head of a store no class is known, and so nothing is refused yet.
deny contains {"code": "store-refused", "params": {"sop_class": input.resource.sop_class}} if {
	input.action.name == "store"
	not lib.writes_images
	not derived
}

deny contains {"code": "instance-exists"} if {
	input.action.name == "store"
	input.resource.exists == true
	not replaces
}

deny contains {"code": "facts-missing", "params": {"fact": "resource.exists"}} if {
	input.action.name == "store"
	input.resource.sop_class
	not told
	not replaces
}

# Other services that take data (protocols, palettes, commitment) are for the role table to grant.
stows if {
	input.action.name == "store"
	startswith(input.action.transaction, "stow-rs.")
}

reader_stores if {
	stows
	count(lib.reading) > 0
}

told if is_boolean(input.resource.exists)

derived if input.resource.sop_class in data.tables.writes.derived.sop_classes

replaces if {
	some role in lib.acting
	role in data.tables.writes.replace_roles
}
