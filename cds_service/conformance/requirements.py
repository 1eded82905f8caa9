"""The 76 requirements on a CDS Hooks service, numbered; ``docs/conformance.md`` says what proves each.

Source: CDS Hooks 2.0.1 (https://cds-hooks.hl7.org/2.0/) and the 3.0 ballot; M is SHALL or MUST, S is SHOULD, O is MAY.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "M"
    SHOULD = "S"
    MAY = "O"


class Duty(StrEnum):
    """Who has to keep it."""

    SERVICE = "service"
    CLIENT = "client"


@dataclass(frozen=True)
class Requirement:
    """One row.

    Args:
        row: its number.
        level: how binding it is; a row that binds only when a field is given counts as binding.
        duty: whose it is.
        text: what has to hold, in a line.
    """

    row: int
    level: Level
    duty: Duty
    text: str


_TABLE: Final = """
1 M service All data is JSON (RFC 8259), both ways
2 M service HTTPS for every exchange in production
3 M service No null, "", [] or {} values but where stated; optional fields without a value are left out
4 M service FHIR inside an answer is standard FHIR JSON
5 S service No comments or trailing commas in JSON
6 M service Discovery is at GET {base}/cds-services
7 M service Discovery answers 200
8 M service Discovery is an object with an array `services`
9 M service Each entry has `hook`, `description` and `id`
10 S service Each entry has a `title`
11 O service `prefetch` is an object of strings, `usageRequirements` a string
12 S service `version`: the version of CDS Hooks that the service implements
13 M service `hookVersion`, if given, is a published version of the hook
14 O service The pair of `id` and `hook` is the key of an entry
15 S service Documentation for people says what is supported
16 M service A prefetch template is a FHIR read or search, a relative URL, under a key
17 M service Prefetch tokens hold a path to a context field, or one of the user tokens
18 M service Tokens are root-level context fields that the hook marks as prefetch tokens
19 O service Tokens may use the simpler FHIRPath (3.0)
20 M service A template that depends on another stands after it; no cycles (3.0)
21 S service Templates keep to the restricted query subset
22 S service Every prefetch value is checked for an OperationOutcome
23 S service Key absent, null, empty Bundle and OperationOutcome are told apart; what failed is not asked again
24 O client Prefetch may come in pages
25 M service What came is compared with the templates, and what is missing is fetched
26 M service Required data cannot be had: 412
27 S service Prefetch or the FHIR server: either is enough
28 S service An answer takes in the order of 500 ms
29 M service POST {base}/cds-services/{id} is taken
30 M client A call has `hook`, `hookInstance` (a UUID) and `context` with the fields of its hook
31 M client `fhirServer` is given with `fhirAuthorization`
32 O client `prefetch` is optional
33 S client `hookInstance` is unique to the call
34 M service 200 is success, 412 data that cannot be had; other errors are 4xx or 5xx
35 S service An error carries an OperationOutcome
36 M service A success is an object with an array `cards` and, perhaps, an array `systemActions`
37 S service Nothing to say: 200 with `cards: []`
38 M service The given bearer token is presented on every FHIR call
39 M client `fhirAuthorization` has access_token, token_type, expires_in, scope and subject
40 M service The access token is transient: not stored, shared or logged
41 M service Scopes of SMART 1 and of SMART 2 are both understood
42 M service `summary`: one sentence, fewer than 140 characters
43 M service `indicator`: info, warning or critical
44 M service `source` has a `label`; its `url` and `icon` are absolute
45 M service `source.topic`, if given, is a Coding with code and system
46 O service `uuid`: needed to get feedback
47 M service `detail`, if given, is GitHub Flavored Markdown
48 M service With `suggestions` there is a `selectionBehavior`: at-most-one or any
49 M service A suggestion has a `label`; more than one `isRecommended` only with any
50 M service `actionSelectionBehavior` only for a client known to support it
51 M service An action has `type`, `description`, and the resource or id that its type needs
52 M service Each of `overrideReasons` has code, system and display
53 O service Override reasons from HL7's code system
54 M service A link has `label`, `url`, `type`; `appContext` only when it is smart
55 O service `autolaunchable` is a boolean
56 M service `systemActions` are actions, beside `cards`, where agreed
57 M service `extension` is an object
58 S service Cards are transient: nothing relies on their being kept
59 O service POST {base}/cds-services/{id}/feedback
60 M service Feedback: an array `feedback` of card, outcome and outcomeTimestamp
61 M service Feedback: accepted names the accepted suggestions
62 M service Feedback: an override reason is a coding, a comment, or both
63 M service Feedback: several items for a call, several calls for a card
64 M service Feedback: silence means nothing but silence
65 S service Authentication is asked where a call could expose sensitive data
66 M client Each call carries a JWT as bearer token
67 M client The JWT's header has alg, kid and typ
68 M client The JWT has iss, aud, exp, iat and jti
69 M client The JWT's aud is the URL of the endpoint called, as a string or in an array
70 S service `iss` and `jku` come from an allow-list; no other `jku` is ever fetched
71 M service No algorithm `none`, no symmetric one; only chosen ones
72 S service iss, aud, exp, tenant, signature and jti are checked; 401 gives no reason; no JWT is logged
73 O service Mutual TLS
74 M service CORS for clients in a browser
75 M service Patient data and tokens are protected
76 S service Authorization, audit; no outdated data, no dangerous suggestion or link
"""


def _read(line: str) -> Requirement:
    row, level, duty, text = line.split(" ", 3)
    return Requirement(int(row), Level(level), Duty(duty), text)


REQUIREMENTS: Final = {one.row: one for one in map(_read, _TABLE.strip().splitlines())}
