package leadglass.tests.identity.mfa

import data.leadglass.questions_test as q
import data.leadglass.rules.identity.mfa as rule

denial := {"code": "mfa-required", "step_up": {"acr_values": ["mfa"], "max_age": null}}

test_a_person_with_one_factor_is_asked_for_more if {
	rule.deny == {denial} with input as q.but({"subject": {"mfa": false}}) with data.tables as q.tables
	rule.deny == set() with input as q.ask with data.tables as q.tables
}

test_what_is_not_known_is_not_mfa if {
	subject := object.remove(q.ask.subject, ["mfa"])
	question := object.union(object.remove(q.ask, ["subject"]), {"subject": subject})
	rule.deny == {denial} with input as question with data.tables as q.tables
	rule.deny == {denial} with input as q.but({"subject": {"mfa": "true"}}) with data.tables as q.tables
}

test_a_service_is_not_asked if {
	question := q.but({"subject": {"type": "service", "mfa": false}})
	rule.deny == set() with input as question with data.tables as q.tables
}
