"""A verdict on the age lasts to the day before the birthday that turns it; a fail is looked at again on that day."""

from datetime import date

import pytest
from attested_patients import judged, record_of


@pytest.mark.parametrize(
    ("birth", "status", "until", "look_again"),
    [
        ("1955-03-07", "candidate", "2026-03-06", None),  # 71 on 7 March
        ("1955-03-02", "candidate", "2026-03-01", None),  # tomorrow
        ("1956-02-29", "candidate", "2027-02-28", None),  # the birthday is 1 March where there is no 29 February
        ("2008-03-08", "not-now", None, "2026-03-08"),
        ("2009-03-08", "not-now", None, None),  # 17 next: no day can be told
        ("1990-03-05", "candidate", None, None),  # the next birthday turns nothing
        ("1955-03", "needs-data", None, None),
        ("1955-09", "candidate", "2026-08-31", None),  # 70 on every day until September
    ],
)
def test_the_birthday_that_turns_the_verdict(birth, status, until, look_again):
    outcome = judged(record_of(birth=birth))
    age = next(one for one in outcome.criteria if one.criterion.id == "age")
    labs = date(2026, 3, 12)
    assert outcome.status == status
    assert age.until == (date.fromisoformat(until) if until else None)
    assert outcome.until == (min(labs, age.until) if age.until else labs)
    assert outcome.look_again == (date.fromisoformat(look_again) if look_again else None)
