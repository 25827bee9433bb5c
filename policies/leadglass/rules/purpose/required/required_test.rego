package leadglass.tests.purpose.required

import data.leadglass.questions_test as q
import data.leadglass.rules.purpose.required as rule

denied(roles, context) := denials if {
	question := q.but({"subject": {"roles": roles}, "context": context})
	denials := rule.deny with input as question with data.tables as q.tables
}

needed := {{"code": "purpose-required", "params": {"role": "researcher", "purposes": "HRESCH"}}}

test_a_researcher_declares_the_purpose if {
	denied(["researcher"], {}) == needed
	denied(["researcher"], {"purpose": "TREAT"}) == needed
	denied(["researcher"], {"purpose": "hresch"}) == needed
	denied(["researcher"], {"purpose": "HRESCH"}) == set()
}

test_a_declared_purpose_is_not_asked_for_again if {
	tables := q.with_tables({"purpose": {"roles": {"nobody": ["HRESCH"]}}})
	question := q.but({"subject": {"roles": ["nobody"]}, "context": {"purpose": "HRESCH"}})
	rule.deny == set() with input as question with data.tables as tables
}

test_other_roles_are_not_touched if {
	denied(["radiologist"], {}) == set()
	denied(["radiologist", "researcher"], {}) == set()
	denied(["technologist", "researcher"], {}) == set()
	denied(["nobody", "researcher"], {}) == needed
}

test_files_of_a_viewer_need_no_purpose if {
	file := q.but({"subject": {"roles": ["researcher"]}, "action": {"name": "retrieve", "transaction": "static.file"}})
	rule.deny == set() with input as file with data.tables as q.tables
}
