package leadglass.tests.egress.degraded

import data.leadglass
import data.leadglass.questions_test as q
import data.leadglass.rules.egress.degraded as rule

conditions(names, changed, tables) := found if {
	question := q.but(object.union({"context": {"degraded": names}}, changed))
	found := {denial.params.condition | some denial in rule.deny} with input as question with data.tables as tables
}

export := {"action": {"name": "export", "transaction": "wado-rs.instance"}}

test_reading_goes_on if {
	every name in ["log-disk", "log-reserve", "clock"] {
		conditions([name], {}, q.tables) == set()
	}
}

test_export_waits if {
	every name in ["log-disk", "log-reserve", "clock"] {
		conditions([name], export, q.tables) == {name}
	}
	conditions([], export, q.tables) == set()
}

purpose(name, said) := conditions([name], {"context": {"purpose": said, "degraded": [name]}}, q.tables)

test_purposes if {
	purpose("log-disk", "HRESCH") == {"log-disk"}
	purpose("log-disk", "HOPERAT") == set()
	purpose("log-reserve", "HOPERAT") == {"log-reserve"}
	purpose("log-reserve", "TREAT") == set()
	purpose("log-reserve", "ETREAT") == set()
	purpose("clock", "HRESCH") == set()
}

test_undeclared if {
	strict := q.with_tables({"degraded": {"log-reserve": {"undeclared": "refused"}}})
	conditions(["log-reserve"], {}, strict) == {"log-reserve"}
	conditions(["log-reserve"], {"context": {"purpose": "TREAT", "degraded": ["log-reserve"]}}, strict) == set()
}

test_each_condition_is_named if {
	conditions(["log-disk", "clock"], export, q.tables) == {"log-disk", "clock"}
}

test_refuses_the_whole if {
	question := q.but({"context": {"degraded": ["log-disk"], "purpose": "HRESCH"}})
	decision := leadglass.decision with input as question with data.tables as q.tables
	not decision.allow
	decision.reasons == [{"code": "degraded", "params": {"condition": "log-disk"}}]
}
