package leadglass.tests.identity.step_up

import data.leadglass
import data.leadglass.questions_test as q
import data.leadglass.rules.identity.step_up as rule

deletion := {"action": {"name": "delete", "transaction": "wado-rs.instance"}}

denied(changed) := denials if {
	denials := rule.deny with input as q.but(object.union(deletion, changed)) with data.tables as q.tables
}

wanted := {{"code": "fresh-sign-in-required", "step_up": {"acr_values": ["mfa"], "max_age": 600}}}

test_fresh_enough if {
	denied({"context": {"auth_age_seconds": 0}}) == set()
	denied({"context": {"auth_age_seconds": 600}}) == set()
}

test_too_old_undated_or_of_one_factor if {
	denied({"context": {"auth_age_seconds": 600.001}}) == wanted
	denied({}) == wanted
	denied({"subject": {"mfa": false}, "context": {"auth_age_seconds": 1}}) == wanted
}

test_export_too if {
	denied({"action": {"name": "export", "transaction": "wado-rs.instance"}}) == wanted
}

test_services_are_not_asked if denied({"subject": {"type": "service"}}) == set()

test_a_subject_of_no_type_is_asked if {
	question := object.union(
		object.remove(q.but(deletion), ["subject"]),
		{"subject": object.remove(q.ask.subject, ["type"])},
	)
	rule.deny == wanted with input as question with data.tables as q.tables
}

test_says_when_it_ends if {
	question := q.but(object.union(deletion, {"context": {"auth_age_seconds": 590}}))
	rule.until == {{"in": 10}} with input as question with data.tables as q.tables
}

test_other_actions_are_not_touched if {
	rule.deny == set() with input as q.ask with data.tables as q.tables
	rule.until == set() with input as q.but({"context": {"auth_age_seconds": 1}}) with data.tables as q.tables
	leadglass.decision.allow with input as q.ask with data.tables as q.tables
}
