package leadglass.tests.egress.leases

import data.leadglass.questions_test as q
import data.leadglass.rules.egress.leases as rule

test_by_action if {
	rule.lease == {{"seconds": 5, "scope": "study"}} with input as q.ask with data.tables as q.tables
	search := q.but({"action": {"name": "search"}})
	rule.lease == {{"seconds": 2, "scope": "study"}} with input as search with data.tables as q.tables
	store := q.but({"action": {"name": "store"}})
	rule.lease == set() with input as store with data.tables as q.tables
}
