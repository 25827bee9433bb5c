# METADATA
# title: Cancer studies for oncologists
# description: >-
#   Studies of the modalities of the table oncology (MR) of patients with cancer are for its roles alone. Without a
#   source of conditions the fact is absent and the rule says nothing; a source that failed denies.
#   Codes: oncologist-only, facts-missing.
# scope: package
# custom:
#   codes: [oncologist-only, facts-missing]
#   tables: [oncology, break_glass]
package leadglass.rules.study.oncology

import data.leadglass.lib

deny contains {"code": "oncologist-only", "row": i, "visibility": visibility} if {
	some i, study in guarded
	some condition in study.conditions
	cancers[condition]
}

deny contains {"code": "facts-missing", "row": i, "params": {"fact": "conditions"}} if {
	some i, _ in guarded
	lib.lacks(i, "conditions")
}

until contains end if some end in lib.glass_ends

guarded[i] := study if {
	lib.reads
	not privileged
	not lib.overridden.oncology
	some i, study in input.studies
	some modality in study.modalities
	modalities[modality]
}

privileged if {
	some role in lib.acting
	role in data.tables.oncology.roles
}

# Each condition is read once, however many studies of the page share it.
cancers contains condition if {
	some condition in conditions
	cancer(code(condition))
}

conditions contains condition if {
	some study in guarded
	some condition in study.conditions
}

cancer(code) if {
	some length in lengths
	prefixes[substring(code, 0, length)]
}

cancer(code) if snomed[code]

# The code of "SYSTEM|CODE", "SYSTEM:CODE" or "CODE".
code(condition) := upper(trim_space(parts[count(parts) - 1])) if {
	parts := split(replace(condition, "|", ":"), ":")
}

visibility := lib.visibility(data.tables.oncology.listed_roles)

# The table as sets, made once for all studies of a page.
modalities contains modality if some modality in data.tables.oncology.modalities

prefixes contains prefix if some prefix in data.tables.oncology.icd10_prefixes

lengths contains count(prefix) if some prefix in prefixes

snomed contains concept if some concept in data.tables.oncology.snomed
