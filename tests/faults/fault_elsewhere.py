"""Faults that other tests play."""

from __future__ import annotations

import ast

from fault_kinds import Elsewhere
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
        "takes 60 s; beyond that 401",
        CALL,
        "caller refused: by how many seconds the token is too old, or too new",
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
    Elsewhere(
        52,
        "bulk export: not ready (202) for ever",
        "gives up after the time it was given; the next run waits for the same export",
        "nothing: no run",
        "",
        ("cohort/test_export.py::test_202_for_ever_ends_and_keeps_the_state",),
    ),
    Elsewhere(
        52,
        "bulk export: 5xx while it is waited for",
        "asks again, five times in a row at most; the next run asks for the same export",
        "the run, or why there is none",
        "",
        (
            "cohort/test_export.py::test_5xx_while_polling_is_lived_through_and_told_in_the_end",
            "cohort/test_export.py::test_5xx_for_ever_is_told",
        ),
    ),
    Elsewhere(
        52,
        "bulk export: the manifest lists errors",
        "counts them; the types they name, else all, are incomplete: `not-fetched`",
        "that it could not be read",
        "an export is not whole",
        ("cohort/test_export.py::test_errors_that_the_server_reports_make_types_incomplete",),
    ),
    Elsewhere(
        52,
        "bulk export: a file is gone, or the export has expired",
        "begins the export anew, once; files of the two are not mixed; gone again, the type is incomplete",
        "the run; that it could not be read",
        "an export or a file of it was gone; it is begun anew",
        (
            "cohort/test_export.py::test_a_file_that_is_gone_starts_the_export_anew_once",
            "cohort/test_export.py::test_a_file_that_stays_gone_makes_its_type_incomplete",
            "cohort/test_export.py::test_an_export_that_has_expired_is_started_anew_once",
            "cohort/test_export.py::test_an_export_that_is_always_gone_is_told",
            "cohort/test_export.py::test_files_of_a_gone_export_are_not_mixed_with_the_new_ones",
        ),
    ),
    Elsewhere(
        52,
        "bulk export: a line is broken",
        "keeps it for the reader of the folder, which sets it aside with file and line",
        "that it could not be read",
        "",
        ("cohort/test_export.py::test_a_broken_line_is_left_for_the_reader_of_the_folder",),
    ),
    Elsewhere(
        52,
        "bulk export: fewer or more lines than the manifest counts",
        "the type is incomplete: `not-fetched`",
        "that it could not be read",
        "an export is not whole",
        ("cohort/test_export.py::test_a_count_that_does_not_match_makes_the_type_incomplete",),
    ),
    Elsewhere(
        43,
        "a rule file is broken, deleted or half written",
        "goes on with the last good rules, in every worker, and in one that is started meanwhile; `/readyz` says so",
        "the card, by the last good rules",
        "rules not taken, the last good ones serve; every complaint",
        (
            "unit/test_held_rules.py::test_worse_ones_are_not_taken_and_told_once",
            "unit/test_held_rules.py::test_no_half_written_file_is_taken",
            "unit/test_held_rules.py::test_what_changes_while_it_is_read_waits",
            "servers/test_rules_reload.py::test_every_worker_follows_and_none_falls",
        ),
    ),
    Elsewhere(
        44,
        "the rules are replaced amid a request",
        "ends the request by the rules it began with",
        "the card, by those",
        "rules taken",
        (
            "unit/test_held_rules.py::test_a_request_ends_by_the_rules_it_began_with",
            "unit/test_held_rules.py::test_discovery_is_of_one_set_of_rules",
        ),
    ),
    Elsewhere(
        47,
        "the disk is full, verified mode",
        "503, since a token that is not remembered could be used again; `/readyz` 503; recovers by itself",
        CALL,
        "the store failed",
        ("servers/test_disk_full.py::test_verified_mode_takes_no_token_that_it_cannot_remember",),
    ),
    Elsewhere(
        47,
        "the disk is full, open mode",
        "sends the card, without asking for feedback; `/readyz` 503; recovers by itself",
        "the card",
        "cards could not be remembered",
        ("servers/test_disk_full.py::test_open_mode_sends_the_card_without_asking_for_feedback",),
    ),
    Elsewhere(
        49,
        "SIGKILL while a clinic is judged, or a bulk file fetched",
        "the same command goes on; the run's files are the same bytes as if nothing had happened",
        "nothing: no chart is open",
        "",
        (
            "cohort/test_kills.py::test_killed_at_random_points_it_ends_with_the_same_bytes",
            "cohort/test_jobs.py::test_stopped_at_every_step_it_goes_on_with_the_same_bytes",
            "cohort/test_export.py::test_after_a_kill_the_same_export_goes_on_and_whole_files_are_kept",
        ),
    ),
    Elsewhere(
        49,
        "SIGKILL during a worklist write",
        "what was acknowledged is there, once, and the audit's chain holds; what was not, is there whole or not at all",
        "the worklist as it was acknowledged",
        "",
        ("store/test_store_kills.py::test_what_was_acknowledged_is_there_once_after_a_kill",),
    ),
    Elsewhere(
        50,
        "SIGTERM under load",
        "answers every call that it has begun, exits with 0",
        "the card; a call after it finds no server",
        "",
        ("servers/test_drain.py::test_told_to_stop_under_load_it_answers_what_it_has_begun",),
    ),
    Elsewhere(
        51,
        "a worker dies",
        "starts another; calls in flight on the dead one are lost (502 by the proxy), no others",
        "the card; nothing for a call that was lost",
        "gunicorn: the worker was killed",
        (
            "servers/test_drain.py::test_a_worker_that_dies_takes_only_its_own_calls",
            "servers/test_slow_clients.py::test_a_service_that_is_down_is_told_so",
        ),
    ),
    Elsewhere(
        53,
        "eighty clients that drip headers or a body",
        "does not notice: nginx (deploy/nginx.conf) hands a request on when the whole of it has come",
        "the card",
        "",
        ("servers/test_slow_clients.py::test_slow_clients_hold_nobody_up",),
    ),
    Elsewhere(
        54,
        "the audit store cannot be written",
        "503: no page of a patient is shown, nothing is changed, no file leaves; recovers by itself",
        "on the worklist's pages: that looks at patients cannot be noted; cards come as ever",
        "the store failed",
        ("worklist/test_worklist_faults.py::test_nothing_is_shown_or_changed_while_the_audit_cannot_be_written",),
    ),
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
