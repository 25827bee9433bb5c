# METADATA
# title: Treating relation
# description: >-
#   Where the table treating switches it on, a study is for the patient's care team and for the exempt roles. A care
#   team that is not known denies. Codes: not-treating, facts-missing.
# scope: package
# custom:
#   codes: [not-treating, facts-missing]
#   tables: [treating, break_glass]
package leadglass.rules.study.treating

import data.leadglass.lib

deny contains {"code": "not-treating", "row": i, "visibility": lib.visibility(data.tables.treating.listed_roles)} if {
	asked
	some i, study in input.studies
	study.care_team
	not treats(study)
}

deny contains {"code": "facts-missing", "row": i, "params": {"fact": "care_team"}} if {
	asked
	some i, study in input.studies
	not study.care_team
}

until contains end if some end in lib.glass_ends

# Another issuer's same id is another person.
treats(study) if {
	some member in study.care_team
	member.id == input.subject.id
	member.issuer == input.subject.issuer
}

asked if {
	data.tables.treating.enabled
	lib.reads
	not exempt
	not lib.overridden.treating
}

exempt if {
	some role in lib.acting
	role in data.tables.treating.exempt_roles
}
