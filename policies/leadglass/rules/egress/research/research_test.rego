package leadglass.tests.egress.research

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.research as rule

tables := object.union(q.tables, {"research": {
	"purposes": ["HRESCH"],
	"projects": {
		"lung": {"roles": ["lung"], "modalities": ["CT", "PT"]},
		"heart": {"roles": ["heart"], "profile": "basic", "institutions": ["North"]},
	},
}})

asking(roles, study, change) := q.but(object.union(
	{"subject": {"roles": roles}, "context": {"purpose": "HRESCH"}, "studies": [object.union({"study_uid": "1.2"}, study)]},
	change,
))

ct := {"modalities": ["CT"]}

test_a_member_of_a_project_gets_its_view if {
	asked := asking(["lung"], ct, {})
	rule.grant == {{"code": "project:lung"}} with input as asked with data.tables as tables
	rule.oblige == {{"type": "deidentify", "project": "lung"}} with input as asked with data.tables as tables
	rule.deny == set() with input as asked with data.tables as tables
}

test_whatever_else_they_are if {
	asked := asking(["lung", "radiologist"], ct, {"action": {"name": "store", "transaction": "stow-rs.store"}})
	rule.grant == set() with input as asked with data.tables as tables
	rule.oblige == {{"type": "deidentify", "project": "lung"}} with input as asked with data.tables as tables
}

test_a_project_may_have_a_profile if {
	asked := asking(["heart"], {"institutions": ["North"]}, {})
	rule.oblige == {{"type": "deidentify", "project": "heart", "profile": "basic"}} with input as asked
		with data.tables as tables
}

test_studies_of_others_are_not_in_it if {
	foreign := {{"code": "not-in-project", "row": 0}}
	every study in [{"modalities": ["MR"]}, {"modalities": ["CT", "SR"]}, {"modalities": []}, {}] {
		rule.deny == foreign with input as asking(["lung"], study, {}) with data.tables as tables
	}
	rule.deny == foreign with input as asking(["heart"], {"institutions": ["South"]}, {}) with data.tables as tables
}

test_a_fact_that_failed_denies if {
	asked := asking(["lung"], {}, {"missing": ["studies[0].modalities"]})
	missing := {"code": "facts-missing", "row": 0, "params": {"fact": "modalities"}}
	rule.deny == {missing, {"code": "not-in-project", "row": 0}} with input as asked with data.tables as tables
}

test_nobody_is_in_two_views if {
	asked := asking(["lung", "heart"], object.union(ct, {"institutions": ["North"]}), {})
	rule.deny == {{"code": "project-ambiguous", "params": {"projects": "heart, lung"}}} with input as asked
		with data.tables as tables
	rule.grant == set() with input as asked with data.tables as tables
}

test_without_the_purpose_it_says_nothing if {
	asked := q.but({"subject": {"roles": ["lung"]}})
	rule.oblige == set() with input as asked with data.tables as tables
	rule.grant == set() with input as asked with data.tables as tables
	rule.deny == set() with input as asked with data.tables as tables
}

test_the_viewer_itself_is_no_study if {
	asked := asking(["lung"], ct, {"action": {"name": "retrieve", "transaction": "static.file"}, "studies": []})
	rule.oblige == set() with input as asked with data.tables as tables
}
