"""The figures pages: what an address asks for, what a figure says, and pages over a furnished district."""

from __future__ import annotations

import csv
import io
import re
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from sync.hq.catalogue import told
from sync.hq.metrics import Change, Figure, Slice
from sync.hq.metrics.brief import Topic
from sync.hq.metrics.polls import Option
from sync.hq.views import asked, brief, numbers, polls
from tests.hq import Office, text_of
from tests.looks import furnished

TODAY = 20_717  # Mon 21 September 2026
_ = partial(told, "en")


# ------------------------------------------------------------------------------------- questions


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, TODAY - 6, TODAY), ({"period": "today"}, TODAY, TODAY), ({"period": "yesterday"}, TODAY - 1, TODAY - 1),
        ({"period": "90"}, TODAY - 89, TODAY),
        ({"period": "own", "from": "2026-09-01", "until": "2026-09-02"}, TODAY - 20, TODAY - 19),
        ({"period": "own", "from": "2026-09-20"}, TODAY - 1, TODAY),
    ],
)  # fmt: skip
def test_an_address_is_a_window(query: dict[str, str], first: int, last: int) -> None:
    got = asked.read(query, TODAY)
    assert (got.slice.first, got.slice.last) == (first, last)


@pytest.mark.parametrize(
    "query",
    [
        {"period": "none"}, {"period": "own", "from": "yesterday"}, {"by": "caller"}, {"against": "hope"},
        {"period": "own", "from": "2026-09-21", "until": "2026-09-20"},
    ],
)  # fmt: skip
def test_an_address_that_asks_for_nothing_is_refused_in_words(query: dict[str, str]) -> None:
    with pytest.raises(asked.Wrong, match=r"\. "):
        asked.read(query, TODAY)


def test_a_question_is_an_address_and_an_address_the_question() -> None:
    query = {"period": "own", "from": "2026-09-01", "until": "2026-09-20", "district": "पुणे & co", "clean": "1",
             "against": "week", "by": "box", "sort": "calls", "up": "1", "at": "50"}  # fmt: skip
    got = asked.read(query, TODAY)
    address = got.address("/numbers/by")
    assert asked.read(dict(parse_qsl(urlsplit(address).query)), TODAY) == got
    assert "district" not in got.address("/numbers", district="")


def test_what_a_window_is_compared_with() -> None:
    got = asked.read({"period": "28", "against": "before"}, TODAY)
    assert got.other() == Slice(TODAY - 55, TODAY - 28)
    assert asked.read({"against": "week"}, TODAY).other() == Slice(TODAY - 13, TODAY - 7)
    assert asked.read({"against": "clean"}, TODAY).other() == Slice(TODAY - 6, TODAY, clean=True)
    assert asked.read({}, TODAY).other() is None


# --------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("value", "unit", "says"),
    [
        (1234567, "count", "1,234,567"), (0.98765, "share", "98.8 %"), (59, "seconds", "59 s"),
        (150, "seconds", "2 min"), (7300, "seconds", "2.0 h"), (400_000, "seconds", "4.6 days"), (1.5, "times", "1.50"),
        (None, "count", "–"), (0.42, "erlang", "0.42 erlang"), (1.25, "days", "1.2 days"),
    ],
)  # fmt: skip
def test_a_value_has_its_unit(value: float | None, unit: str, says: str) -> None:
    assert numbers.number(value, unit, _) == says


def test_a_figure_leads_to_its_definition_and_says_why_it_is_none() -> None:
    question = asked.read({"district": "pune"}, TODAY)
    it = numbers.figure("engagement", Figure(0.5, 10, 0.24, 0.76), question, _)
    assert (it["value"], it["n"], it["range"]) == ("50.0 %", "10", "24.0 % – 76.0 %")
    assert it["href"] == "/definitions?period=7&district=pune#engagement"
    assert numbers.figure("cost", Figure(why="no tariff"), question, _)["why"] == "no tariff"


def test_a_change_is_told_in_points_or_per_cent() -> None:
    shares = numbers.change("engagement", Change(Figure(0.25), Figure(0.5), 0.25, 2.0), _)
    assert (shares["was"], shares["change"], shares["way"]) == ("25.0 %", "+25.0 points", "up")
    counts = numbers.change("calls", Change(Figure(200), Figure(150), -50, 0.75), _)
    assert (counts["change"], counts["way"]) == ("-25 %", "down")
    assert numbers.change("calls", Change(Figure(0), Figure(150), 150, None), _)["change"] == ""


def test_an_option_has_the_range_of_lost_calls_and_its_flag() -> None:
    yes = Option("tap", "yes", "last", 60, 0.6, 0.55, 0.6, 0.02, True, 70, 3, 61, 60, 50, 5)
    no = Option("tap", "no", "last", 40, 0.4, 0.4, 0.45, 0.09, True, 45, 0, 39, 40, 35, 5)
    [issue] = polls.issues([yes, no], _)
    assert issue["biased"] and issue["voters"] == "100" and issue["conflicts"] == "5"
    assert issue["options"][1]["range"] == "40.0 % – 45.0 %" and issue["options"][1]["loss"] == "9.0 %"


@pytest.mark.parametrize(
    ("callers", "before", "running", "says"),
    [
        (150, 100, False, "150 people rang, 50 % more than the week before."),
        (50, 100, False, "50 people rang, 50 % fewer than the week before."),
        (5, 3, False, "5 people rang; 3 the week before."), (70, 0, False, "70 people rang; nobody the week before."),
        (50, 100, True, "50 people have rung so far; 100 in the week before."),
    ],
)  # fmt: skip
def test_a_sentence_of_the_brief(callers: int, before: int, running: bool, says: str) -> None:
    assert brief.sentence(Topic("water", callers, 0, callers, before, before, 0, 0), running, _) == says


# ----------------------------------------------------------------------------------------- pages


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return furnished(tmp_path_factory.mktemp("numbers"))


def cells(office: Office, address: str) -> dict[str, str]:
    """The first figure of each row of a breakdown."""
    text = office.client("manager").get(address).text
    rows = re.findall(r'<th scope="row" class="name">(?:<a[^>]*>)?([^<]*).*?<td class="count">([^<]*)', text, re.S)
    return {name.strip(): value.strip() for name, value in rows}


def test_a_breakdown_adds_up_to_the_whole_and_to_the_rows_that_were_sent(office: Office) -> None:
    with office.events() as db:
        sent = db.value("SELECT count(*) FROM event WHERE kind = 'call' AND \"of\" = 0")
    whole = re.search(r'id="calls">([^<]*)<', office.client("manager").get("/numbers").text)
    assert whole and whole[1] == f"{sent:,}"
    for by in ("district", "box", "campaign", "day", "hour"):
        found = cells(office, f"/numbers/by?by={by}")
        assert sum(int(value.replace(",", "")) for value in found.values()) == sent, by
    assert list(cells(office, "/numbers/by?by=district&sort=calls")) == ["nashik", "pune", "satara"]
    assert list(cells(office, "/numbers/by?by=district&sort=calls&up=1")) == ["satara", "pune", "nashik"]
    assert set(cells(office, "/numbers/by?by=box&district=pune")) == {"pune-01", "pune-02"}


def test_every_figure_leads_to_a_definition_with_a_query_that_gives_it(office: Office) -> None:
    client = office.client("manager")
    links = set(re.findall(r'href="(/definitions[^"#]*)#([a-z0-9-]+)"', client.get("/numbers").text))
    assert len(links) > 30
    defined = client.get("/definitions?period=7").text
    assert {name for _, name in links} <= set(re.findall(r'<section class="card meaning" id="([^"]+)"', defined))
    assert "FROM all_tally" in defined and ":first = " in defined
    assert text_of(client.get("/definitions")).count("Query") > 20


def test_every_page_of_figures_has_its_stamp(office: Office) -> None:
    for path in ("/numbers", "/numbers/by", "/definitions", "/referendums", "/brief"):
        text = text_of(office.client("auditor").get(path))
        assert "Complete up to 19:43:19 for 5 of 6 boxes." in text, path
        assert office.client("volunteer", ward="7").get(path).status_code == 403


def test_referendums_are_no_poll(office: Office) -> None:
    text = text_of(office.client("manager").get("/referendums"))
    assert "Not a scientific poll." in text and "school-meals" in text and "subsidy" in text


def test_a_brief_ranks_topics_by_district(office: Office) -> None:
    text = office.client("manager").get("/brief").text
    districts = re.findall(r"<h2>(nashik|pune|satara)</h2>", text)
    assert districts == ["nashik", "pune", "satara"] and "in the week before." in text
    ranks = [int(count.replace(",", "")) for count in re.findall(r"</strong> ([\d,]+) people have rung", text)]
    assert ranks[0] > ranks[1], "the strongest first"
    assert "Nobody rang in this week" in office.client("manager").get("/brief?week=2026-01-05").text


def test_what_an_address_has_wrong_is_said(office: Office) -> None:
    for path in ("/numbers?period=none", "/brief?week=never", "/numbers/by?by=caller"):
        answer = office.client("manager").get(path)
        assert answer.status_code == 400 and re.search("Choose one|Write it as", answer.text), path


def test_no_number_of_a_voter_is_on_a_page_of_figures(office: Office, tmp_path: Path) -> None:
    for path in ("/numbers", "/numbers/by", "/definitions", "/referendums", "/brief"):
        assert not re.search(r"\+91\d|\d{9}", office.client("manager").get(path).text), path


def test_a_table_is_taken_out_with_a_mark_and_an_entry_in_the_log(office: Office) -> None:
    client = office.client("manager")
    page = client.get("/numbers/by?by=district&period=28").text
    action = re.search(r'action="(/numbers/by/export[^"]*)"', page)
    assert action
    answer = client.post(action[1].replace("&amp;", "&"))
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    counts = {row["district"]: row["calls"] for row in rows}
    assert counts == {"nashik": "4067", "pune": "2622", "satara": "763"}
    assert rows[0]["watermark"].startswith("manager ") and "not a scientific poll" in rows[0]["window"]
    assert rows[0]["complete"] == "Complete up to 19:43:19 for 5 of 6 boxes"
    assert office.audit()[-1]["did"] == "exported numbers"
    auditor = office.client("auditor")
    assert "/numbers/by/export" not in auditor.get("/numbers/by").text
    assert auditor.post("/numbers/by/export").status_code == 403
