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

hidden(roles, transaction, listed) := said if {
	question := q.but({
		"subject": {"roles": roles},
		"action": {"name": "search", "transaction": transaction},
		"resource": {"type": "study", "query": {}},
	})
	tables := q.with_tables({"search": {"open": [], "roles": ["radiologist"], "hidden": listed}})
	said := rule.oblige with input as question with data.tables as tables
}

test_what_is_hidden_is_hidden_from_other_roles if {
	obliged := {{"type": "hide-attributes", "attributes": ["00101040", "00102154"]}}
	hidden(["physician"], "qido-rs.series", ["00102154", "00101040"]) == obliged
	hidden(["radiologist"], "qido-rs.series", ["00101040"]) == set()
	hidden(["physician"], "ups-rs.search", ["00101040"]) == set()
	hidden(["physician"], "qido-rs.studies", []) == set()
}

test_a_table_without_them_hides_nothing if {
	question := q.but({"action": {"name": "search", "transaction": "qido-rs.studies"}})
	rule.oblige == set() with input as question with data.tables as q.tables
}

test_no_keys if denied(["physician"], {}) == set()

test_a_view_says_itself_what_may_be_matched if {
	tables := object.union(q.tables, {"research": {"purposes": ["HRESCH"], "projects": {"lung": {"roles": ["lung"]}}}})
	question := q.but({
		"subject": {"roles": ["lung"]},
		"context": {"purpose": "HRESCH"},
		"action": {"name": "search", "transaction": "qido-rs.studies"},
		"resource": {"type": "study", "query": {"00100020": ["AB"]}},
	})
	rule.deny == set() with input as question with data.tables as tables
	rule.oblige == set() with input as question with data.tables as tables
	count(rule.deny) == 1 with input as question with data.tables as q.tables
}
