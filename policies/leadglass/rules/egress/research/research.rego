# METADATA
# title: Research views
# description: >-
#   Who has a role of a project of the table research, and declares one of its purposes, reads the archive as the pseudonymous
#   view of that project, and no study that is not of the project. Whoever works in several says by another sign-in in which.
#   Codes: project-ambiguous, not-in-project, facts-missing. Grants: project:NAME. Obliges: deidentify.
# scope: package
# custom:
#   codes: [project-ambiguous, not-in-project, facts-missing]
#   tables: [research]
package leadglass.rules.egress.research

import data.leadglass.lib

grant contains {"code": concat(":", ["project", name])} if {
	count(lib.projects) == 1
	some name, _ in lib.projects
	input.action.name in {"search", "retrieve", "render"}
	some family in ["qido-rs.", "wado-rs.", "wado-uri."]
	startswith(input.action.transaction, family)
}

# Whatever it is that is asked for, also where another role grants it: a view is not left by asking otherwise.
oblige contains obligation if {
	some name, project in lib.projects
	obligation := object.union({"type": "deidentify", "project": name}, profile(project))
}

deny contains {"code": "project-ambiguous", "params": {"projects": concat(", ", sort(object.keys(lib.projects)))}} if {
	count(lib.projects) > 1
}

deny contains {"code": "facts-missing", "row": i, "params": {"fact": fact}} if {
	some _, project in lib.projects
	some i, _ in input.studies
	some fact in {"modalities", "body_parts", "institutions"}
	project[fact]
	lib.lacks(i, fact)
}

deny contains {"code": "not-in-project", "row": i} if {
	some _, project in lib.projects
	some i, study in input.studies
	some fact in {"modalities", "body_parts", "institutions"}
	wanted := project[fact]
	not within(study, fact, wanted)
}

within(study, fact, wanted) if {
	count(study[fact]) > 0
	every value in study[fact] {
		value in wanted
	}
}

profile(project) := {"profile": project.profile}

profile(project) := {} if not project.profile
