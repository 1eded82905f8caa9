"""What is said of a metastasis whose disease a person must name: beside another cancer, or of one by its own words."""

from __future__ import annotations

from typing import Any

import pytest
from attested_patients import DAY, GOOD, judged, library

from cds_service.gather.bundle import read_bundle
from cds_service.screening.shorthand import to_bundle

NPC = {"id": "npc", "code": "C11.9", "onset": -24}
BREAST = {"code": "C50.9", "onset": -400}
BONE = {"code": "C79.5", "onset": -20}
BESIDE, OWN_WORDS = "beside another active cancer", "own words name another cancer as its origin"


@pytest.mark.parametrize(
    ("problems", "text", "said", "in_chinese"),
    [
        ([NPC, BREAST, BONE], "bone metastases", BESIDE, "同时存在其他活动性恶性肿瘤"),
        ([NPC, BONE], "乳腺癌骨转移", OWN_WORDS, "指向另一恶性肿瘤来源"),
    ],
)
def test_why_a_person_must_say_whose_it_is(
    problems: list[dict[str, Any]], text: str, said: str, in_chinese: str
) -> None:
    bundle = to_bundle({**GOOD, "problems": problems, "staging": []}, library(), DAY)
    for entry in bundle["entry"]:
        code = entry["resource"].get("code", {})
        if any(coding.get("code") == "C79.5" for coding in code.get("coding", ())):
            code["text"] = text
    outcome = judged(read_bundle(bundle))
    for name in ("metastasis", "stage"):
        assert said in outcome.of(name).message
        assert in_chinese in outcome.of(name).message_zh
