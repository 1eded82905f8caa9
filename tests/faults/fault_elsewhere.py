"""Faults that other tests play, and those of parts that are not there yet."""

from __future__ import annotations

import ast

from fault_kinds import Elsewhere, NotBuilt
from fault_runs import ROOT

CALL = "nothing: the EHR's call fails"
FIELD = "the EHR's call fails with an OperationOutcome"

ELSEWHERE = (
    Elsewhere(
        38,
        "the EHR's keys cannot be fetched, kept ones at hand",
        "serves with those for a day",
        "the card",
        "a key set could not be fetched",
        ("unit/test_key_sets.py::test_last_good_keys_serve_a_day_through_an_outage",),
    ),
    Elsewhere(
        38,
        "the EHR's keys cannot be fetched, none kept",
        "503, Retry-After: 1",
        CALL,
        "a key set could not be fetched",
        (
            "conformance/test_trust.py::test_without_the_ehrs_keys_503_and_with_them_200",
            "unit/test_key_sets.py::test_without_any_key_the_service_is_unavailable_until_they_come",
        ),
    ),
    Elsewhere(
        39,
        "the EHR's key is rotated",
        "fetches the key set once more",
        "the card",
        "",
        ("unit/test_key_sets.py::test_a_rotated_key_is_found_by_one_fetch_more",),
    ),
    Elsewhere(
        40,
        "a token is used again, on the other worker",
        "401",
        CALL,
        "caller refused: the token was used before",
        ("servers/test_two_workers.py::test_a_thousand_replays_at_once_are_taken_once",),
    ),
    Elsewhere(
        41,
        "clocks that differ",
        "takes 60 s; beyond that 401; there is no metric",
        CALL,
        "caller refused, with the reason",
        ("unit/test_tokens.py::test_hostile_tokens_are_refused_for_their_own_reason",),
    ),
    Elsewhere(
        45,
        "a hostile rule file: size, depth, bombs",
        "refuses to load it, naming file and line",
        "nothing: the service does not start",
        "every complaint",
        (
            "unit/test_trials_yaml_text.py::test_no_file_does_harm",
            "unit/test_logic.py::test_what_is_refused",
            "unit/test_logic.py::test_two_thousand_nodes_and_no_more",
        ),
    ),
    Elsewhere(
        46,
        "the database is locked or down",
        "sends the card, without asking for feedback",
        "the card",
        "cards could not be remembered",
        (
            "unit/test_store.py::test_a_locked_file_is_waited_for_and_then_unavailable",
            "unit/test_muting.py::test_a_store_that_is_down_costs_no_card",
        ),
    ),
    Elsewhere(
        48,
        "the database file is damaged at the start",
        "refuses to start",
        "nothing: the service does not start",
        "the complaint",
        ("unit/test_store.py::test_a_damaged_file_stops_the_start",),
    ),
    Elsewhere(
        13,
        "401 once",
        "with a token of our own: fetches another and asks again; the call's own token is not ours to renew",
        "the card",
        "",
        (
            "unit/test_smart_auth.py::test_a_refused_token_is_fetched_anew_once",
            "unit/test_smart_auth.py::test_a_token_of_the_call_is_never_renewed",
        ),
    ),
    Elsewhere(
        14,
        "401 for ever, with a token of our own",
        "asks twice, no more",
        "that it could not be read",
        "",
        ("unit/test_smart_auth.py::test_a_server_that_refuses_every_token_is_asked_twice",),
    ),
    Elsewhere(
        42,
        "the token endpoint says invalid_client",
        "reads nothing, says so once, and does not ask again for each search",
        "that it could not be read",
        "",
        (
            "unit/test_smart_auth.py::test_what_goes_wrong_is_told_plainly_and_not_repeated",
            "unit/test_smart_auth.py::test_a_failure_is_not_repeated_for_each_search",
        ),
    ),
)

NOT_BUILT = (
    NotBuilt(43, "a rule file broken, deleted or half-written on reload", "reload without a restart"),
    NotBuilt(44, "the rules are replaced amid a request", "reload without a restart"),
    NotBuilt(47, "the disk is full", "readiness"),
    NotBuilt(49, "SIGKILL during a worklist write, a cohort page, a bulk file", "worklist and jobs"),
    NotBuilt(50, "SIGTERM under load", "a test; the server's own drain is all there is"),
    NotBuilt(51, "a worker dies", "a test; the server's own respawn is all there is"),
    NotBuilt(52, "bulk export: 202 for ever, broken lines, lost files", "bulk export"),
    NotBuilt(53, "forty slow clients", "the proxy configuration"),
    NotBuilt(54, "the audit store cannot be written", "the audit trail"),
)


def missing_tests() -> list[str]:
    """Return the named tests that are not there."""
    return [test for one in ELSEWHERE for test in one.tests if not _exists(test)]


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))
