"""The demo, as people run it: three charts, three kinds of answer."""

import os

from click.testing import CliRunner

from cds_service.cli import main


def test_the_demo_shows_the_three_kinds_of_answer(fhir_server):
    result = CliRunner().invoke(main, ["demo", "--once"], env={**os.environ, "COLUMNS": "140"})
    assert result.exit_code == 0, result.output
    for part in (
        "May be a candidate for NCT07235319",
        "total bilirubin decides",
        "Draft an order: total bilirubin",
        "No card",
    ):
        assert part in result.output
