"""While a window of silence is open nobody at headquarters is told how callers vote; counting goes on."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.hq import config, export, looks, silence, snapshot, sql, stores, web
from sync.hq.catalogue import said, told
from sync.hq.doors import counts
from sync.hq.metrics import Given, Slice, asking, breakdown, compute, hush
from sync.hq.metrics.slices import Ground
from sync.hq.pages import invited
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.silence import Window, hidden
from tests.hq import Office, light, text_of
from tests.looks import furnished
from tests.test_hq_page import NOW_MS

__all__ = ["light"]  # a fixture, used by name

BEGIN = datetime.fromtimestamp(NOW_MS / 1000, UTC) - timedelta(hours=1)
END = BEGIN + timedelta(hours=48)
ALL = f'[[silence]]\nfrom = {BEGIN:%Y-%m-%dT%H:%M:%SZ}\nuntil = {END:%Y-%m-%dT%H:%M:%SZ}\nwhy = "s.126"\n'
PUNE = f'{ALL}districts = ["pune"]\n'
WHEN = silence.moment(END)
BOXES = ("nashik-08", "nashik-11", "pune-02", "satara-03")  # that have lines of one option only
OPTIONS = ("roads", "schools", "yes", "no", "nashik-07/l1", "pune-01/l2")  # campaigns, answers, their lines
PAGES = ("/", "/live", "/api/overview", "/referendums", "/brief", "/numbers", "/numbers/by?by=campaign",
         "/numbers/by?by=line", "/numbers/by?by=box", "/numbers?campaign=roads", "/numbers?box=nashik-11",
         "/numbers/by?by=day&campaign=schools", "/invitations", "/invitations/subsidy")  # fmt: skip


# ------------------------------------------------------------------------------------ hq.toml


def load(folder: Path, more: str) -> config.HqConfig:
    file = folder / "hq.toml"
    file.write_text(f'[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n{more}')
    return config.load(file)


WHOLE = "[[silence]]\nfrom = 2026-11-28T18:00:00+05:30\nuntil = 2026-11-30T18:00:00+05:30\n"


def test_windows_are_read_from_hq_toml(tmp_path: Path) -> None:
    assert load(tmp_path, "").silence == ()
    one, other = load(tmp_path, WHOLE + WHOLE + 'districts = ["Nashik", "Pune"]\nwhy = "s.126(1)(b)"\n').silence
    assert (one.districts, one.why) == ((), silence.WHY) and one.ends - one.begins == timedelta(hours=48)
    assert (other.districts, other.why) == (("Nashik", "Pune"), "s.126(1)(b)")
    assert silence.moment(one.ends) == "2026-11-30 18:00 UTC+05:30"


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("2026-11-28T18:00:00+05:30", "2026-11-28T18:00:00", "silence.1.from", "has no offset"),
        ("2026-11-28T18:00:00+05:30", "2026-11-28", "silence.1.from", "not possible"),
        ("2026-11-28T18:00:00+05:30", '"2026-11-28T18:00:00+05:30"', "silence.1.from", "without quotes"),
        ("until = 2026-11-30T18:00:00+05:30\n", "", "silence.1.until", "missing"),
        ("2026-11-30T18:00:00+05:30", "2026-11-28T18:00:00+05:30", "silence.1.until", "does not end after"),
        ("2026-11-30T18:00:00+05:30", "2026-12-02T18:00:01+05:30", "silence.1.until", "96 h at most"),
        ("[[silence]]\n", "[[silence]]\ndistrict = 'pune'\n", "silence.1.district", "unknown key"),
        ("[[silence]]\n", "[[silence]]\ndistricts = []\nwhy = ''\n", "silence.1.why", "not empty"),
        ("[[silence]]\n", "[[silence]]\ndistricts = ['']\n", "silence.1.districts", "names of districts"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_window_is_said(tmp_path: Path, old: str, new: str, key: str, says: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, WHOLE.replace(old, new, 1))
    [problem] = caught.value.problems
    assert problem.key == key and says in str(problem)


# ------------------------------------------------------------------------------------ decided

KNOWN = ("pune", "nashik")
EVERYWHERE, ONE = Window(BEGIN, END), Window(BEGIN, END, ("pune",))


@pytest.mark.parametrize(
    ("windows", "districts", "at", "is_hidden"),
    [
        ((), None, BEGIN, False),
        ((EVERYWHERE,), None, BEGIN - timedelta(milliseconds=1), False),
        ((EVERYWHERE,), None, BEGIN, True),
        ((EVERYWHERE,), None, END - timedelta(milliseconds=1), True),
        ((EVERYWHERE,), None, END, False),
        ((EVERYWHERE,), {"nashik"}, BEGIN, True),
        ((EVERYWHERE,), (), BEGIN, True),
        ((ONE,), None, BEGIN, True),  # a total would tell
        ((ONE,), {"pune"}, BEGIN, True),
        ((ONE,), {"nashik", "pune"}, BEGIN, True),
        ((ONE,), {"nashik"}, BEGIN, False),
        ((Window(BEGIN, END, ("puné",)),), {"nashik"}, BEGIN, True),  # no box has spoken of it: misspelt?
        ((Window(END, END + timedelta(1)), ONE), {"pune"}, BEGIN, True),
    ],
)
def test_what_a_window_hides(windows: tuple[Window, ...], districts: Any, at: datetime, is_hidden: bool) -> None:
    assert bool(hidden(windows, districts, round(at.timestamp() * 1000), KNOWN)) == is_hidden


def test_of_several_windows_the_last_end_is_named_in_the_readers_language() -> None:
    windows = (EVERYWHERE, Window(BEGIN, END + timedelta(hours=5), why="a state's own law"), EVERYWHERE)
    why = hidden(windows, None, NOW_MS, ())
    assert why and why == f"Results of votes are hidden until {silence.moment(windows[1].ends)}: a state's own law"
    plain = hidden((EVERYWHERE,), None, NOW_MS, ())
    assert plain and said(plain, lambda text, **values: told("hi", text, **values)).endswith("मतदान से पहले का मौन-काल")


# ------------------------------------------------------------------------------------ pages


def office_of(folder: Path, more: str = "") -> Office:
    """The furnished district; its campaigns roads and schools are the options of one referendum, and callers have
    answered another by key, which the desk has called an invitation."""
    furnished(folder)
    made = Office(folder, ROUTES, TABS, more=more)
    made.now_ms = NOW_MS
    with made.desk() as desk:
        desk.run("INSERT INTO invitation VALUES ('subsidy', 'Subsidy') ON CONFLICT (issue) DO NOTHING")
    return made


def cells(text: str) -> list[list[str]]:
    """The rows of all tables of a page, tags taken out."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row,
            re.DOTALL)] for row in rows]  # fmt: skip


def leaks(office: Office) -> list[str]:
    """Where a manager sees how many are for an option, or how somebody answered."""
    client, found = office.client("manager"), []
    for path in PAGES:
        text = client.get(path).text
        rows = cells(text)
        options = [row for row in rows if row and row[0] in OPTIONS]
        if path in ("/", "/live") or "by=box" in path:
            calls = 1 if "by=box" in path else 2  # the column with the calls
            options += [row[:1] + row[calls : calls + 1] for row in rows if row and row[0].split(" ")[0] in BOXES]
        answers = [row for row in rows if len(row) > 1 and row[1] in ("yes", "no")]
        told_ = [row for row in [*options, *answers] if any(re.search(r"\d", cell) for cell in row[1:])]
        plain = '"issue":' in text or "How they voted" in text or re.search(r"\b(roads|yes) \d", text)
        own = "=roads" in path or "=schools" in path or path.endswith("box=nashik-11")
        counted = re.search(r'id="calls">\d|most \(\d', text) if own else None
        listed = "/invitations" in path and re.search(r'class="count">\d|type="checkbox"', text)
        if told_ or plain or counted or listed:
            found.append(path)
    return found


def test_no_page_tells_how_callers_vote_while_a_window_is_open(tmp_path: Path) -> None:
    office = office_of(tmp_path, ALL)
    assert leaks(office) == []
    for path in ("/", "/referendums", "/brief", "/numbers", "/numbers/by?by=campaign", "/invitations"):
        assert WHEN in text_of(office.client("manager").get(path)), path
    assert "school-meals" in text_of(office.client("manager").get("/")), "the issue as a whole is told"
    assert WHEN in office.client("auditor", language="hi").get("/referendums").text
    answer = office.client("manager").post("/invitations/subsidy/export", {"list": "confirmed"})
    assert answer.status_code == 400 and WHEN in answer.text
    assert office.client("manager").post("/invitations/subsidy/came", {"thing": "x"}).status_code == 400
    rows = list(csv.DictReader(io.StringIO(office.client("manager").post("/numbers/by/export?by=campaign").text)))
    assert {row["campaign"]: bool(row["calls"]) for row in rows} == {"water": True, "roads": False, "schools": False}
    assert all((WHEN in row["window"]) == (row["calls"] == "") for row in rows)
    assert all("not a scientific poll" in row["window"] for row in rows)


def test_the_same_pages_tell_it_before_and_after(tmp_path: Path) -> None:
    office = office_of(tmp_path, ALL)
    for at in (BEGIN - timedelta(seconds=1), END):
        office.now_ms = round(at.timestamp() * 1000)
        office.client("manager").get("/")  # all answers are counted behind the first look
        seen = set(leaks(office))
        assert {"/", "/referendums", "/brief", "/numbers/by?by=campaign", "/numbers?campaign=roads",
                "/invitations"} <= seen | ({"/brief"} if at == END else set()), seen  # fmt: skip
    office.now_ms = NOW_MS
    assert leaks(office) == []


def test_a_look_from_before_is_not_shown_when_the_window_opens(tmp_path: Path) -> None:
    furnished(tmp_path)
    office = Office(tmp_path, ROUTES, TABS, more=ALL, share_s=3600)
    office.now_ms = round(BEGIN.timestamp() * 1000) - 1
    client = office.client("manager")
    for _ in range(2):
        client.get("/live")
    assert "subsidy" in client.get("/live").text
    office.now_ms += 1
    assert "subsidy" not in client.get("/live").text and WHEN in client.get("/live").text


def test_where_calls_are_votes_a_window_hides_them_everywhere(tmp_path: Path) -> None:
    client = office_of(tmp_path, PUNE).client("manager")
    for path in ("/referendums", "/referendums?district=pune", "/referendums?district=nashik", "/brief"):
        text = text_of(client.get(path))
        assert WHEN in text and "How they voted" not in text and "Void if both" not in text, path
    found = client.get("/api/overview").json()
    listed = [*found["latest"], *found["takes"], *found["grievances"]["first"]]
    assert listed and not {row["campaign"] for row in listed} & {*OPTIONS, "school-meals"}
    assert all(row["today"] == "–" for row in (*found["boxes"], *found["districts"])), "totals less these tell the rest"


def test_every_page_that_tells_votes_says_that_they_are_no_poll(tmp_path: Path) -> None:
    office = office_of(tmp_path)
    office.client("manager").get("/")
    for path in ("/", "/referendums", "/brief"):
        assert "Not a scientific poll." in text_of(office.client("manager").get(path)), path


def test_what_is_told_of_figures_tells_no_option_by_subtraction(tmp_path: Path) -> None:
    furnished(tmp_path)
    with sql.sqlite(tmp_path / "data" / "hq.db", reading=True) as events:
        for windows in ((EVERYWHERE,), (ONE,)):
            given = Given(NOW_MS, silence=windows)
            for by in ("district", "box", "line", "channel", "language"):
                told_ = breakdown(events, Slice(issue="school-meals"), by, ("calls",), given)
                assert told_ and all(row["calls"].value is None for row in told_.values()), by
            campaigns = breakdown(events, Slice(), "campaign", ("calls",), given)
            assert {name for name, row in campaigns.items() if row["calls"].value is not None} == {"water"}
            for asked, is_told in ((Slice(issue="school-meals"), True), (Slice(campaign="water"), True),
                                   (Slice(), True), (Slice(campaign="roads"), False), (Slice(language="hi"), False),
                                   (Slice(line="nashik-07/l1"), False), (Slice(district="nashik"), False),
                                   (Slice(district="nashik", campaign="water"), True)):  # fmt: skip
                figure = compute(events, asked, ("calls",), given)["calls"]
                assert (figure.value is not None) == is_told, asked


def test_votes_by_key_are_hidden_by_district() -> None:
    places = {number: {"district": name, "box": name, "line": "l1", "channel": ""} for number, name in
              enumerate(("nashik", "pune", "satara"))}  # fmt: skip
    hushed, ground = hush.Hush((ONE,), NOW_MS, set()), Ground(places, {"roads": ("school-meals", "last")})
    groups = {name: hushed.of(ground, Slice(), "district", name) for name in ("nashik", "pune", "satara")}
    assert {name for name, (why, _) in groups.items() if why} == {"pune"}
    assert not any(whole for _, whole in groups.values())
    assert hushed.of(ground, Slice(), "", "")[0] and hushed.of(ground, Slice(), "box", "nashik")[0], "totals would tell"
    assert hushed.of(ground, Slice(box="nashik"), "", "")[0] is None
    assert hush.Hush((ONE,), NOW_MS, {"roads"}).of(ground, Slice(box="nashik"), "", "")[0], "where calls are votes"


# ------------------------------------------------------------------------------------ files


def here(folder: Path, more: str) -> Path:
    """Headquarters' folder, its window open now by the machine's own clock."""
    furnished(folder)
    begin = datetime.now(UTC) - timedelta(hours=1)
    text = more.replace(f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}", f"{begin:%Y-%m-%dT%H:%M:%SZ}")
    text = text.replace(f"{END:%Y-%m-%dT%H:%M:%SZ}", f"{begin + timedelta(hours=48):%Y-%m-%dT%H:%M:%SZ}")
    load(folder, text)
    return folder / "hq.toml"


def test_an_export_leaves_out_what_is_a_vote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here(tmp_path, ALL)
    assert export.run(file, "answers") == 0
    out, err = capsys.readouterr()
    assert out == "" and "answers are left out" in err and "hidden until" in err
    assert export.run(file, "calls") == 0
    out, err = capsys.readouterr()
    assert '"campaign":"water"' in out and "roads" not in out and "calls of the numbers of a referendum" in err
    assert export.run(file, "messages") == 0  # a reply tells of a call
    out, err = capsys.readouterr()
    assert '"campaign":"water"' in out and "roads" not in out and "messages of the numbers" in err
    assert export.run(file, "boxes") == 0
    assert capsys.readouterr().err == ""
    load(tmp_path, "")
    assert export.run(file, "calls") == 0
    assert '"campaign":"roads"' in capsys.readouterr().out
    assert export.run(file, "answers", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 4 and {row["note"] for row in rows} == {"Not a scientific poll."}


def test_an_export_keeps_what_is_of_other_districts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here(tmp_path, PUNE)
    assert export.run(file, "answers") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4 and "nashik" in out and "answers of the districts concerned are left out" in err


def test_a_snapshot_has_no_votes_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here(tmp_path, ALL)
    assert snapshot.run(str(file), str(tmp_path / "none.db")) == 1
    assert "there is no snapshot until then" in capsys.readouterr().err and not (tmp_path / "none.db").exists()
    with sql.sqlite(tmp_path / "data" / "hq.db") as events:
        events.run("DELETE FROM part")  # nobody votes by ringing a number
    assert snapshot.run(str(file), str(tmp_path / "out.db")) == 0
    assert "votes and answers are left out of this snapshot" in capsys.readouterr().err
    with sql.sqlite(tmp_path / "out.db", reading=True) as out:
        for table in snapshot.VOTES:
            assert out.value(f"SELECT count(*) FROM {table}") == 0, table
        assert out.value("SELECT count(*) FROM event WHERE kind = 'answer' AND state <> ''") == 0
        assert out.value("SELECT count(*) FROM event WHERE kind = 'answer'") == 4
        assert out.value("SELECT sum(answers) FROM tally") == 4
        notes = out.value("SELECT value FROM metadata WHERE name = 'referendums'")
        assert "Not a scientific poll." in notes and "hidden until" in notes and "left out" in notes
        assert "hidden until" in out.value("SELECT why FROM figure WHERE metric = 'referendum'")
    load(tmp_path, "")
    assert snapshot.run(str(file), str(tmp_path / "after.db")) == 0
    assert capsys.readouterr().err == ""
    with sql.sqlite(tmp_path / "after.db", reading=True) as out:
        assert out.value("SELECT count(*) FROM poll") > 0
        assert out.value("SELECT value FROM metadata WHERE name = 'referendums'") == "Not a scientific poll."


def test_files_of_counts_wait_where_calls_are_votes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here(tmp_path, ALL)
    assert counts.run(str(file)) == 0
    assert "No file is written until then" in capsys.readouterr().out and not (tmp_path / "data" / "counts").exists()
    load(tmp_path, "")
    assert counts.run(str(file)) == 0
    assert len(list((tmp_path / "data" / "counts").glob("*.json"))) == 1


def test_the_log_tells_when_the_calendar_is_another(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for more in ("", ALL, ALL, "", ""):
        web.calendar(load(tmp_path, more), NOW_MS)
    with stores.desk(load(tmp_path, "")) as desk:
        said_ = [row["reason"] for row in desk.rows("SELECT reason FROM audit ORDER BY id")]
    assert len(said_) == 2 and "s.126" in said_[0] and said_[1] == "none", "what was there, and that it was taken out"


# ------------------------------------------------------------------------------------ negative controls

BROKEN: dict[str, tuple[object, str, Callable[[Any], Any]]] = {
    "windows that nobody looks at": (silence, "hidden", lambda _: lambda *given: None),
    "totals that are told": (
        silence, "_holds", lambda real: lambda window, districts, known: districts is not None and real(
            window, districts, known)),
    "votes alone are hidden": (hush.Hush, "_tells_apart", lambda _: lambda *given: False),
    "places that are told": (hush, "_APART", lambda _: ()),
    "lines alone are hidden": (hush, "VOTES", lambda _: frozenset()),
    "a first page that tells": (looks, "hushed", lambda _: lambda found, why, options: found),
    "campaigns that are told one by one": (
        looks, "hushed", lambda _: lambda found, why, options: {**found, "answers": [], "silence": why}),
    "boxes that are told one by one": (
        looks, "hushed",
        lambda real: lambda found, why, options: {**real(found, why, options), "boxes": found["boxes"]}),
    "invitations that tell": (invited, "_silence", lambda _: lambda ask: None),
    "options that are not looked up": (asking.hush, "OPTIONS", lambda real: real + " AND 1 = 0"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_page_that_tells_is_caught(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, change = BROKEN[broken]
    monkeypatch.setattr(where, name, change(getattr(where, name)))
    office = office_of(tmp_path, ALL)
    office.now_ms -= 2 * 3_600_000
    office.client("manager").get("/")  # all answers are counted
    office.now_ms = NOW_MS
    assert leaks(office)
