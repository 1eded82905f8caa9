"""CSV, XLSX and Parquet of a run: what stands in them, that no cell is a formula, and that they open as they must."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import stat
import sys
import tomllib
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from run_maker import AS_OF, NPC, STORIES, line_of, rules, story_outcomes, write_run

from cds_service.cli import main
from cds_service.errors import ConfigError, RequestError, UnavailableError
from cds_service.present.cohort import words
from cds_service.present.cohort.lists import read_cohort
from cds_service.present.cohort.outputs import FORMATS, write_outputs
from cds_service.present.cohort.private_file import private_file, private_folder
from cds_service.present.cohort.pseudonyms import pseudonyms
from cds_service.present.cohort.run_folder import open_run
from cds_service.present.cohort.table import safe
from cds_service.present.cohort.xlsx_file import write_xlsx
from cds_service.screening.cohort.put_together import COUNTS

RULES = rules()
LIBRARY = RULES.library
LINES = [line_of(one) for one in story_outcomes(RULES)]
GOLDEN = Path(__file__).resolve().parent / "golden"
FORMULA = tuple("=+-@\t\r＝＋－＠")
EVIL = [
    '=HYPERLINK("http://evil.invalid","x")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    "a;=1",
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", LINES, LIBRARY)


def hostile() -> list[dict]:
    """Give patients, values and messages that a spreadsheet would run, and markup that a page would."""
    lines = []
    for number, evil in enumerate([*EVIL, "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp"]):
        line = json.loads(
            json.dumps(LINES[[one["patient"] for one in LINES].index("Patient/stale-bilirubin")], default=str)
        )
        line["patient"] = evil if number % 2 else f"Patient/{number}{evil}"
        (result,) = line["results"]
        for criterion in result["criteria"]:
            criterion["message"] = criterion["message_zh"] = evil
            if criterion["id"] == "hemoglobin":
                criterion["verdict"], result["status"] = "fail", "not-now" if number % 3 else "needs-data"
        result["decisive"][0]["last"] = {"resource": evil, "value": evil, "unit": evil, "date": "2026-02-10"}
        lines.append(line)
    return lines


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_the_csv_of_the_stories(run):
    (path,) = write_outputs(run, LIBRARY, ["csv"])
    golden = GOLDEN / "stories.csv"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(path.read_bytes())
    assert path.read_bytes() == golden.read_bytes()
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = table(path)
    assert [row["Rank"] for row in rows if row["Rank"]] == [str(n) for n in range(1, 19)]
    assert {row["Exclusion criteria"] for row in rows} == {"not encoded"}
    assert "Patient/healthy-person" not in {row["Patient"] for row in rows}, "the trigger fails"
    (unsure,) = (row for row in rows if not row["Rank"])
    assert unsure["Patient"] == "Patient/empty-problem-list"
    stale = next(row for row in rows if row["Patient"] == "Patient/stale-bilirubin")
    assert "12 µmol/L, 19 days ago, would pass" in stale["Missing data that decide"]
    assert stale["Total bilirubin ≤ 1.5 × ULN"] == "unknown"


def test_the_csv_in_chinese(run):
    (path,) = write_outputs(run, LIBRARY, ["csv"], language="zh")
    text = path.read_bytes().decode("utf-8-sig")
    assert text.startswith('"排名","试验","患者"')
    first = table(path)[0]
    assert first["状态"] == "候选者，供审核"
    assert {first[name] for name in list(first)[-8:]} == {"符合"}
    assert first["排除标准"] == "未编码"


def test_files_are_private_whole_and_the_same_again(run):
    files = write_outputs(run, LIBRARY, list(FORMATS))
    assert sorted(path.name for path in files) == sorted(
        [f"{NPC}.csv", f"{NPC}.fhir.json", "prescreen.html", "prescreen.parquet", "prescreen.xlsx"]
    )
    first = {path: path.read_bytes() for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {path: path.read_bytes() for path in write_outputs(run, LIBRARY, list(FORMATS))} == first
    assert sorted(path.name for path in run.iterdir()) == sorted(
        [*(path.name for path in files), "manifest.json", "results.jsonl"]
    )


@pytest.mark.parametrize("evil", EVIL)
def test_no_text_is_a_formula(evil):
    assert not safe(evil).startswith(FORMULA)
    assert all(not part.strip().startswith(FORMULA) for part in safe(evil).split(";"))
    assert safe("ALT 12 U/L; Age 18-70") == "ALT 12 U/L; Age 18-70"


def test_no_cell_of_a_hostile_run_is_a_formula(tmp_path):
    run = write_run(tmp_path / "run", hostile(), LIBRARY, site="=1+1")
    csv_file, xlsx_file = write_outputs(run, LIBRARY, ["csv", "xlsx"])
    cells = [
        cell for row in csv.reader(io.StringIO(csv_file.read_bytes().decode("utf-8-sig"), newline="")) for cell in row
    ]
    assert len(cells) > 300
    assert [cell for cell in cells if cell.startswith(FORMULA)] == []
    book = openpyxl.load_workbook(xlsx_file)
    found = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in found} <= {"s", "n", "d", "inlineStr"}
    assert [cell.value for cell in found if isinstance(cell.value, str) and cell.value.startswith(FORMULA)] == []
    assert [cell for cell in found if cell.hyperlink] == []


def test_the_workbook(run):
    write_outputs(run, LIBRARY, ["xlsx"])
    book = openpyxl.load_workbook(run / "prescreen.xlsx")
    assert book.sheetnames == ["About", NPC]
    about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True) if row[0]}
    assert about["Judged as of"] == "1 Mar 2026"
    assert about["patients judged"] == len(LINES)
    assert "Exclusion criteria: not encoded" in about[NPC]
    assert LIBRARY.trials[NPC].digest in about[NPC]
    assert "For review by people: nobody is enrolled or ruled out by this list." in about
    funnel = [row for row in book["About"].iter_rows(values_only=True) if row[0] == "Hemoglobin ≥ 90 g/L"]
    assert [row[1:5] for row in funnel] == [(12, 12, 0, 0), (2, 2, 0, 0)]
    sheet = book[NPC]
    assert sheet.freeze_panes == "D2"
    heads = [cell.value for cell in sheet[1]]
    assert sheet.auto_filter.ref.startswith("A1:")
    assert sheet.max_row == 1 + 19
    first = dict(zip(heads, (cell.value for cell in sheet[2]), strict=True))
    assert first["Rank"] == 1
    assert first["Results count until"] == datetime(2026, 3, 11)
    assert first["Hemoglobin ≥ 90 g/L"] == "pass"


def test_a_sheet_is_ready_for_paper(run):
    write_outputs(run, LIBRARY, ["xlsx"], language="zh")
    book = openpyxl.load_workbook(run / "prescreen.xlsx")
    for sheet in book:
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert "含个人健康信息" in sheet.oddFooter.left.text
    sheet = book[NPC]
    assert (sheet.print_title_rows, sheet.print_title_cols) == ("$1:$1", "$A:$C")
    # As high as what stands in it: a program that does not find that out by itself would cut the text.
    texts = [str(cell.value or "") for cell in sheet["F"][1:]]
    longest = max(range(len(texts)), key=lambda at: len(texts[at]))
    assert len(texts[longest]) * 2 > sheet.column_dimensions["F"].width
    assert sheet.row_dimensions[longest + 2].height >= 30


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(run):
    left = [run / ".prescreen.html.abc.part", run / ".prescreen.xlsx.abc.parts"]
    left[0].write_bytes(b"half")
    left[1].mkdir()
    (left[1] / "sheet").write_bytes(b"half")
    with private_file(run / "living.html") as file, private_folder(run / "living.xlsx") as folder:
        file.write(b"as yet")
        write_outputs(run, LIBRARY, ["csv", "xlsx"])
        assert [one for one in left if one.exists()] == []
        assert folder.exists()
        assert len(list(run.glob(".living.html.*"))) == 1
    assert (run / "living.html").read_bytes() == b"as yet"
    assert list(run.glob(".*part*")) == []


def test_a_sheet_that_is_full_says_so(run):
    cohort = read_cohort(open_run(run), LIBRARY, "zh")
    write_xlsx(cohort, run / "small.xlsx", str, most_rows=5)
    book = openpyxl.load_workbook(run / "small.xlsx")
    assert book[NPC].max_row == 6
    assert "此处为前 5 行；CSV 文件含全部。" in [row[1] for row in book["说明"].iter_rows(values_only=True)]


def test_parquet(run):
    (path,) = write_outputs(run, LIBRARY, ["parquet"])
    rows = parquet.read_table(path).to_pylist()
    assert [row["rank"] for row in rows] == [*range(1, 19), None]
    assert rows[0]["valid_until"] == date(2026, 3, 11)
    assert {row["exclusions"] for row in rows} == {"not-published"}
    told = {line["patient"]: line["results"][0] for line in LINES if line["results"]}
    for row in rows:
        result = told[row["patient"]]
        assert (row["status"], row["gate"]) == (result["status"], result["gate"])
        assert [(one["id"], one["verdict"]) for one in row["criteria"]] == [
            (one["id"], one["verdict"]) for one in result["criteria"]
        ]
        assert [one["fact"] for one in row["decisive"]] == [one["fact"] for one in result["decisive"]]


def test_what_xlsx_needs_is_there_after_a_plain_install():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(one.startswith("xlsxwriter") for one in project["dependencies"])


def test_a_missing_package_is_named_with_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"cds-service\[export\]"):
        write_outputs(run, LIBRARY, ["parquet"])
    assert list(run.glob("prescreen*")) == []


@pytest.mark.parametrize("most_bytes", [0, 500, 5_000])
@pytest.mark.parametrize("style", FORMATS)
def test_a_full_disk_is_told_and_leaves_no_part(run, style, most_bytes):
    before = sorted(run.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        with pytest.raises(UnavailableError, match=r"could not be written .*File too large.*cds-service outputs"):
            write_outputs(run, LIBRARY, [style])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(run.iterdir()) == before


def test_a_folder_in_the_place_of_a_list_is_told(run):
    (run / "prescreen.html").mkdir()
    with pytest.raises(UnavailableError, match=r"prescreen\.html could not be written"):
        write_outputs(run, LIBRARY, ["html"])
    assert list(run.glob(".*")) == []


def test_two_writers_of_a_list_do_not_write_into_each_other(tmp_path):
    path = tmp_path / "list.csv"
    with private_file(path) as first:
        first.write(b"the first, ")
        with private_file(path) as second:
            second.write(b"the second, whole")
        assert path.read_bytes() == b"the second, whole"
        first.write(b"whole")
    assert path.read_bytes() == b"the first, whole"
    assert list(tmp_path.iterdir()) == [path]


# Runs that must not be written out.


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda run: (run / "manifest.json").unlink(), "not finished"),
        (lambda run: (run / "manifest.json").write_text("{"), "manifest.json cannot be read"),
        (lambda run: (run / "manifest.json").write_text('{"format": 2}'), "format 1"),
        (lambda run: (run / "manifest.json").write_text('{"format": 1}'), "as prescreen writes it"),
        (lambda run: (run / "results.jsonl").unlink(), "results.jsonl cannot be read"),
        (lambda run: (run / "results.jsonl").write_text("secret\n"), "line 1 is not JSON"),
        (lambda run: (run / "results.jsonl").write_text('"secret"\n'), "not a patient's result"),
        (lambda run: _cut(run), "counts 20"),
        (lambda run: _edit(run, '"screening"', '"secret"'), "does not fit the rules"),
        (lambda run: _edit(run, '"needs-data"', '"secret"'), "does not fit the rules"),
        (lambda run: _edit(run, '"kind":"lab"', '"kind":"secret"'), "does not fit the rules"),
        (lambda run: _edit(run, '"id":"hemoglobin"', '"id":"secret"'), "does not fit the rules"),
    ],
)
def test_a_spoilt_run_is_refused_without_its_content(run, spoil, word):
    spoil(run)
    with pytest.raises(RequestError, match=word) as refused:
        write_outputs(run, LIBRARY, ["csv"])
    assert "secret" not in str(refused.value)
    assert list(run.glob("*.csv")) == []


def _cut(run: Path) -> None:
    text = (run / "results.jsonl").read_text(encoding="utf-8")
    (run / "results.jsonl").write_text("".join(text.splitlines(keepends=True)[:-1]), encoding="utf-8")


def _edit(run: Path, old: str, new: str) -> None:
    text = (run / "results.jsonl").read_text(encoding="utf-8")
    assert old in text
    (run / "results.jsonl").write_text(text.replace(old, new), encoding="utf-8")


def test_other_rules_are_refused(tmp_path):
    run = write_run(tmp_path / "run", LINES, LIBRARY, trials=())
    for trials, word in (
        ([{"trial": NPC, "rules_digest": "sha256:other"}], "have changed"),
        ([{"trial": "NCT00000000", "rules_digest": ""}], "not among the rules"),
    ):
        told = json.loads((run / "manifest.json").read_text())
        (run / "manifest.json").write_text(json.dumps({**told, "trials": trials}))
        with pytest.raises(RequestError, match=word):
            write_outputs(run, LIBRARY, ["csv"])


def test_who_could_not_be_judged_is_counted(tmp_path):
    gone = {**LINES[0], "patient": "Patient/gone", "results": [], "others": [], "unread": {"Patient": "not read"}}
    counts = {"patients": len(LINES) + 1, "judged": len(LINES)}
    run = write_run(tmp_path / "run", [*LINES, gone], LIBRARY, counts=counts)
    write_outputs(run, LIBRARY, ["xlsx", "html"])
    about = {
        row[0]: row[1] for row in openpyxl.load_workbook(run / "prescreen.xlsx")["About"].iter_rows(values_only=True)
    }
    assert about["patients who could not be judged"] == 1
    assert "patients who could not be judged" in (run / "prescreen.html").read_text(encoding="utf-8")


# The job and the command.


def test_the_job_gives_the_same_lists(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for story in STORIES:
        shutil.copy(story / "bundle.json", source / f"{story.name}.json")
    asked = ["prescreen", "--bundles", source, "--out", tmp_path / "run", "--as-of", AS_OF, "--workers", 1]
    said = CliRunner().invoke(main, [*map(str, asked), "--format", "csv"])
    assert said.exit_code == 0, said.output
    assert (tmp_path / "run" / f"{NPC}.csv").read_bytes() == (GOLDEN / "stories.csv").read_bytes()
    assert list(words.COUNT) == list(COUNTS), "every count has its words"


@pytest.mark.parametrize(("formats", "package", "code"), [("csv,pdf", None, 2), ("parquet", "pyarrow", 12)])
def test_lists_that_cannot_be_written_are_told_before_the_job(tmp_path, monkeypatch, formats, package, code):
    if package:
        monkeypatch.setitem(sys.modules, package, None)
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(STORIES[0] / "bundle.json", source)
    asked = ["prescreen", "--bundles", source, "--out", tmp_path / "run", "--as-of", AS_OF, "--workers", 1]
    said = CliRunner().invoke(main, [*map(str, asked), "--format", formats])
    assert said.exit_code == code, said.output
    assert "--format" in said.stderr
    assert not (tmp_path / "run").exists()


def test_the_command(run):
    said = CliRunner().invoke(main, ["outputs", str(run), "--format", "csv, parquet"])
    assert said.exit_code == 0, said.output
    assert said.output.splitlines() == [str(run / f"{NPC}.csv"), str(run / "prescreen.parquet")]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--format", "pdf"], "--format must be some of csv, xlsx, parquet, fhir, html"),
        (["--format", ""], "--format"),
        (["--language", "tlh"], "one of en, zh"),
        (["--pseudonyms", "nowhere"], "--pseudonyms"),
    ],
)
def test_the_command_names_what_is_wrong(run, arguments, word):
    said = CliRunner().invoke(main, ["outputs", str(run), *arguments])
    assert said.exit_code in (2, 12)
    assert word.replace("--format must", "--format: must") in said.stderr
    assert said.stderr.count("\n") == 1


def test_pseudonyms(run, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    code = pseudonyms(key)
    assert code("Patient/candidate") == code("Patient/candidate") != code("Patient/deceased")
    formats = ["csv", "xlsx", "parquet", "html"]
    said = CliRunner().invoke(main, ["outputs", str(run), "--format", ",".join(formats), "--pseudonyms", str(key)])
    assert said.exit_code == 0, said.output
    names = {line["patient"] for line in LINES}
    rows = table(run / f"{NPC}.csv")
    assert code("Patient/candidate") in {row["Patient"] for row in rows}
    for path in (run / f"{NPC}.csv", run / "prescreen.html"):
        text = path.read_text(encoding="utf-8")
        assert not any(name in text for name in names)
    assert not names & {row["patient"] for row in parquet.read_table(run / "prescreen.parquet").to_pylist()}
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    assert pseudonyms(other)("Patient/candidate") != code("Patient/candidate")
    other.write_bytes(b"short")
    with pytest.raises(ConfigError, match="32 bytes"):
        pseudonyms(other)
    with pytest.raises(RequestError, match="fhir"):
        write_outputs(run, LIBRARY, ["fhir"], name=code)
