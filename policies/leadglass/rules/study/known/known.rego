# METADATA
# title: Study known
# description: >-
#   Whoever reads a study reads one of which the archive named at least the modalities; without them no rule about
#   studies could judge. Workitems name studies too; those of a study yet to be made are for the roles that make images.
#   Codes: study-unknown, facts-missing.
# scope: package
# custom:
#   codes: [study-unknown, facts-missing]
#   tables: [writes]
package leadglass.rules.study.known

import data.leadglass.lib

named if count(input.studies) > 0

about_studies if {
	input.action.name in {"retrieve", "render", "update", "delete", "export"}
	not untied
}

# What has no study: the role table grants it by name alone.
untied if {
	input.resource.type in {
		"app",
		"color-palettes",
		"commitment",
		"defined-procedure-protocols",
		"file",
		"hanging-protocols",
		"implant-templates",
		"inventories",
		"project",
		"server",
		"workitem",
	}
}

deny contains {"code": "study-unknown"} if {
	about_studies
	not named
}

# A part to store that names no study.
deny contains {"code": "study-unknown"} if {
	input.action.name == "store"
	input.resource.sop_class
	not named
}

# A workitem that names no study: nothing could judge it.
deny contains {"code": "study-unknown"} if {
	about_one_workitem
	not named
	not lib.writes_images
}

deny contains {"code": "study-unknown", "row": i} if {
	lib.reads
	not yet_to_be_made
	some i, study in input.studies
	not known(study)
	not lib.lacks(i, "modalities")
}

deny contains {"code": "facts-missing", "row": i, "params": {"fact": "modalities"}} if {
	lib.reads
	some i, study in input.studies
	not known(study)
	lib.lacks(i, "modalities")
}

# A search, and a channel, name their workitems row by row and message by message.
about_one_workitem if {
	input.resource.type == "workitem"
	not several
}

several if input.action.transaction in {"ups-rs.search", "ups-rs.events"}

yet_to_be_made if {
	input.resource.type == "workitem"
	lib.writes_images
}

known(study) if count(study.modalities) > 0
