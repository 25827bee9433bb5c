package leadglass.tests.study.treating

import data.leadglass.questions_test as q
import data.leadglass.rules.study.treating as rule

tables := q.with_tables({"treating": {"enabled": true, "exempt_roles": ["radiologist"]}})

denied(roles, study) := denials if {
	question := q.but({"subject": {"roles": roles}, "studies": [study]})
	denials := rule.deny with input as question with data.tables as tables
}

test_the_care_team_and_nobody_else if {
	denied(["oncologist"], {"study_uid": "1.2", "care_team": [{"issuer": "https://idp.example.org", "id": "dr.demo"}]}) == set()
	other := {"study_uid": "1.2", "care_team": [{"issuer": "https://idp.example.org", "id": "dr.other"}]}
	denied(["oncologist"], other) == {{"code": "not-treating", "row": 0, "visibility": "hidden"}}
	denied(["physician"], other) == {{"code": "not-treating", "row": 0, "visibility": "listed"}}
	denied(["physician", "radiologist"], other) == set()
	denied(["oncologist"], {"study_uid": "1.2", "care_team": []}) == {{
		"code": "not-treating",
		"row": 0,
		"visibility": "hidden",
	}}
}

test_the_same_id_of_another_issuer if {
	stranger := {"study_uid": "1.2", "care_team": [{"issuer": "https://other.example.org", "id": "dr.demo"}]}
	denied(["oncologist"], stranger) == {{"code": "not-treating", "row": 0, "visibility": "hidden"}}
	plain := {"study_uid": "1.2", "care_team": ["dr.demo"]}
	denied(["oncologist"], plain) == {{"code": "not-treating", "row": 0, "visibility": "hidden"}}
}

test_an_unknown_care_team_denies if {
	denied(["oncologist"], {"study_uid": "1.2"}) == {{"code": "facts-missing", "row": 0, "params": {"fact": "care_team"}}}
}

test_the_modality_stores if {
	question := q.but({"subject": {"roles": ["modality"]}, "action": {"name": "store", "transaction": "stow-rs.store"}})
	rule.deny == set() with input as question with data.tables as tables
}

test_off_as_shipped if {
	rule.deny == set() with input as q.acting(["oncologist"]) with data.tables as q.tables
}
