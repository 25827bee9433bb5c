package leadglass.tests.network.countries

import data.leadglass.questions_test as q
import data.leadglass.rules.network.countries as rule

tables := q.with_tables({"countries": {
	"except": ["private"],
	"everyone": {"denied": ["KP"]},
	"roles": {"radiologist": {"allowed": ["DE", "AT"]}},
}})

denied(roles, context) := names if {
	question := q.but({"subject": {"roles": roles}, "context": context})
	names := {denial.params.role | some denial in rule.deny} with input as question with data.tables as tables
}

test_allowed_and_denied if {
	denied(["radiologist"], {"networks": [], "country": "DE"}) == set()
	denied(["radiologist"], {"networks": [], "country": "FR"}) == {"radiologist"}
	denied(["radiologist"], {"networks": [], "country": "KP"}) == {"radiologist", "everyone"}
	denied(["physician"], {"networks": [], "country": "FR"}) == set()
	denied(["physician"], {"networks": [], "country": "KP"}) == {"everyone"}
}

test_an_excepted_network_is_not_asked_for_a_country if {
	denied(["radiologist"], {"networks": ["private"]}) == set()
	denied(["radiologist"], {"networks": ["private"], "country": "KP"}) == set()
	denied(["radiologist"], {"networks": ["vpn"]}) == {"radiologist", "everyone"}
}

test_a_country_that_is_not_known_is_none if {
	denied(["radiologist"], {"networks": []}) == {"radiologist", "everyone"}
	denied(["physician"], {"networks": []}) == {"everyone"}
	listed := q.but({"missing": ["context.country"], "context": {"networks": [], "country": "DE"}})
	count(rule.deny) == 2 with input as listed with data.tables as tables
}

test_the_country_is_named if {
	question := q.but({"subject": {"roles": ["radiologist"]}, "context": {"networks": [], "country": "FR"}})
	rule.deny == {{"code": "country-not-allowed", "params": {"role": "radiologist", "country": "FR"}}} with input as question
		with data.tables as tables
}

test_no_demands_say_nothing if rule.deny == set() with input as q.ask with data.tables as q.tables
