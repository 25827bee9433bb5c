package leadglass.tests.identity.hours

import data.leadglass.questions_test as q
import data.leadglass.rules.identity.hours as rule

tables := q.with_tables({"hours": {"enabled": true, "roles": {
	"radiologist": {"from": 7, "to": 19, "weekdays": [1, 2, 3, 4, 5]},
	"physician": {"from": 22, "to": 6, "weekdays": [5]},
}}})

denied(roles, weekday, hour) := codes if {
	question := q.but({"subject": {"roles": roles}, "context": {"weekday": weekday, "hour": hour}})
	codes := {denial.code | some denial in rule.deny} with input as question with data.tables as tables
}

test_by_day if {
	denied(["radiologist"], 3, 7) == set()
	denied(["radiologist"], 3, 18) == set()
	denied(["radiologist"], 3, 6) == {"outside-hours"}
	denied(["radiologist"], 3, 19) == {"outside-hours"}
	denied(["radiologist"], 6, 10) == {"outside-hours"}
}

test_a_night_shift_belongs_to_the_day_it_began if {
	denied(["physician"], 5, 22) == set()
	denied(["physician"], 6, 5) == set()
	denied(["physician"], 6, 6) == {"outside-hours"}
	denied(["physician"], 5, 5) == {"outside-hours"}
	denied(["physician"], 6, 22) == {"outside-hours"}
}

test_monday_follows_sunday if rule.yesterday == 7 with input as q.but({"context": {"weekday": 1}})

test_an_unknown_hour_is_outside if {
	question := object.union(object.remove(q.ask, ["context"]), {"context": {"weekday": 3}})
	count(rule.deny) == 1 with input as question with data.tables as tables
}

test_off_and_unbound_roles_say_nothing if {
	late := q.but({"context": {"hour": 3}})
	rule.deny == set() with input as late with data.tables as q.tables
	rule.until == set() with input as late with data.tables as q.tables
	denied(["oncologist"], 7, 3) == set()
	off := object.union(tables, {"hours": {"enabled": false}})
	rule.deny == set() with input as late with data.tables as off
}

test_the_answer_holds_for_a_minute if {
	rule.until == {{"in": 60}} with input as q.ask with data.tables as tables
}
