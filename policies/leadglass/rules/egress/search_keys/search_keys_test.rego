package leadglass.tests.egress.search_keys

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.search_keys as rule

denied(roles, query) := keys if {
	question := q.but({
		"subject": {"roles": roles},
		"action": {"name": "search", "transaction": "qido-rs.studies"},
		"resource": {"type": "study", "query": query},
	})
	keys := {denial.params.key | some denial in rule.deny} with input as question with data.tables as q.tables
}

test_open_keys if denied(["physician"], {"0020000D": ["1.2"]}) == set()

test_identifying_keys_are_for_some_roles if {
	query := {"00100010": ["A*"], "0020000D": ["1.2"], "00400275.00400007": ["x"]}
	denied(["physician"], query) == {"00100010", "00400275.00400007"}
	denied(["radiologist"], query) == set()
}

test_no_keys if denied(["physician"], {}) == set()
