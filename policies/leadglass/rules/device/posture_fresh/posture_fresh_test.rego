package leadglass.tests.device.posture_fresh

import data.leadglass.questions_test as q
import data.leadglass.rules.device.posture_fresh as rule

aged(roles, age) := {"deny": denied, "until": ends} if {
	question := q.but({"subject": {"roles": roles}, "context": {"purpose": "HRESCH"}, "device": {"posture_age_seconds": age}})
	denied := rule.deny with input as question with data.tables as q.tables
	ends := rule.until with input as question with data.tables as q.tables
}

stale(limit) := {{"code": "posture-stale", "params": {"max_age_seconds": limit}}}

test_a_fresh_report_holds_until_it_is_too_old if {
	aged(["radiologist"], 20) == {"deny": set(), "until": {{"in": 100}}}
	aged(["radiologist"], 120) == {"deny": set(), "until": {{"in": 0}}}
}

test_an_old_report if aged(["radiologist"], 120.001) == {"deny": stale("120"), "until": set()}

test_the_strictest_role_counts if {
	aged(["radiologist", "researcher"], 61) == {"deny": stale("60"), "until": set()}
	aged(["researcher"], 59) == {"deny": set(), "until": {{"in": 1}}}
}

test_a_device_that_never_reported if {
	device := object.remove(q.ask.device, ["posture_age_seconds"])
	question := object.union(object.remove(q.ask, ["device"]), {"device": device})
	rule.deny == {{"code": "posture-missing"}} with input as question with data.tables as q.tables
	rule.until == set() with input as question with data.tables as q.tables
}

test_without_a_device_another_rule_speaks if {
	rule.deny == set() with input as q.but({"device": null}) with data.tables as q.tables
}

test_files_of_a_viewer_need_no_report if {
	file := {"action": {"name": "retrieve", "transaction": "static.file"}}
	old := q.but(object.union(file, {"device": {"posture_age_seconds": 121}}))
	rule.deny == set() with input as old with data.tables as q.tables
	never := object.union(object.remove(old, ["device"]), {"device": object.remove(q.ask.device, ["posture_age_seconds"])})
	rule.deny == set() with input as never with data.tables as q.tables
}
