package leadglass_test

import data.leadglass
import data.leadglass.questions_test as q

answer(question) := decision if {
	decision := leadglass.decision with input as question with data.tables as q.tables
}

# What one more rule would say, composed with the others.
composed(said) := decision if {
	decision := leadglass.decision with input as q.ask
		with data.tables as q.tables
		with data.fixture as said
}

test_allows_what_a_rule_grants_and_none_denies if {
	decision := answer(q.ask)
	decision.allow
	decision.grants == ["role:radiologist"]
	decision.reasons == []
	decision.lease == {"seconds": 5, "scope": "study"}
	decision.until_in == 100
	decision.until_at == null
}

test_a_denial_beats_a_grant if {
	decision := answer(q.but({"device": null}))
	decision.grants == ["role:radiologist"]
	not decision.allow
	decision.lease == null
}

test_not_granted_without_a_grant if {
	decision := answer(q.acting([]))
	not decision.allow
	decision.reasons == [{"code": "not-granted", "params": {}}]
	decision.lease == null
}

test_reasons_that_signing_in_mends_come_last if {
	decision := answer(q.but({"subject": {"mfa": false, "roles": []}, "device": null}))
	[reason.code | some reason in decision.reasons] == ["device-required", "not-granted", "mfa-required"]
	decision.step_up == {"acr_values": ["mfa"], "max_age": null}
}

test_a_denied_row_refuses_all_but_a_search if {
	studies := [{"study_uid": "1.2", "modalities": ["CT"]}, {"study_uid": "1.3"}]
	not answer(q.but({"studies": studies})).allow
	search := answer(q.but({"studies": studies, "action": {"name": "search", "transaction": "qido-rs.studies"}}))
	search.allow
	search.rows == [{"row": 1, "code": "study-unknown", "params": {}}]
	search.visibility == {"1": "hidden"}
}

without(table) if {
	leadglass.decision with input as q.ask with data.tables as object.remove(q.tables, [table])
}

test_undefined_without_a_table if {
	every table in leadglass.shipped_tables {
		not without(table)
	}
}

test_undefined_without_a_part_of_the_question if {
	every part in leadglass.parts {
		not answer(object.remove(q.ask, [part]))
	}
}

test_composes_every_kind if {
	decision := composed({
		"grant": {{"code": "extra"}},
		"oblige": {{"type": "watermark", "text": "x"}, {"type": "log"}},
		"until": {{"at": 2000}, {"at": 1000}, {"in": 7}},
		"lease": {{"seconds": 9, "scope": "study"}, {"seconds": 3, "scope": "study"}, {"seconds": 4, "scope": "instance"}},
	})
	decision.grants == ["extra", "role:radiologist"]
	decision.obligations == [{"text": "x", "type": "watermark"}, {"type": "log"}]
	decision.until_at == 1000
	decision.until_in == 7
	decision.lease == {"seconds": 3, "scope": "instance"}
}

test_the_strongest_step_up_wins if {
	decision := composed({"deny": {
		{"code": "a", "step_up": {"acr_values": ["mfa", "hwk"], "max_age": 60}},
		{"code": "b", "step_up": {"acr_values": ["hwk"], "max_age": 300}},
		{"code": "c", "step_up": {"acr_values": ["hwk", "phr"], "max_age": null}},
	}})
	decision.step_up == {"acr_values": ["hwk"], "max_age": 60}
}

test_listed_only_when_every_denial_says_so if {
	row := {"code": "x", "row": 0, "visibility": "listed"}
	composed({"deny": {row}}).visibility == {"0": "listed"}
	composed({"deny": {row, {"code": "y", "row": 0}}}).visibility == {"0": "hidden"}
}

test_rows_are_sorted_and_carry_params if {
	decision := composed({"deny": {
		{"code": "b", "row": 0, "params": {"k": "\u0000\"}"}},
		{"code": "a", "row": 0},
	}})
	decision.rows == [
		{"row": 0, "code": "a", "params": {}},
		{"row": 0, "code": "b", "params": {"k": "\u0000\"}"}},
	]
}

# Each of these is one fault that must leave the decision undefined.
faults := {
	"deny is true": {"deny": true},
	"deny is an object": {"deny": {"code": "x"}},
	"deny is an array": {"deny": [{"code": "x"}]},
	"a denial is a string": {"deny": {"x"}},
	"a denial has no code": {"deny": {{"row": 0}}},
	"a code is a number": {"deny": {{"code": 1}}},
	"a denial has another key": {"deny": {{"code": "x", "rows": 0}}},
	"a row is no study": {"deny": {{"code": "x", "row": 1}}},
	"a row is negative": {"deny": {{"code": "x", "row": -1}}},
	"a row is a fraction": {"deny": {{"code": "x", "row": 0.5}}},
	"a row is a string": {"deny": {{"code": "x", "row": "0"}}},
	"a row is null": {"deny": {{"code": "x", "row": null}}},
	"a row asks for a sign-in": {"deny": {{"code": "x", "row": 0, "step_up": {"acr_values": [], "max_age": null}}}},
	"the whole has a visibility": {"deny": {{"code": "x", "visibility": "listed"}}},
	"another visibility": {"deny": {{"code": "x", "row": 0, "visibility": "shown"}}},
	"a param is a number": {"deny": {{"code": "x", "params": {"k": 1}}}},
	"params are a string": {"deny": {{"code": "x", "row": 0, "params": "k"}}},
	"step_up is true": {"deny": {{"code": "x", "step_up": true}}},
	"step_up is false": {"deny": {{"code": "x", "step_up": false}}},
	"step_up lacks max_age": {"deny": {{"code": "x", "step_up": {"acr_values": []}}}},
	"step_up has numbers": {"deny": {{"code": "x", "step_up": {"acr_values": [1], "max_age": null}}}},
	"step_up has a negative age": {"deny": {{"code": "x", "step_up": {"acr_values": [], "max_age": -1}}}},
	"a row has another key": {"deny": {{"code": "x", "row": 0, "why": "y"}}},
	"params are an array": {"deny": {{"code": "x", "params": ["k"]}}},
	"step_up has another key": {"deny": {{"code": "x", "step_up": {"acr_values": [], "max_age": null, "x": 1}}}},
	"step_up has an object": {"deny": {{"code": "x", "step_up": {"acr_values": {"a": "b"}, "max_age": null}}}},
	"step_up has an age in text": {"deny": {{"code": "x", "step_up": {"acr_values": [], "max_age": "60"}}}},
	"a grant's code is a number": {"grant": {{"code": 1}}},
	"until is at another time": {"until": {{"on": 5}}},
	"a lease has another key": {"lease": {{"seconds": 1, "scope": "study", "x": 1}}},
	"a lease of seconds in text": {"lease": {{"seconds": "5", "scope": "study"}}},
	"grant is true": {"grant": true},
	"a grant has params": {"grant": {{"code": "x", "params": {}}}},
	"a grant has no code": {"grant": {{}}},
	"an obligation has no type": {"oblige": {{"kind": "log"}}},
	"an obligation is a string": {"oblige": {"log"}},
	"until is a number": {"until": {1000}},
	"until says both": {"until": {{"at": 1, "in": 1}}},
	"until is negative": {"until": {{"in": -1}}},
	"until is a string": {"until": {{"at": "1"}}},
	"a lease has no scope": {"lease": {{"seconds": 1}}},
	"a lease of no time": {"lease": {{"seconds": 0, "scope": "study"}}},
	"a lease of another scope": {"lease": {{"seconds": 1, "scope": "patient"}}},
}

test_undefined_after_a_malformed_answer[note] if {
	some note, said in faults
	not composed(said)
}

test_explain_names_what_each_rule_says if {
	said := leadglass.explain with input as q.but({"subject": {"mfa": false}}) with data.tables as q.tables
	said.grant == [["identity", "roles", {{"code": "role:radiologist"}}]]
	[[area, rule] | some [area, rule, _] in said.deny] == [["identity", "mfa"]]
	said.oblige == []
}
