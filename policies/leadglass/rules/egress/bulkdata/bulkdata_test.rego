package leadglass.tests.egress.bulkdata

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.bulkdata as rule

denied(roles, resource) := denials if {
	question := q.but({"subject": {"roles": roles}, "resource": resource})
	denials := rule.deny with input as question with data.tables as q.tables
}

refused(attribute) := {{"code": "attribute-not-granted", "params": {"attribute": attribute}}}

test_pixels_are_open if denied(["physician"], {"type": "bulkdata", "attribute": "7FE00010"}) == set()

test_names_are_for_roles_that_read_metadata if {
	name := {"type": "bulkdata", "attribute": "00100010"}
	denied(["physician"], name) == refused("00100010")
	denied(["radiologist"], name) == set()
	denied(["physician"], {"type": "instance", "attribute": "00100010"}) == refused("00100010")
}

test_nested_attributes_are_not_their_last_step if {
	nested := "00400275.7FE00010"
	denied(["physician"], {"type": "bulkdata", "attribute": nested}) == refused(nested)
}

test_bulk_data_of_no_known_attribute if denied(["physician"], {"type": "bulkdata"}) == refused("")

test_bulk_data_of_a_whole_study if {
	study := {"action": {"transaction": "wado-rs.study-bulkdata"}, "resource": {"type": "study"}}
	physician := q.but(object.union(study, {"subject": {"roles": ["physician"]}}))
	rule.deny == refused("") with input as physician with data.tables as q.tables
	rule.deny == set() with input as q.but(study) with data.tables as q.tables
}

test_nothing_else_is_judged if denied(["physician"], {"type": "instance"}) == set()

test_a_view_says_itself_what_is_open if {
	tables := object.union(q.tables, {"research": {"purposes": ["HRESCH"], "projects": {"lung": {"roles": ["lung"]}}}})
	question := q.but({
		"subject": {"roles": ["lung"]},
		"context": {"purpose": "HRESCH"},
		"resource": {"type": "bulkdata", "attribute": "00281201"},
	})
	rule.deny == set() with input as question with data.tables as tables
	rule.deny == refused("00281201") with input as question with data.tables as q.tables
}
