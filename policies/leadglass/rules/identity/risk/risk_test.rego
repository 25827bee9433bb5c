package leadglass.tests.identity.risk

import data.leadglass.questions_test as q
import data.leadglass.rules.identity.risk as rule

denied(risk) := said if {
	said := {[denial.params.whose, denial.params.level] |
		some denial in rule.deny with input as q.but({"context": {"risk": risk}}) with data.tables as q.tables
	}
}

test_what_nobody_reports_is_no_risk if denied({}) == set()

test_levels_that_the_table_refuses if {
	denied({"user": "HIGH"}) == {["user", "HIGH"]}
	denied({"user": "MEDIUM", "session": "LOW"}) == set()
	denied({"device": "MEDIUM"}) == {["device", "MEDIUM"]}
	denied({"user": "HIGH", "device": "HIGH"}) == {["user", "HIGH"], ["device", "HIGH"]}
}

test_whose_is_not_in_the_table_is_not_refused if denied({"session": "HIGH"}) == set()
