# METADATA
# title: Role table
# description: >-
#   Grants what the table roles gives to everyone and to the roles acted in, and withholds studies with modalities that none of the
#   granting entries covers; searches do not ask for them. Codes: role-modality. Grants: role:NAME.
# scope: package
# custom:
#   codes: [role-modality]
#   tables: [roles]
package leadglass.rules.identity.roles

import data.leadglass.lib

grant contains {"code": concat(":", ["role", role])} if {
	some [role, _] in lib.entries
}

deny contains {"code": "role-modality", "row": i} if {
	lib.reads
	count(lib.reading) > 0
	not unlimited
	some i, study in input.studies
	not covered(study)
}

# A study of these modalities alone has one of them. So this leaves out nothing that is shown, and decides nothing.
oblige contains {"type": "narrow-search", "keys": {"00080061": sort(modalities)}} if {
	input.action.name == "search"
	startswith(input.action.transaction, "qido-rs.")
	not unlimited
	count(modalities) > 0
}

# An entry without a list of modalities covers every study.
unlimited if {
	some entry in lib.reading
	not entry.modalities
}

# A study is shown whole, so each of its modalities must be covered; one whose modalities are unknown is not.
covered(study) if {
	count(study.modalities) > 0
	every modality in study.modalities {
		modality in modalities
	}
}

modalities contains modality if {
	some entry in lib.reading
	some modality in entry.modalities
}
