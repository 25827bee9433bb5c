package leadglass.tests.network.networks

import data.leadglass.questions_test as q
import data.leadglass.rules.network.networks as rule

tables := q.with_tables({"networks": {
	"everyone": {"denied": ["guest"]},
	"roles": {"radiologist": {"allowed": ["private", "vpn"]}},
}})

denied(roles, networks) := names if {
	question := q.but({"subject": {"roles": roles}, "context": {"networks": networks}})
	names := {denial.params.role | some denial in rule.deny} with input as question with data.tables as tables
}

test_allowed_and_denied if {
	denied(["radiologist"], ["private"]) == set()
	denied(["radiologist"], ["elsewhere"]) == {"radiologist"}
	denied(["radiologist"], []) == {"radiologist"}
	denied(["radiologist"], ["vpn", "guest"]) == {"everyone"}
	denied(["physician"], []) == set()
	denied(["physician"], ["guest"]) == {"everyone"}
}

test_networks_that_could_not_be_told_are_outside_of_none if {
	question := q.but({"missing": ["context.networks"], "context": {"networks": []}})
	roles := {denial.params.role | some denial in rule.deny} with input as question with data.tables as tables
	roles == {"everyone", "radiologist"}
	context := object.remove(q.ask.context, ["networks"])
	absent := object.union(object.remove(q.ask, ["context"]), {"context": context})
	count(rule.deny) == 2 with input as absent with data.tables as tables
}

test_no_demands_say_nothing if rule.deny == set() with input as q.ask with data.tables as q.tables
