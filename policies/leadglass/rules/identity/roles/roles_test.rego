package leadglass.tests.identity.roles

import data.leadglass.questions_test as q
import data.leadglass.rules.identity.roles as rule

test_grants_by_action_and_transaction if {
	rule.grant == {{"code": "role:radiologist"}} with input as q.ask with data.tables as q.tables
	delete := q.but({"action": {"name": "delete", "transaction": "wado-rs.study"}})
	rule.grant == set() with input as delete with data.tables as q.tables
	elsewhere := q.but({"action": {"transaction": "orthanc.servers"}})
	rule.grant == set() with input as elsewhere with data.tables as q.tables
}

test_an_entry_may_name_its_transactions if {
	manage := q.but({"subject": {"roles": ["operator"]}, "action": {"name": "manage", "transaction": "orthanc.servers"}})
	rule.grant == {{"code": "role:operator"}} with input as manage with data.tables as q.tables
	other := q.but({"subject": {"roles": ["operator"]}, "action": {"name": "manage", "transaction": "orthanc.peers"}})
	rule.grant == set() with input as other with data.tables as q.tables
}

test_everyone_is_every_person_whatever_their_roles if {
	file := {"action": {"name": "retrieve", "transaction": "static.file"}, "studies": [], "subject": {"roles": []}}
	rule.grant == {{"code": "role:everyone"}} with input as q.but(file) with data.tables as q.tables
	service := q.but(object.union(file, {"subject": {"type": "service", "roles": []}}))
	rule.grant == set() with input as service with data.tables as q.tables
	unsaid := json.remove(q.tables, ["/roles/everyone"])
	rule.grant == set() with input as q.but(file) with data.tables as unsaid
}

# A guest who reads in one of two archives, and any ultrasound in both.
guests := object.union(q.tables, {"roles": object.union(q.tables.roles, {"roles": {"guest": {"allow": [
	{"actions": ["retrieve", "search"], "upstreams": ["vna"]},
	{"actions": ["retrieve"], "modalities": ["US"]},
]}}})})

in_archive(change) := {"grant": grants, "deny": denials} if {
	question := q.but(object.union({"subject": {"roles": ["guest"]}}, change))
	grants := rule.grant with input as question with data.tables as guests
	denials := rule.deny with input as question with data.tables as guests
}

test_an_entry_may_name_its_archives if {
	ct := {"studies": [{"study_uid": "1.2", "modalities": ["CT"]}]}
	allowed := {"grant": {{"code": "role:guest"}}, "deny": set()}
	withheld := {"grant": {{"code": "role:guest"}}, "deny": {{"code": "role-modality", "row": 0}}}
	in_archive(object.union(ct, {"resource": {"upstream": "vna"}})) == allowed
	in_archive(object.union(ct, {"resource": {"upstream": "main"}})) == withheld
	in_archive(ct) == withheld # which archive it is, is not told
	search := {"action": {"name": "search", "transaction": "qido-rs.studies"}, "studies": []}
	in_archive(object.union(search, {"resource": {"upstream": "vna"}})).grant == {{"code": "role:guest"}}
	in_archive(object.union(search, {"resource": {"upstream": "main"}})).grant == set()
	in_archive(search).grant == set()
}

test_who_stores_a_report_reads_in_that_archive if {
	store := {"action": {"name": "store", "transaction": "stow-rs.store"}, "studies": [{"study_uid": "1.2", "modalities": ["CT"]}]}
	in_archive(object.union(store, {"resource": {"upstream": "vna"}})).deny == set()
	in_archive(object.union(store, {"resource": {"upstream": "main"}})).deny == {{"code": "role-modality", "row": 0}}
}

test_unknown_roles_grant_nothing if {
	rule.grant == set() with input as q.acting(["", "root", "roles"]) with data.tables as q.tables
}

modalities(roles, listed) := denied if {
	question := q.but({"subject": {"roles": roles}, "studies": [{"study_uid": "1.2", "modalities": listed}]})
	denied := rule.deny with input as question with data.tables as q.tables
}

test_every_modality_must_be_covered if {
	modalities(["sonographer"], ["US"]) == set()
	modalities(["sonographer"], ["US", "CT"]) == {{"code": "role-modality", "row": 0}}
	modalities(["sonographer"], []) == {{"code": "role-modality", "row": 0}}
	modalities(["sonographer", "radiologist"], ["US", "CT"]) == set()
}

narrowed(roles, transaction) := said if {
	question := q.but({"subject": {"roles": roles}, "action": {"name": "search", "transaction": transaction}, "studies": []})
	said := rule.oblige with input as question with data.tables as q.tables
}

test_searches_ask_for_what_is_covered if {
	us := {{"type": "narrow-search", "keys": {"00080061": ["US"]}}}
	narrowed(["sonographer"], "qido-rs.studies") == us
	narrowed(["sonographer"], "qido-rs.instances") == us
	narrowed(["sonographer", "radiologist"], "qido-rs.studies") == set()
	narrowed(["nobody"], "qido-rs.studies") == set()
	narrowed(["sonographer"], "ups-rs.search") == set()
}

test_what_is_retrieved_is_not_narrowed if {
	question := q.but({"subject": {"roles": ["sonographer"]}})
	rule.oblige == set() with input as question with data.tables as q.tables
}

test_who_may_not_read_at_all_hears_nothing_of_modalities if modalities(["nobody"], ["CT"]) == set()

test_what_is_stored_is_not_read if {
	store := {"action": {"name": "store", "transaction": "stow-rs.store"}, "subject": {"roles": ["technologist", "sonographer"]}}
	rule.deny == set() with input as q.but(store) with data.tables as q.tables
}

test_an_unknown_modality_is_not_covered if {
	question := q.but({"subject": {"roles": ["sonographer"]}, "studies": [{"study_uid": "1.2"}]})
	rule.deny == {{"code": "role-modality", "row": 0}} with input as question with data.tables as q.tables
}
