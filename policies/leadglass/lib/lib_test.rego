package leadglass.lib_test

import data.leadglass.lib
import data.leadglass.questions_test as q

test_a_role_bound_to_a_purpose_acts_only_under_it if {
	roles := ["radiologist", "researcher"]
	lib.acting == {"radiologist"} with input as q.acting(roles) with data.tables as q.tables
	lib.acting == {"radiologist"} with input as q.but({"subject": {"roles": roles}, "context": {"purpose": "TREAT"}})
		with data.tables as q.tables
	lib.acting == {"radiologist", "researcher"} with input as q.but({
		"subject": {"roles": roles},
		"context": {"purpose": "HRESCH"},
	})
		with data.tables as q.tables
}

test_patterns_of_transactions if {
	lib.matches("wado-rs.instance") with input as q.ask
	lib.matches("wado-rs.*") with input as q.ask
	not lib.matches("wado-rs.inst") with input as q.ask
	not lib.matches("wado-*") with input as q.ask
	not lib.matches("wado.*") with input as q.ask
	not lib.matches("*") with input as q.ask
}

test_reading_is_by_transaction_and_a_store_by_the_right_to_retrieve if {
	elsewhere := q.but({"action": {"transaction": "orthanc.servers"}})
	lib.reading == set() with input as elsewhere with data.tables as q.tables
	store := q.but({"action": {"name": "store", "transaction": "stow-rs.store"}})
	count(lib.reading) == 1 with input as store with data.tables as q.tables
	writer := q.with_tables({"roles": {"roles": {"radiologist": {"allow": [{
		"actions": ["store"],
		"transactions": ["stow-rs.*"],
	}]}}}})
	lib.reading == set() with input as store with data.tables as writer
	lib.reads with input as q.acting(["technologist"]) with data.tables as q.tables
}

test_all_but_a_store_by_those_who_write_images_reads if {
	lib.reads with input as q.ask with data.tables as q.tables
	store := {"action": {"name": "store", "transaction": "stow-rs.store"}}
	lib.reads with input as q.but(store) with data.tables as q.tables
	technologist := object.union(store, {"subject": {"roles": ["technologist"]}})
	not lib.reads with input as q.but(technologist) with data.tables as q.tables
}

test_lacks_a_fact_alone_or_with_its_study if {
	missing := {"missing": ["studies[1].conditions", "studies[2]"]}
	not lib.lacks(0, "conditions") with input as q.but(missing)
	lib.lacks(1, "conditions") with input as q.but(missing)
	not lib.lacks(1, "care_team") with input as q.but(missing)
	lib.lacks(2, "care_team") with input as q.but(missing)
	not lib.lacks(1, "conditions") with input as q.ask
}
