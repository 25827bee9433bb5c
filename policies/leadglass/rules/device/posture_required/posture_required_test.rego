package leadglass.tests.device.posture_required

import data.leadglass.questions_test as q
import data.leadglass.rules.device.posture_required as rule

denied(roles, checks) := denials if {
	device := object.union(object.remove(q.ask.device, ["checks"]), {"checks": checks})
	question := object.union(
		object.remove(q.but({"subject": {"roles": roles}, "context": {"purpose": "HRESCH"}}), ["device"]),
		{"device": device},
	)
	denials := rule.deny with input as question with data.tables as q.tables
}

failed(check, status, found, remediation) := {"code": "posture-failed", "params": {
	"check": check,
	"status": status,
	"found": found,
	"remediation": remediation,
}}

test_passed if denied(["radiologist"], {"firewall": {"status": "pass"}}) == set()

test_failed_unknown_or_absent_is_not_passed if {
	found := {"firewall": {"status": "fail", "reason": "off"}}
	denied(["radiologist"], found) == {failed("firewall", "fail", "off", "Switch it on.")}
	unknown := {"firewall": {"status": "unknown", "reason": null}}
	denied(["radiologist"], unknown) == {failed("firewall", "unknown", "", "Switch it on.")}
	denied(["radiologist"], {}) == {failed("firewall", "absent", "", "Switch it on.")}
	denied(["radiologist"], {"firewall": {"value": "pass"}}) == {failed("firewall", "absent", "", "Switch it on.")}
}

test_more_for_some_roles if {
	fallback := "Ask the administrator what to do."
	denied(["researcher"], {"firewall": {"status": "pass"}}) == {failed("screen_lock", "absent", "", fallback)}
}

test_what_others_report_counts_where_they_do if {
	good := {"firewall": {"status": "pass"}, "compliance": {"status": "pass"}}
	denied(["radiologist"], good) == set()
	bad := object.union(good, {"compliance": {"status": "fail", "reason": "reported"}})
	some denial in denied(["radiologist"], bad)
	denial.params.check == "compliance"
}

test_what_the_device_says_is_cut if {
	long := concat("", [x | some _ in numbers.range(1, 300); x := "\u00fc"])
	some denial in denied(["radiologist"], {"firewall": {"status": "fail", "reason": long}})
	count(denial.params.found) == 200
}

test_without_a_device_another_rule_speaks if {
	rule.deny == set() with input as q.but({"device": null}) with data.tables as q.tables
}

test_files_of_a_viewer_need_no_posture if {
	device := object.union(object.remove(q.ask.device, ["checks"]), {"checks": {}})
	question := object.union(object.remove(q.ask, ["device"]), {"device": device})
	count(rule.deny) == 1 with input as question with data.tables as q.tables
	file := object.union(question, {"action": {"name": "retrieve", "transaction": "static.file"}})
	rule.deny == set() with input as file with data.tables as q.tables
}
