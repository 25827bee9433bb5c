package leadglass.tests.purpose.break_glass

import data.leadglass
import data.leadglass.questions_test as q
import data.leadglass.rules.purpose.break_glass as rule

tables := q.with_tables({
	"break_glass": {"enabled": true},
	"treating": {"enabled": true, "exempt_roles": []},
})

hidden := [{"study_uid": "1.2.3", "modalities": ["MR"], "conditions": ["C50"], "care_team": [{"issuer": "https://idp.example.org", "id": "dr.other"}]}]

broken := {
	"subject": {"roles": ["physician"]},
	"studies": hidden,
	"context": {"break_glass": {"reason": "unconscious"}, "purpose": "ETREAT", "auth_age_seconds": 30},
}

answer(changed) := decision if {
	question := q.but(object.union(broken, changed))
	decision := leadglass.decision with input as question with data.tables as tables
}

test_what_is_hidden_is_shown_and_logged if {
	answer({}).allow
	answer({}).obligations == [{"type": "log"}]
	not answer({"context": {"break_glass": null}}).allow
}

test_it_ends if {
	answer({"context": {"auth_age_seconds": 590}}).until_in == 10
	answer({"context": {"auth_age_seconds": 600}}).allow
	not answer({"context": {"auth_age_seconds": 600.5}}).allow
}

test_an_old_or_weak_or_undated_sign_in_is_asked_again if {
	wanted := {"acr_values": ["mfa"], "max_age": 600}
	old := answer({"context": {"auth_age_seconds": 700}})
	[reason.code | some reason in old.reasons] == ["break-glass-sign-in"]
	old.step_up == wanted
	weak := answer({"subject": {"mfa": false}})
	weak.step_up == wanted
	not weak.allow
	undated := object.remove(q.but(broken).context, ["auth_age_seconds"])
	question := object.union(object.remove(q.but(broken), ["context"]), {"context": undated})
	decision := leadglass.decision with input as question with data.tables as tables
	decision.step_up == wanted
}

test_not_for_others if {
	every changed in [
		{"context": {"purpose": "TREAT"}},
		{"subject": {"roles": ["sonographer"]}},
		{"subject": {"type": "service"}},
		{"action": {"name": "store", "transaction": "stow-rs.store"}},
		{"action": {"name": "delete", "transaction": "wado-rs.instance"}},
		{"context": {"break_glass": {"reason": 1}}},
	] {
		decision := answer(changed)
		{"code": "break-glass-refused", "params": {}} in decision.reasons
		decision.obligations == []
	}
}

test_off_as_shipped if {
	off := {"break_glass": {"enabled": false}}
	rule.deny == {{"code": "break-glass-refused"}} with input as q.but(broken) with data.tables as q.with_tables(off)
}

test_only_the_rules_that_the_table_names if {
	some_rules := {"break_glass": {"enabled": true, "overrides": ["treating"]}, "treating": {"enabled": true, "exempt_roles": []}}
	decision := leadglass.decision with input as q.but(broken) with data.tables as q.with_tables(some_rules)
	[row.code | some row in decision.rows] == ["oncologist-only"]
}

test_nothing_else_is_set_aside if {
	not answer({"device": null}).allow
	not answer({"subject": {"roles": []}}).allow
	not answer({"studies": []}).allow
}

test_silent_without_the_header if {
	rule.deny == set() with input as q.ask with data.tables as tables
	rule.oblige == set() with input as q.ask with data.tables as tables
	rule.until == set() with input as q.ask with data.tables as tables
}
