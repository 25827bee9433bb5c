from leadglass.hazmat.jws import ALGORITHMS
from leadglass.model.credentials import NO_EVIDENCE, PROOF_ALGORITHMS


def test_proofs_use_asymmetric_algorithms_alone() -> None:
    assert set(PROOF_ALGORITHMS) < ALGORITHMS


def test_no_evidence_proves_nothing() -> None:
    assert NO_EVIDENCE.proof is None
    assert NO_EVIDENCE.certificate is None
