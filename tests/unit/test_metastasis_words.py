"""What is said of a metastasis whose disease a person must name: beside another cancer, or of one by its own words."""

from __future__ import annotations

from typing import Any

import pytest
from attested_patients import judged, record_of

BREAST = {"code": "C50.9", "onset": -400}
NPC = {"id": "npc", "code": "C11.9", "onset": -24}


@pytest.mark.parametrize(
    ("problems", "said", "not_said"),
    [
        ([NPC, BREAST, {"code": "C79.5", "onset": -20}], "beside another active cancer", "own words"),
        ([NPC, {"code": "C79.5", "onset": -20, "text": "乳腺癌骨转移"}], "own words name another cancer", "beside"),
    ],
)
def test_why_a_person_must_say_whose_it_is(problems: list[dict[str, Any]], said: str, not_said: str) -> None:
    outcome = judged(record_of(problems=problems, staging=[]))
    for name in ("metastasis", "stage"):
        message = outcome.of(name).message
        assert said in message
        assert not_said not in message
    assert "另一恶性肿瘤来源" in outcome.of("metastasis").message_zh or not_said == "own words"
