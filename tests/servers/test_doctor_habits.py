"""The doctor says plainly what is wrong with a bad server: each habit shows in its row and in no other."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import responses
from asking_doctor import BASE, KINDS, R4, diagnose, results, rules_loaded_once, run, web

__all__ = ["rules_loaded_once", "web"]  # fixtures


class Server:
    """A small FHIR server of one patient with two results, three diagnoses and habits of its own."""

    def __init__(self, web, **habits):
        self.habits = habits
        self.asked = []
        web.get(f"{BASE}/metadata", json=R4)
        web.get(f"{BASE}/Patient/p1", json={"resourceType": "Patient", "id": "p1", "birthDate": "1970-01-01"})
        web.add_callback(responses.GET, re.compile(rf"{BASE}/[A-Z][A-Za-z]*\?.*"), self.answer)
        if "post" not in habits:
            web.add_callback(responses.POST, re.compile(rf"{BASE}/[A-Z][A-Za-z]*/_search"), self.answer)
        one = {"subject": {"reference": "Patient/p1"}}
        hemoglobin = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
        cancer = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "C11.9"}]}
        self.records = {
            "Condition": [{"resourceType": "Condition", "id": f"c{n}", "code": cancer, **one} for n in range(3)],
            "Observation": [
                {"resourceType": "Observation", "id": f"o{n}", "status": "final", "code": hemoglobin, **one}
                for n in range(2)
            ],
        }

    def answer(self, request):
        kind = urlsplit(request.url).path.split("/")[2]
        raw = request.body if request.method == "POST" else urlsplit(request.url).query
        query = {name: values[0] for name, values in parse_qs(raw).items()}
        self.asked.append(request.url)
        if kind in self.habits.get("refused", ()):
            return 403, {}, "{}"
        found = self.records.get(kind, [])
        bare = not query["patient"].startswith("Patient/")
        if bare is not self.habits.get("bare", bare):
            found = []
        if "code" in query and self.habits.get("code") != "ignored":
            wanted = query["code"].split(",")
            found = [one for one in found if self._coded(one) in wanted]
        if "date" in query and self.habits.get("date") != "ignored":
            found = []
        if request.method == "POST" and "finds" in self.habits:
            found = []
        count, begin = int(query.get("_count", 20)), int(query.get("begin", 0))
        page = [] if begin and "lossy" in self.habits else found[begin : begin + count]
        body = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in page]}
        if self.habits.get("total", True) is not None:
            body["total"] = len(found) + self.habits.get("more", 0)
        if begin + count < len(found) and self.habits.get("links", True):
            query["begin"] = str(begin + count)
            base = self.habits.get("elsewhere", BASE)
            text = "&".join(f"{name}={value}" for name, value in query.items())
            body["link"] = [{"relation": "next", "url": f"{base}/{kind}?{text}"}]
        return 200, {}, json.dumps(body)

    def _coded(self, one):
        coding = one["code"]["coding"][0]
        return coding["code"] if self.habits.get("code") == "bare" else f"{coding['system']}|{coding['code']}"


HABITS = [
    ({}, {}),
    ({"links": False}, {"paging": "look"}),
    ({"links": False, "total": None}, {"paging": "wrong", "total": "look"}),
    ({"elsewhere": "https://inner.invalid:8443/fhir"}, {"paging": "wrong"}),
    ({"total": None}, {"total": "look"}),
    ({"more": -1}, {"total": "look"}),
    ({"code": "ignored"}, {"code filter": "look"}),
    ({"date": "ignored"}, {"date filter": "look"}),
    ({"post": None}, {"_search by POST": "look"}),
    ({"finds": "by GET only"}, {"_search by POST": "look"}),
    ({"lossy": True}, {"paging": "wrong"}),
    ({"lossy": True, "total": None}, {"paging": "wrong", "total": "look"}),
    ({"bare": False}, {}),
]


@pytest.mark.parametrize(("habits", "marked"), HABITS, ids=lambda one: " ".join(one) or "none")
def test_a_habit_shows_in_its_row_and_no_other(web, habits, marked):
    Server(web, **habits)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert {check: result for check, result in results(findings).items() if result != "ok"} == marked
    assert code == ("wrong" in marked.values())
    assert all(findings[check]["todo"] for check in marked)


def test_a_link_elsewhere_is_told_without_its_query(web):
    server = Server(web, elsewhere="https://inner.invalid:8443/fhir")
    findings, _ = diagnose(BASE, "--patient", "p1")
    assert findings["paging"]["told"].endswith("lead elsewhere, to https://inner.invalid:8443")
    assert "aliases" in findings["paging"]["todo"]
    assert all(url.startswith(BASE) for url in server.asked)


def test_an_alias_mends_it(web, monkeypatch):
    Server(web, elsewhere="https://inner.invalid:8443/fhir")
    servers = [{"base_url": BASE, "aliases": ["https://inner.invalid:8443/fhir"]}]
    monkeypatch.setenv("CDS_FHIR_SERVERS", json.dumps(servers))
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["paging"]["result"]) == (0, "ok")


def test_a_server_that_announces_more_than_it_sends(web):
    Server(web, more=1)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert code == 1
    assert findings["total"]["result"] == findings["search Condition"]["result"] == "wrong"


def test_a_server_that_knows_codes_only_without_their_system(web):
    """Every result would look absent, and nothing would tell."""
    server = Server(web, code="bare")
    findings, code = diagnose(BASE, "--patient", "p1")
    assert findings["search Observation"]["count"] == 0
    assert (code, findings["code filter"]["result"]) == (1, "wrong")
    assert server.asked


def test_a_server_that_takes_only_the_bare_id(web):
    Server(web, bare=True)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["patient parameter"]["result"]) == (1, "wrong")


def test_a_type_that_is_refused_is_told_with_what_it_costs(web):
    Server(web, refused=("Observation",))
    done = run(BASE, "--patient", "p1", "--format", "json", "--as-of", "2026-03-01")
    told = json.loads(done.stdout)
    findings = {one["check"]: one for one in told["findings"]}
    assert findings["search Observation"]["told"] == "nothing was read: HTTP 403"
    assert "leave" in findings["search Observation"]["todo"]
    assert findings["chart as for a card"]["told"] == "not complete: Observation"
    missing = {one["criterion"]: one["missing"] for one in told["unknown"] if one["trial"] == "NCT07235319"}
    assert missing["hemoglobin"] == [{"fact": "hemoglobin", "reason": "not-fetched"}]
    assert "for want of access" in findings["unknown for NCT07235319"]["told"]


def test_nothing_can_be_read(web):
    Server(web, refused=KINDS)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert code == 1
    assert "Nothing but the Patient" in findings["chart as for a card"]["told"]


def test_records_of_others_and_codes_of_the_house(web):
    server = Server(web)
    server.records["Condition"][2]["subject"] = {"reference": "Patient/p2"}
    server.records["Observation"][1]["code"] = {"coding": [{"system": "urn:lab:secret", "code": "HB"}]}
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["records set aside"]["told"]) == (1, "1 another patient's")
    assert findings["codes"]["told"] == "nothing maps: 1 Observation.code"
    assert "secret" not in json.dumps(findings)


def test_pages_that_lose_records(web):
    Server(web, lossy=True)
    assert diagnose(BASE, "--patient", "p1")[0]["paging"]["told"].endswith("fewer records than it announced")


def test_a_login_page_with_401_is_a_matter_of_tokens(web):
    web.get(f"{BASE}/metadata", json=R4)
    web.get(f"{BASE}/Patient", status=401, body="<html>", content_type="text/html")
    findings, code = diagnose(BASE)
    assert (code, findings["patient"]["told"]) == (1, "HTTP 401")


def test_metadata_behind_the_login(web):
    Server(web)
    web.replace(responses.GET, f"{BASE}/metadata", status=401)
    findings, code = diagnose(BASE, "--patient", "p1")
    assert (code, findings["reachable"]["result"]) == (0, "look")


def test_types_that_are_not_offered(web):
    Server(web)
    resources = [{"type": kind} for kind in KINDS if kind != "MedicationStatement"]
    web.replace(responses.GET, f"{BASE}/metadata", json={**R4, "rest": [{"resource": resources}]})
    findings, _ = diagnose(BASE, "--patient", "p1")
    assert findings["types offered"]["told"] == "not announced: MedicationStatement"
