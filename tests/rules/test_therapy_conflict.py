"""Orders against patients, with the real rules: who is warned, who is told, and who is left in peace."""

import copy
import dataclasses
import json
import os
import string
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given
from hypothesis import strategies as st

from cds_service.bootstrap import build, load_rules
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.facts.codes import ATC, SNOMED
from cds_service.gather.bundle import read_bundle
from cds_service.gather.draft_orders import read_drafts, taken_as_given
from cds_service.gather.json_text import read_json
from cds_service.present.conflict import order_cards
from cds_service.present.json_text import to_json
from cds_service.screening.conflict import judge_orders
from cds_service.settings import load_settings
from cds_service.web import create_app

EXAMPLES = Path(__file__).resolve().parents[2] / "fhir_examples"
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
AS_OF = date(2026, 3, 1)
TRIAL = "NCT07235319"
SEED = UUID(int=1)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"

# --- orders; their codes are those of rules/valuesets ---------------------------------------------------------


def concept(system, code, display=""):
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def drug(code, name, system=ATC, **rest):
    return {"resourceType": "MedicationRequest", "medicationCodeableConcept": concept(system, code, name), **rest}


def procedure(code, name, site=None, **rest):
    where = {"bodySite": [concept(SNOMED, *site)]} if site else {}
    return {"resourceType": "ServiceRequest", "code": concept(SNOMED, code, name), **where, **rest}


NASOPHARYNX, NECK = ("71836000", "Nasopharyngeal structure"), ("45048000", "Neck structure")
BRAIN = ("12738006", "Brain structure")
BREAST = {"reasonCode": [concept(ICD10, "C50.9")]}
THIS = {"reasonCode": [concept(ICD10, "C11.9")]}
IMRT = ("441799006", "Intensity modulated radiation therapy")
GEMCITABINE, CISPLATIN = drug("L01BC05", "gemcitabine"), drug("L01XA01", "cisplatin")
TORIPALIMAB, CETUXIMAB = drug("L01FF13", "toripalimab"), drug("L01FE01", "cetuximab")
RADIOTHERAPY = procedure(*IMRT, NASOPHARYNX)
STATIN = drug("C10AA05", "atorvastatin")
CONTAINED = {
    "resourceType": "MedicationRequest",
    "contained": [{"resourceType": "Medication", "id": "m", "code": concept(ATC, "L01FE01", "cetuximab")}],
    "medicationReference": {"reference": "#m"},
}

WARNS = {
    "radiotherapy to the nasopharynx": [RADIOTHERAPY],
    "radiotherapy to the neck": [procedure(*IMRT, NECK)],
    "a course by the mCODE code": [procedure("1217123003", "Radiotherapy course of treatment", NASOPHARYNX)],
    "brachytherapy whose code names the site": [procedure("448168006", "Intracavitary brachytherapy of nasopharynx")],
    "by the older resource": [{**RADIOTHERAPY, "resourceType": "ProcedureRequest"}],
    "as R5 writes it": [{**RADIOTHERAPY, "code": {"concept": RADIOTHERAPY["code"]}}],
    "resection": [procedure("713188009", "Endoscopic nasopharyngectomy")],
    "neck dissection": [procedure("178283002", "Neck dissection")],
    "cetuximab": [CETUXIMAB],
    "cetuximab by RxNorm": [drug("318341", "cetuximab", RXNORM)],
    "cetuximab, contained": [CONTAINED],
    "cetuximab for this disease": [{**CETUXIMAB, **THIS}],
    "cetuximab with an older date": [{**CETUXIMAB, "authoredOn": "2019-01-01"}],
    "bevacizumab": [drug("L01FG01", "bevacizumab")],
    "durvalumab (PD-L1)": [drug("L01FF03", "durvalumab")],
    "gemcitabine with radiotherapy": [GEMCITABINE, RADIOTHERAPY],
    "the whole induction with cetuximab": [GEMCITABINE, CISPLATIN, TORIPALIMAB, CETUXIMAB],
    "a statin with radiotherapy": [STATIN, RADIOTHERAPY],
}
INDUCTION = {
    "gemcitabine": [GEMCITABINE],
    "gemcitabine and cisplatin": [GEMCITABINE, CISPLATIN],
    "toripalimab": [TORIPALIMAB],
    "nivolumab": [drug("L01FF01", "nivolumab")],
    "nivolumab by RxNorm": [drug("1597876", "nivolumab", RXNORM)],
    "chemotherapy with PD-1": [GEMCITABINE, CISPLATIN, TORIPALIMAB],
    "gemcitabine and a statin": [GEMCITABINE, STATIN],
    "gemcitabine and radiotherapy to the brain": [GEMCITABINE, procedure(*IMRT, BRAIN)],
}
SILENT = {
    "a statin": [STATIN],
    "a blood count": [{"resourceType": "ServiceRequest", "code": concept("http://loinc.org", "58410-2")}],
    "a biopsy": [procedure("387836008", "Biopsy of nasopharynx")],
    "radiotherapy to the brain": [procedure(*IMRT, BRAIN)],
    "radiotherapy to no stated site": [procedure(*IMRT)],
    "chemotherapy as a procedure": [procedure("367336001", "Chemotherapy")],
    "a drug class, too general to tell": [drug("L01", "antineoplastic agents")],
    "a PD-(L)1 class, too general to tell": [drug("L01FF", "PD-1/PD-L1 inhibitors")],
    "cetuximab for another cancer": [{**CETUXIMAB, **BREAST}],
    "gemcitabine for another cancer": [{**GEMCITABINE, **BREAST}],
    "radiotherapy of another cancer": [{**RADIOTHERAPY, **BREAST}],
    "cetuximab in words": [{"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "cetuximab"}}],
    "radiotherapy in words": [{"resourceType": "ServiceRequest", "code": {"text": "radiotherapy to the nasopharynx"}}],
    "no drug yet": [{"resourceType": "MedicationRequest"}],
    "another patient's": [{**RADIOTHERAPY, "subject": {"reference": "Patient/somebody-else"}}],
    "nobody's": [{**RADIOTHERAPY, "subject": {}}],
    "cancelled": [{**CETUXIMAB, "status": "cancelled"}],
    "not to be done": [{**RADIOTHERAPY, "doNotPerform": True}],
    "a diet": [{"resourceType": "NutritionOrder"}],
    "nothing": [],
}

# --- patients -------------------------------------------------------------------------------------------------

POSSIBLE = {
    "candidate": "screening",
    "liver-metastasis-ast-4x": "screening",
    "stale-bilirubin": "screening",
    "stage-iva-no-edition": "screening",
    "sex-unknown": "screening",
    "after-5-cycles-pr": "randomisation",
    "sintilimab-by-name": "randomisation",
}
IMPOSSIBLE = (
    "neck-nodes-only",
    "empty-problem-list",
    "healthy-person",
    "stage-iva-8th",
    "keratinizing",
    "prior-radiotherapy",
    "deceased",
    "in-induction",
)


@pytest.fixture(scope="module")
def rules():
    return load_rules()


@pytest.fixture(scope="module")
def services(rules):
    return build(load_settings(mode="open"), clock=lambda: AS_OF, rules=rules)


def bundle_of(story):
    return read_json((EXAMPLES / "patients" / story / "bundle.json").read_bytes(), max_bytes=2**24)


def written(story, orders):
    """Return the orders as the chart's: status, subject and id are those of a fresh draft unless stated."""
    return [
        {"id": f"draft-{at}", "status": "draft", "intent": "order", "subject": {"reference": f"Patient/{story}"}, **one}
        for at, one in enumerate(orders)
    ]


def ask(services, story, orders, hook="order-sign", selections=None, language="", **changes):
    drafts = written(story, orders)
    chosen = [f"{one['resourceType']}/{one['id']}" for one in drafts] if selections is None else selections
    context = {
        "userId": "Practitioner/example",
        "patientId": story,
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": one} for one in drafts]},
        **({"selections": chosen} if hook == "order-select" else {}),
    }
    body = {
        "hook": hook,
        "hookInstance": str(SEED),
        "context": context,
        "prefetch": {**prefetch_of(bundle_of(story), services.rules.plan.templates), **changes},
    }
    client = create_app(services).test_client()
    path = f"/cds-services/npc-trials-{hook}"
    headers = {"Accept-Language": language} if language else {}
    response = client.post(path, data=to_json(body), content_type="application/json", headers=headers)
    assert response.status_code == 200, response.get_json()
    return response.get_json()["cards"]


# --- the table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("name", WARNS)
def test_an_order_that_closes_the_trial(services, name, hook):
    (card,) = ask(services, "candidate", WARNS[name], hook)
    assert card["indicator"] == "warning"
    assert len(card["summary"]) < 140
    assert card["summary"].startswith(("This order would close", "These orders would close"))
    assert f"close {TRIAL} for a possible candidate: " in card["summary"]
    for said in ("No prior anti-tumour treatment", "criteria not encoded", "already in the trial", "15 of 17"):
        assert said in card["detail"]
    for harmless in ("atorvastatin", "gemcitabine", "toripalimab"):
        assert harmless not in card["summary"] + card["detail"]
    page, registry = card["links"]
    assert (page["label"], page["type"]) == ("Eligibility detail", "absolute")
    assert registry == {
        "label": "Registry record", "url": f"https://clinicaltrials.gov/study/{TRIAL}", "type": "absolute"
    }  # fmt: skip
    assert "suggestions" not in card


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("name", INDUCTION)
def test_the_trials_own_induction(services, name, hook):
    (card,) = ask(services, "candidate", INDUCTION[name], hook)
    assert card["indicator"] == "info"
    assert card["summary"].startswith(f"If {TRIAL} is wanted, tell its team before cycle 1")
    for other in ("atorvastatin", "Intensity"):
        assert other not in card["detail"]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("name", SILENT)
def test_an_order_that_does_not_matter(services, name, hook):
    assert ask(services, "candidate", SILENT[name], hook) == []


@pytest.mark.parametrize("story", POSSIBLE)
def test_whoever_may_be_a_candidate_is_spoken_of(services, story):
    (warning,) = ask(services, story, [RADIOTHERAPY])
    assert warning["indicator"] == "warning"
    assert ask(services, story, [STATIN]) == []
    told = ask(services, story, [GEMCITABINE])
    assert [card["indicator"] for card in told] == (["info"] if POSSIBLE[story] == "screening" else [])


@pytest.mark.parametrize("story", IMPOSSIBLE)
@pytest.mark.parametrize("order", [RADIOTHERAPY, CETUXIMAB, GEMCITABINE], ids=["imrt", "cetuximab", "gemcitabine"])
def test_nobody_else_is(services, story, order):
    assert ask(services, story, [order]) == []


def test_what_is_missing_is_told(services):
    (card,) = ask(services, "stale-bilirubin", [CETUXIMAB])
    assert "needs data" in card["detail"]
    assert "**Total bilirubin**: too old" in card["detail"]


def test_only_selected_orders_count_when_one_is_selected(services):
    orders = [RADIOTHERAPY, STATIN]
    assert (
        ask(services, "candidate", orders, "order-select", ["ServiceRequest/draft-1", "ServiceRequest/draft-9"]) == []
    )
    assert ask(services, "candidate", orders, "order-select", ["ServiceRequest/draft-0"])[0]["indicator"] == "warning"
    assert ask(services, "candidate", orders, "order-select", []) == []


def test_each_order_that_closes_it_is_named_and_no_other(services):
    (card,) = ask(services, "candidate", [STATIN, CETUXIMAB, GEMCITABINE, drug("L01FG01", "bevacizumab")])
    assert card["summary"].endswith("cetuximab and bevacizumab before induction")
    assert "- cetuximab\n- bevacizumab\n\n" in card["detail"]


def test_five_hundred_orders(services):
    statins = [drug(f"C10AA{at:03}", f"statin {at}") for at in range(499)]
    (card,) = ask(services, "candidate", [*statins, RADIOTHERAPY])
    assert "statin" not in card["summary"] + card["detail"]
    sites = [{**RADIOTHERAPY, "note": [{"text": str(at)}], "extension": [{"url": str(at)}]} for at in range(500)]
    (card,) = ask(services, "candidate", sites)
    assert "- and 492 more" in card["detail"]
    (card,) = ask(services, "candidate", [RADIOTHERAPY] * 500)
    assert card["summary"].startswith("This order")


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "[x](http://evil.invalid)",
        "\u202edesrever\n\n# big",
        "|" * 300,
        "\u200b",
        "x" * 5000,
    ],
)
def test_hostile_names(services, name):
    hostile = drug("L01FE01", name)
    (card,) = ask(services, "candidate", [hostile])
    assert len(card["summary"]) < 140
    for raw in ("\n", "\u202e", "\u200b"):
        assert raw not in card["summary"]
    for raw in ("<img", "](http", "\u202e", "\u200b", "\n# big", "||"):
        assert raw not in card["detail"]
    assert "In this order**\n\n- " in card["detail"]
    assert len(card["detail"]) < 4000


def test_an_order_beside_an_unread_problem_list(services):
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    (card,) = ask(services, "candidate", [RADIOTHERAPY], conditions=failed)
    assert card["summary"].startswith(f"{TRIAL} was not checked: the problem list could not be read")
    assert card["indicator"] == "info"
    for harmless in ([STATIN], [drug("B01AA03", "warfarin")], [GEMCITABINE], []):
        assert ask(services, "candidate", harmless, conditions=failed) == []


def test_a_seventh_cycle_is_still_the_trials_own_treatment(services):
    """It would make "4 to 6 cycles" fail for good; the contract calls no order of the induction a conflict."""
    story = "after-5-cycles-pr"
    sixth = {
        "resourceType": "MedicationAdministration",
        "id": "sixth",
        "status": "completed",
        "subject": {"reference": f"Patient/{story}"},
        "medicationCodeableConcept": concept(ATC, "L01BC05", "gemcitabine"),
        "effectiveDateTime": "2026-02-10",
    }
    prefetch = prefetch_of(bundle_of(story), services.rules.plan.templates)["medicationAdministrations"]
    given_too = {**prefetch, "total": prefetch["total"] + 1, "entry": [*prefetch["entry"], {"resource": sixth}]}
    assert ask(services, story, [GEMCITABINE], medicationAdministrations=given_too) == []
    (card,) = ask(services, story, [GEMCITABINE, CETUXIMAB], medicationAdministrations=given_too)
    assert "gemcitabine" not in card["summary"]
    assert "- CR or PR after 4-6 cycles" not in card["detail"]


def test_unread_treatments_do_not_hide_a_conflict(services):
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
    (card,) = ask(services, "candidate", [RADIOTHERAPY], procedures=failed)
    assert card["indicator"] == "warning"
    assert "Could not be read: procedures" in card["detail"]


# --- the judgement itself -------------------------------------------------------------------------------------


def judged(rules, story, orders):
    record = read_bundle(bundle_of(story))
    bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in written(story, orders)]}
    return record, judge_orders(rules, record, taken_as_given(read_drafts(bundle, story), AS_OF), as_of=AS_OF)


@pytest.fixture(scope="module")
def only(rules):
    """The first trial alone, judged: its siblings are not signed off."""
    trials = {TRIAL: rules.library.trials[TRIAL]}
    return dataclasses.replace(rules, library=dataclasses.replace(rules.library, trials=trials))


def test_two_trials_make_one_card_and_a_silent_one_is_left_out(rules):
    trial = rules.library.trials[TRIAL]
    second = dataclasses.replace(trial, id="NCT00000002")
    library = dataclasses.replace(rules.library, trials={TRIAL: trial, second.id: second})
    both = dataclasses.replace(rules, library=library)
    for orders, line in (([RADIOTHERAPY], "- It would also close"), ([GEMCITABINE], "- Also")):
        _, found = judged(both, "candidate", orders)
        (card,) = order_cards(found, seed=SEED)
        assert card["source"]["topic"]["code"] == "NCT00000002"
        assert f"{line} {TRIAL}" in card["detail"]
        (card,) = order_cards(found, seed=SEED, silent=frozenset({"NCT00000002"}))
        assert card["source"]["topic"]["code"] == TRIAL
        assert "NCT00000002" not in to_json(card)
        assert order_cards(found, seed=SEED, silent=frozenset({TRIAL, "NCT00000002"})) == []


def test_a_trial_that_nobody_signed_off_is_silent(only):
    pending = dataclasses.replace(only.library.trials[TRIAL], review="pending")
    library = dataclasses.replace(only.library, trials={TRIAL: pending})
    _, found = judged(dataclasses.replace(only, library=library), "candidate", [RADIOTHERAPY])
    assert (found.conflicts, found.inductions) == ((), ())


@pytest.mark.parametrize("story", [*POSSIBLE, *IMPOSSIBLE])
@pytest.mark.parametrize("orders", [[RADIOTHERAPY], [GEMCITABINE, TORIPALIMAB, CETUXIMAB], [STATIN]])
def test_the_first_judgement_is_as_if_nothing_were_ordered(only, story, orders):
    sent = copy.deepcopy(orders)
    record, found = judged(only, story, orders)
    assert orders == sent
    assert record == read_bundle(bundle_of(story))
    assert found.patient.to_json() == only.judge(record, only.library, as_of=AS_OF).to_json()


HARMLESS = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["MedicationRequest", "ServiceRequest", "ProcedureRequest"])},
    optional={
        "status": st.sampled_from(["draft", "active", "completed", "", None, 5]),
        "intent": st.sampled_from(["order", "proposal", None]),
        "bodySite": st.sampled_from([[concept(SNOMED, *NASOPHARYNX)], concept(SNOMED, *NECK), "x", None, [[]]]),
        "reasonCode": st.sampled_from([THIS["reasonCode"], BREAST["reasonCode"], "x", None]),
        "reasonReference": st.sampled_from([[{"reference": "Condition/candidate-npc"}], {"reference": 5}, None]),
        "extension": st.sampled_from([[{"url": "x"}], "x", None]),
        "contained": st.sampled_from([[{"resourceType": "Medication", "id": "m"}], "x", None]),
        "medicationReference": st.sampled_from([{"reference": "#m"}, {"reference": "Medication/m"}, "x"]),
        "medication": st.sampled_from([{"concept": {"text": "x"}}, {"reference": {"reference": "#m"}}, []]),
        "subject": st.sampled_from([{"reference": "Patient/candidate"}, {"reference": "Patient/other"}, "x"]),
    },
)
CODINGS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "system": st.sampled_from([ATC, SNOMED, RXNORM, "http://example.org/local", "", 5]),
            # ATC letters but L are no antineoplastics; B01 is anticoagulants.
            "code": st.text("ACDGHJMNPRSV0123456789", min_size=1, max_size=7).map(lambda code: f"Z{code}"),
            "display": st.text(string.printable, max_size=12),
        },
    ),
    max_size=3,
)


@given(order=HARMLESS, codings=CODINGS, also=st.sampled_from([[], [GEMCITABINE], [RADIOTHERAPY]]))
def test_an_order_that_no_reader_knows_never_warns(only, order, codings, also):
    coded = {"coding": codings}
    field = "medicationCodeableConcept" if order["resourceType"] == "MedicationRequest" else "code"
    without = judged(only, "candidate", also)[1]
    with_it = judged(only, "candidate", [*also, {**order, field: coded}])[1]
    assert with_it.patient.to_json() == without.patient.to_json()
    assert [one.orders for one in with_it.conflicts] == [one.orders for one in without.conflicts]
    assert [one.orders for one in with_it.inductions] == [one.orders for one in without.inductions]


# --- whole cards and the examples -----------------------------------------------------------------------------

CARDS = {
    "conflict": ("stale-bilirubin", [RADIOTHERAPY, CETUXIMAB]),
    "induction": ("candidate", INDUCTION["chemotherapy with PD-1"]),
}


def without_pages(card):
    """Leave out the link to the worklist: its address is another each time."""
    return {**card, "links": [one for one in card["links"] if "/worklist/" not in one["url"]]}


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("language", ["", "zh"])
def test_whole_cards(services, name, language):
    cards = [without_pages(card) for card in ask(services, *CARDS[name], language=language)]
    name = f"{name}.{language}" if language else name
    detail = "\n\n".join(f"> {card['summary']}\n\n{card['detail']}" for card in cards) + "\n"
    for path, text in ((f"{name}.card.json", to_json(cards, indent=2) + "\n"), (f"{name}.card.md", detail)):
        steady = text.replace(services.rules.library.trials[TRIAL].digest.rpartition(":")[2][:6], "a41f9c")
        if os.environ.get("UPDATE_GOLDEN"):
            (GOLDEN / path).write_text(steady, encoding="utf-8")
        assert (GOLDEN / path).read_text(encoding="utf-8") == steady


EXPECTED = {
    "order-sign.radiotherapy": "warning",
    "order-select.cetuximab": "warning",
    "order-sign.induction": "info",
    "encounter-start.candidate": "info",
    "appointment-book.candidate": "info",
    "order-sign.statin": "",
    "order-sign.brain-radiotherapy": "",
    "order-select.no-drug-yet": "",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_requests(services, name):
    body = (EXAMPLES / "hooks" / f"{name}.json").read_bytes()
    path = f"/cds-services/npc-trials-{name.partition('.')[0]}"
    response = create_app(services).test_client().post(path, data=body, content_type="application/json")
    assert response.status_code == 200
    assert "".join(card["indicator"] for card in response.get_json()["cards"]) == EXPECTED[name]
    context = json.loads(body)["context"]
    for drafts in (context[field] for field in ("draftOrders", "appointments") if "type" in context.get(field, {})):
        Bundle.model_validate(drafts)


def test_every_example_request_is_tried():
    told = {path.stem for path in (EXAMPLES / "hooks").glob("*.json") if not path.name.startswith("patient-view")}
    assert told == set(EXPECTED)
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}.json`" in readme for name in EXPECTED)


def test_a_warning_put_off_for_one_order_is_heard_for_another(rules):
    services = build(load_settings(mode="open"), clock=lambda: AS_OF, rules=rules)
    (card,) = ask(services, "candidate", [CETUXIMAB], "order-select")
    told = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-03-01T09:30:00Z"}
    path = "/cds-services/npc-trials-order-select/feedback"
    assert create_app(services).test_client().post(path, json={"feedback": [told]}).status_code == 200
    assert ask(services, "candidate", [CETUXIMAB]) == []
    (other,) = ask(services, "candidate", [RADIOTHERAPY])
    assert other["indicator"] == "warning"
    (own,) = ask(services, "candidate", [GEMCITABINE])
    assert own["indicator"] == "info"
