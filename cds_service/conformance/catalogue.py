"""Every check there is: its id, the requirements it looks at, how binding it is, and what has to be seen.

A check may bind less than its requirement: where the specification gives the duty to the client, a service that does
not refuse a wrong call breaks no SHALL, and the check is an S.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cds_service.conformance.requirements import Level


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        id: a letter for the subject and a number.
        rows: of the requirements.
        level: how binding it is.
        title: what has to be seen.
    """

    id: str
    rows: tuple[int, ...]
    level: Level
    title: str


_TABLE: Final = """
D01 6,7 M GET /cds-services answers 200
D02 1,5 M discovery is strict JSON, sent as JSON
D03 8 M discovery is an object with an array `services`
D04 9 M each entry has the strings hook, description and id
D05 10 S each entry has a title
D06 11 M prefetch is an object of strings, usageRequirements a string
D07 3 M no null or empty values in discovery
D08 14 M no two entries have the same id and hook
D09 14 O no id serves two hooks (some clients keep only the last)
D10 12 S version is a semantic version
D11 13 M hookVersion is a published version of the hook
D12 16 M each template is a relative read or search
D13 17,19 M each token is a path to a context field or a user token
D14 18 M each token is one that the hook marks for prefetch
D15 20 M a template stands after the one it depends on
D16 21 S templates keep to the restricted query subset
D17 21 O a template gives each search parameter once (some clients join values with a comma)
D18 2 M the service is reached by https, unless on this machine
C01 29,34 M a call with full prefetch answers 200
C02 1,5 M each success is strict JSON, sent as JSON
C03 36 M each success has an array cards; systemActions, if given, is an array
C04 37 S a chart with nothing in it answers 200 and an array cards
C05 57 M extension objects in the call are taken (Epic sends them)
C06 30 M fields nobody defined are ignored
C07 30 M each kind of user of the hook is taken
C08 33 S the same call twice gets the same status
C09 39,41 M scopes of SMART 1 and of SMART 2 are taken
C10 30 S draft orders in a Bundle without type are taken (the Sandbox sends them)
C11 1 M Content-Type with a charset is taken
C12 28 S the median answer takes no more than 500 ms
P01 26,32 M no prefetch, no FHIR server: 412, or 200 if nothing is needed
P02 26 M an empty prefetch: 412, or 200 if nothing is needed
P03 26 S no data at all is not answered with silence
P04 22,23 M null under every key: 200 or 412
P05 22,23 M an OperationOutcome under every key: 200 or 412
P06 22 S OperationOutcomes alone are not answered with silence
P07 22,23 M an OperationOutcome under one key, each in turn: 200 or 412
P08 24 M Bundles with a next link that nobody can follow: 200 or 412
P09 25,32 M one key alone, each in turn: 200 or 412
P10 25 M all the data under keys of the client's own: 200 or 412
P11 76 S the Patient of another id: refused
P12 34 S a prefetch value that is text: refused with 4xx
P13 22,23 M null and OperationOutcomes in turns: 200 or 412
A01 25,27 M no prefetch, but a FHIR server: it is asked, and the answer is 200 or 412
A02 38 M every FHIR call carries the given token
A03 25,27 S with one key missing only that one is fetched
A04 23 S what came as an OperationOutcome is not asked again
A05 40,75 M a next link to another host gets no token
A06 40,75 M a redirect to another host gets no token
A07 26 M a FHIR server that refuses (401): 412, or 200 with a card
A08 26 M a FHIR server that fails (500, no JSON): 412, or 200 with a card
A09 26 M a FHIR server that is not there: 412, or 200 with a card
A10 31 S a token without fhirServer: refused
A11 76 S a patientId that is a path never reaches the FHIR server as one
A12 40,75 M no answer shows the access token
A13 75 S a token for another patient: refused
B01 34 S GET at a service's address: 4xx
B02 34 S a service that does not exist: 404
B03 1 S no JSON: 4xx
B04 1 S JSON that is no object: 4xx
B05 1 S NaN: 4xx
B06 1 S 5,000 nested arrays: 4xx
B07 1 S bytes that are no UTF-8: 4xx
B08 1 O the same key twice: 4xx
B09 30 S no hook: 4xx
B10 30 S another hook: 4xx
B11 30 S no hookInstance: 4xx
B12 30 S hookInstance is no UUID: 4xx
B13 30 S no context: 4xx
B14 30 S a required context field is missing, each in turn: 4xx
B15 30 S a context field of the wrong type, each in turn: 4xx
B16 1 S text/plain: 4xx
B17 30 S prefetch is no object: 4xx
B18 34 S a refused call leaves the service in order: the next one answers as before
T01 35 S every error carries an OperationOutcome
T02 75,76 S no error repeats what was sent
T03 76 S no error shows a stack trace
K01 42 M summary: one line, 1 to 139 characters
K02 43 M indicator: info, warning or critical
K03 44 M source has a label; its url and icon are absolute
K04 45 M source.topic has code and system
K05 46 M uuid is a string, each once in an answer
K06 47 M detail is a string
K07 47,76 S nothing from the chart stands in a card as HTML
K08 48 M suggestions come with selectionBehavior: at-most-one or any
K09 49 M suggestions: label, uuid, isRecommended
K10 50 M no actionSelectionBehavior
K11 51 M actions: type, description, and what the type needs
K12 4,51 M FHIR resources in actions are FHIR JSON: resourceType, no empty values, ids as FHIR has them
K13 52,53 M override reasons: code, system, display
K14 54 M links: label, absolute url, type; appContext only when smart
K15 55 M autolaunchable is a boolean
K16 56 M systemActions are actions
K17 57 M extension is an object
K18 3 M no null or empty values in an answer
E01 - S Epic: selectionBehavior is any
E02 - S Epic: one action for a suggestion
E03 - S Epic: the topic is 1 to 100 letters and digits, the same in every call
E04 - S Oracle Health: no suggestions
F01 59,60,61 M accepted, with the suggestion: 2xx
F02 60,62 M overridden, with a coded reason: 2xx
F03 62 M a reason without display, with milliseconds (the Sandbox sends it): 2xx
F04 62 M a comment alone: 2xx
F05 60 M overridden without a reason: 2xx
F06 63 M several items in a call: 2xx
F07 63 M the same feedback twice: 2xx
F08 60 S no array feedback: 4xx
F09 60 S an outcome nobody defined: 4xx
F10 61 S accepted without suggestions: 4xx
F11 60 S no card: 4xx
F12 60 S an outcomeTimestamp that is no time: 4xx
F13 1 S no JSON: 4xx
X01 74 M a preflight is answered 2xx, without a token
X02 74 M a preflight names the origin, and authorization and content-type
X03 74 M answers name the origin
X04 74 M errors name the origin
X05 74 M no credentials for an origin nobody listed
J01 65,66 S a call without token: 401 or 403, discovery too
J02 71 M alg none: 401 or 403
J03 71 M a symmetric alg, keyed with the public key: 401 or 403
J04 69,72 S aud of another endpoint: 401 or 403
J05 69 M aud in an array is taken
J06 68,72 S an expired token: 401 or 403
J07 70,72 S an issuer nobody listed: 401 or 403
J08 72 S a broken signature: 401 or 403
J09 72 S the same token twice: 401 or 403
J10 67,68 S a token without one of iss, aud, exp, iat, jti, kid: 401 or 403
J11 70 S a jku nobody listed is not fetched: 401 or 403
J12 72 S refusals look alike, whatever the reason
"""


def _read(line: str) -> Check:
    name, rows, level, title = line.split(" ", 3)
    return Check(name, tuple(int(row) for row in rows.split(",") if row != "-"), Level(level), title)


CATALOGUE: Final = {one.id: one for one in map(_read, _TABLE.strip().splitlines())}
