package leadglass.tests.study.writes

import data.leadglass.questions_test as q
import data.leadglass.rules.study.writes as rule

sr := "1.2.840.10008.5.1.4.1.1.88.33"

ct := "1.2.840.10008.5.1.4.1.1.2"

store(roles, resource) := {"grants": grants, "denials": denials} if {
	question := q.but({
		"subject": {"roles": roles},
		"action": {"name": "store", "transaction": "stow-rs.store"},
		"resource": resource,
	})
	grants := {grant.code | some grant in rule.grant} with input as question with data.tables as q.tables
	denials := {denial.code | some denial in rule.deny} with input as question with data.tables as q.tables
}

test_at_its_head_a_store_is_for_either_group if {
	store(["technologist"], {}) == {"grants": {"writes-images"}, "denials": set()}
	store(["radiologist"], {}) == {"grants": {"writes-derived"}, "denials": set()}
	store([], {}) == {"grants": set(), "denials": set()}
	store(["researcher"], {}) == {"grants": set(), "denials": set()}
	store(["operator"], {}) == {"grants": set(), "denials": set()}
}

new(class) := {"sop_class": class, "exists": false}

test_parts_are_judged_by_class if {
	store(["modality"], new(ct)) == {"grants": {"writes-images"}, "denials": set()}
	store(["modality"], new(sr)) == {"grants": {"writes-images"}, "denials": set()}
	store(["radiologist"], new(sr)) == {"grants": {"writes-derived"}, "denials": set()}
	store(["radiologist"], new(ct)) == {"grants": set(), "denials": {"store-refused"}}
	store([], new(sr)) == {"grants": set(), "denials": set()}
}

test_other_services_are_not_granted_here if {
	question := q.but({
		"subject": {"roles": ["technologist", "radiologist"]},
		"action": {"name": "store", "transaction": "npi.store"},
		"resource": {"type": "color-palettes"},
	})
	rule.grant == set() with input as question with data.tables as q.tables
}

test_nobody_replaces if {
	store(["modality"], {"sop_class": ct, "exists": true}).denials == {"instance-exists"}
	tables := q.with_tables({"writes": {"replace_roles": ["modality"]}})
	question := q.but({
		"subject": {"roles": ["modality"]},
		"action": {"name": "store", "transaction": "stow-rs.store"},
		"resource": {"sop_class": ct, "exists": true},
	})
	rule.deny == set() with input as question with data.tables as tables
	unknown := object.union(object.remove(question, ["resource"]), {"resource": {"type": "study", "sop_class": ct}})
	rule.deny == set() with input as unknown with data.tables as tables
}

test_only_stores_are_judged if {
	question := q.but({"resource": {"sop_class": ct, "exists": true}})
	rule.deny == set() with input as question with data.tables as q.tables
	rule.grant == set() with input as question with data.tables as q.tables
}

test_an_instance_that_may_exist_is_not_written if {
	store(["modality"], {"sop_class": ct}).denials == {"facts-missing"}
}

test_reading_is_none_of_its_business if {
	rule.grant == set() with input as q.acting(["technologist"]) with data.tables as q.tables
	rule.deny == set() with input as q.acting(["technologist"]) with data.tables as q.tables
}
