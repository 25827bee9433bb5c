package leadglass.tests.identity.emergency

import data.leadglass
import data.leadglass.lib
import data.leadglass.questions_test as q
import data.leadglass.rules.identity.emergency as rule

tables := q.with_tables({"treating": {"enabled": true, "exempt_roles": []}})

coded := {
	"subject": {"issuer": "urn:leadglass:emergency", "id": "Dr Demo", "roles": [], "mfa": false},
	"device": null,
	"studies": [{"study_uid": "1.2.3", "modalities": ["MR"], "conditions": ["C50"], "care_team": []}],
	"context": {"break_glass": {"reason": "identity provider down"}, "purpose": "ETREAT"},
}

answer(changed) := decision if {
	question := q.but(object.union(coded, changed))
	decision := leadglass.decision with input as question with data.tables as tables
}

test_reads_without_factor_device_or_role_and_is_logged if {
	answer({}).allow
	answer({}).grants == ["emergency"]
	answer({}).obligations == [{"type": "log"}]
	answer({"action": {"name": "render", "transaction": "wado-rs.rendered"}}).allow
}

test_searches_by_any_key_and_reads_any_bulk_data if {
	answer({
		"action": {"name": "search", "transaction": "qido-rs.studies"},
		"resource": {"type": "study", "query": {"00100010": ["A*"]}},
		"studies": [],
	}).allow
	answer({"resource": {"type": "bulkdata", "attribute": "00281201"}}).allow
}

test_a_device_that_is_there_is_not_asked_for_its_health if {
	sick := object.union(q.ask.device, {"owner": "other", "checks": {"firewall": {"status": "fail"}}, "posture_age_seconds": 9999})
	answer({"device": sick}).allow
	unreported := object.remove(sick, ["posture_age_seconds"])
	answer({"device": unreported}).allow
}

test_a_viewer_opens_and_its_files_are_no_broken_glass if {
	file := answer({
		"action": {"name": "retrieve", "transaction": "static.file"},
		"resource": {"type": "file"},
		"studies": [],
	})
	file.allow
	file.obligations == []
}

test_nothing_but_reading_under_etreat_with_a_reason if {
	every changed in [
		{"action": {"name": "store", "transaction": "stow-rs.store"}},
		{"action": {"name": "delete", "transaction": "wado-rs.instance"}},
		{"action": {"name": "export", "transaction": "wado-rs.instance"}},
		{"action": {"name": "retrieve", "transaction": "orthanc.servers"}},
		{"context": {"purpose": "TREAT"}},
		{"context": {"break_glass": null}},
		{"subject": {"type": "service"}},
	] {
		decision := answer(changed)
		not decision.allow
		{"code": "emergency-reads-only", "params": {}} in decision.reasons
		decision.obligations == []
	}
}

test_a_role_does_not_widen_it if {
	decision := answer({"subject": {"roles": ["technologist"]}, "action": {"name": "store", "transaction": "stow-rs.store"}})
	{"code": "emergency-reads-only", "params": {}} in decision.reasons
}

test_another_issuer_is_no_emergency if {
	every issuer in ["urn:leadglass:emergency2", "https://idp.example.org", "URN:LEADGLASS:EMERGENCY"] {
		decision := answer({"subject": {"issuer": issuer}})
		not decision.allow
		not "emergency" in decision.grants
	}
}

test_can_be_switched_off if {
	off := object.union(tables, {"emergency": {"enabled": false}})
	decision := leadglass.decision with input as q.but(coded) with data.tables as off
	not decision.allow
	{"code": "emergency-reads-only", "params": {}} in decision.reasons
}

test_only_the_rules_that_the_table_names if {
	some_rules := object.union(tables, {"emergency": {"overrides": ["treating"]}})
	decision := leadglass.decision with input as q.but(coded) with data.tables as some_rules
	[row.code | some row in decision.rows] == ["oncologist-only"]
}

test_networks_stand if {
	bound := object.union(tables, {"networks": {"everyone": {"allowed": ["hospital"]}}})
	decision := leadglass.decision with input as q.but(coded) with data.tables as bound
	not decision.allow
}

test_silent_for_everybody_else if {
	rule.grant == set() with input as q.ask with data.tables as tables
	rule.deny == set() with input as q.ask with data.tables as tables
	rule.oblige == set() with input as q.ask with data.tables as tables
	not lib.emergency with input as q.ask with data.tables as tables
}
