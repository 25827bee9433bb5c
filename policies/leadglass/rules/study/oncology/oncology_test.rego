package leadglass.tests.study.oncology

import data.leadglass.questions_test as q
import data.leadglass.rules.study.oncology as rule

denied(roles, study, missing) := denials if {
	question := q.but({"subject": {"roles": roles}, "studies": [study], "missing": missing})
	denials := rule.deny with input as question with data.tables as q.tables
}

mr(conditions) := {"study_uid": "1.2", "modalities": ["SR", "MR"], "conditions": conditions}

hidden := {{"code": "oncologist-only", "row": 0, "visibility": "hidden"}}

test_cancer_is_for_oncologists if {
	denied(["radiologist"], mr(["I10", "C50.9"]), []) == hidden
	denied(["radiologist", "oncologist"], mr(["C50.9"]), []) == set()
	denied(["radiologist"], mr(["I10"]), []) == set()
	denied(["radiologist"], mr([]), []) == set()
}

test_notations_of_a_code if {
	every code in ["c50", " C50.9 ", "D05.1", "C7A.1", "icd10:C50", "http://hl7.org/fhir/sid/icd-10|C50.9"] {
		denied(["radiologist"], mr([code]), []) == hidden
	}
	every code in ["http://snomed.info/sct|363346000", "363346000", "sct:363346000"] {
		denied(["radiologist"], mr([code]), []) == hidden
	}
	every code in ["D10", "XC50", "3633460001", "", "|", "C"] {
		denied(["radiologist"], mr([code]), []) == set()
	}
}

test_other_modalities_are_not_guarded if {
	denied(["radiologist"], {"study_uid": "1.2", "modalities": ["CT"], "conditions": ["C50"]}, []) == set()
}

test_without_a_source_it_says_nothing if {
	denied(["radiologist"], {"study_uid": "1.2", "modalities": ["MR"]}, []) == set()
}

test_a_source_that_failed_denies if {
	study := {"study_uid": "1.2", "modalities": ["MR"]}
	facts := {{"code": "facts-missing", "row": 0, "params": {"fact": "conditions"}}}
	denied(["radiologist"], study, ["studies[0].conditions"]) == facts
	denied(["radiologist"], study, ["studies[0]"]) == facts
	denied(["oncologist"], study, ["studies[0].conditions"]) == set()
	denied(["radiologist"], {"study_uid": "1.2", "modalities": ["CT"]}, ["studies[0].conditions"]) == set()
}

test_a_role_may_see_it_listed if {
	denied(["physician"], mr(["C50"]), []) == {{"code": "oncologist-only", "row": 0, "visibility": "listed"}}
}

test_one_patients_cancer_hides_no_other_patient if {
	question := q.but({"studies": [mr(["I10"]), mr(["C50"]), mr([])]})
	rule.deny == {{"code": "oncologist-only", "row": 1, "visibility": "hidden"}} with input as question
		with data.tables as q.tables
}

test_the_modality_stores_it if {
	store := {"action": {"name": "store", "transaction": "stow-rs.store"}, "studies": [mr(["C50"])]}
	technologist := q.but(object.union(store, {"subject": {"roles": ["technologist"]}}))
	rule.deny == set() with input as technologist with data.tables as q.tables
	rule.deny == hidden with input as q.but(store) with data.tables as q.tables
}
