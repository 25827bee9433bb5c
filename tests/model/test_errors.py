"""The error tree: a refusal is an answer with reasons, and never without one."""

import pytest

from leadglass.model.errors import Cause, ConfigurationError, Cut, LeadglassError, Refusal, StepUp, refuse
from leadglass.model.reasons import REASONS, Code


def test_a_refusal_without_a_cause_is_our_own_fault() -> None:
    assert Refusal().causes[0].reason.code == Code.INTERNAL_FAULT


def test_the_first_cause_comes_first() -> None:
    refusal = Refusal(
        Cause(REASONS[Code.NOT_GRANTED]), Cause(REASONS[Code.STUDY_NOT_VISIBLE]), step_up=StepUp(("mfa",))
    )
    assert [cause.reason.code for cause in refusal.causes] == ["not-granted", "study-not-visible"]
    assert str(refusal) == "not-granted, study-not-visible"
    assert refusal.step_up == StepUp(("mfa",))


def test_the_detail_is_not_in_what_is_said() -> None:
    refusal = refuse(Code.QUERY_REFUSED, "for the record", headers={"Retry-After": "1"}, key="PatientFoo")
    assert "for the record" not in str(refusal)
    assert (refusal.detail, dict(refusal.causes[0].params), dict(refusal.headers)) == (
        "for the record", {"key": "PatientFoo"}, {"Retry-After": "1"},
    )  # fmt: skip


def test_parameters_cannot_be_changed_afterwards() -> None:
    params = refuse(Code.QUERY_REFUSED, key="a").causes[0].params
    with pytest.raises(TypeError):
        params["key"] = "b"  # type: ignore[index]  # that is the point


def test_a_configuration_error_says_where_first() -> None:
    error = ConfigurationError("is missing", hint="add it", where="a.yaml:3")
    assert (str(error), error.hint) == ("a.yaml:3: is missing", "add it")
    assert str(ConfigurationError("is missing")) == "is missing"


def test_everything_of_ours_has_one_root() -> None:
    assert all(issubclass(kind, LeadglassError) for kind in (Refusal, Cut, ConfigurationError))
    assert Cut("part-mismatch", "detail").code == "part-mismatch"
