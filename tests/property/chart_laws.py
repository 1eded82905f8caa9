"""What the laws of charts share: the criteria that a result decides, and states of a judgement."""

from hypothesis import strategies as st

SUBJECT = {"reference": "Patient/shorthand"}
LAB_CRITERIA = {
    "hemoglobin": "hemoglobin",
    "neutrophils": "neutrophils",
    "platelets": "platelets",
    "bilirubin_total": "bilirubin",
    "ast": "transaminases",
    "alt": "transaminases",
    "aptt": "aptt",
    "creatinine": "renal",
    "body_weight": "renal",
}
lab_names = st.sampled_from(sorted(LAB_CRITERIA))
ORDER = {("fail", False): -2, ("fail", True): -1, ("unknown", True): 0, ("pass", True): 1, ("pass", False): 2}


def states(result):
    """Each criterion's state in the contract's order F! < F~ < U < T~ < T!."""
    return {one["id"]: ORDER[one["verdict"], one["can_change"]] for one in result["criteria"]}
