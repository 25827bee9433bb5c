package leadglass.tests.egress.outlive

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.outlive as rule

site := q.with_tables({"outlive": {"actions": {"retrieve": 900}}})

test_by_action if {
	rule.oblige == {{"type": "outlive-token", "seconds": 900}} with input as q.ask with data.tables as site
	search := q.but({"action": {"name": "search"}})
	rule.oblige == set() with input as search with data.tables as site
}

test_not_as_shipped if rule.oblige == set() with input as q.ask with data.tables as q.tables
