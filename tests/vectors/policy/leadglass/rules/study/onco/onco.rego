# METADATA
# title: A rule for tests
# description: Grants by table, hides cancer patients' MR, and says back what it was told.
package leadglass.rules.study.onco

grant contains {"code": sprintf("role:%s", [role])} if {
	some role in input.subject.roles
	input.action.name in data.tables.roles.roles[role]
}

deny contains {"code": "oncologist-only", "params": {}, "row": i} if {
	some i, study in input.studies
	"MR" in study.modalities
	some condition in study.conditions
	startswith(condition, "C")
}

deny contains {"code": "echoed", "params": {"text": study.description}} if {
	input.context.purpose == "echo"
	some study in input.studies
}
