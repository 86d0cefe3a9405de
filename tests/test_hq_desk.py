"""The desk: what comes in, what is shown of it, what may be done, by whom first, and what the log says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sync.hq.desk import act, gather, inbox, search, states
from tests.desk import CALLER, DAY_MS, HOUR_MS, OTHER, Desk, desk, either
from tests.hq import text_of

__all__ = ["desk", "either"]  # fixtures, used by name

NUMBER = re.compile(r"\d{9}")


# ------------------------------------------------------------------------------------------ gathered


def test_what_somebody_must_hear_or_read_comes_in_once(either: Desk) -> None:
    boxes = either.boxes
    case = boxes.case(said=boxes.take(is_case=True))
    voice = boxes.take(OTHER)
    letter = boxes.letter("पानी नहीं आता", OTHER)
    boxes.take(speech_ms=400)
    boxes.take(state="empty")
    assert either.gather() == 0
    assert either.gather() == 0
    found = {row["name"]: (row["kind"], row["state"], row["district"]) for row in either.rows()}
    assert found == {
        f"aaaaaaaa-{case}": ("case", "new", "Nandgaon"), f"aaaaaaaa-{voice}": ("recording", "new", "Nandgaon"),
        f"aaaaaaaa-{letter}": ("letter", "new", "Nandgaon"),
    }  # fmt: skip


def test_a_recording_comes_in_when_it_is_kept_and_leaves_when_its_case_comes(desk: Desk) -> None:
    take = desk.boxes.take(state="recording", speech_ms=None)
    desk.gather()
    assert desk.rows() == []
    desk.boxes.ends(take)
    desk.gather()
    assert [row["kind"] for row in desk.rows()] == ["recording"]
    desk.boxes.case(said=take)
    desk.gather()
    assert [(row["kind"], row["said"]) for row in desk.rows()] == [("case", take)]


def test_a_big_backlog_comes_in_by_and_by(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        desk.boxes.letter("x")
    monkeypatch.setattr(gather, "AT_ONCE", 3)
    assert [desk.gather() for _ in range(4)] == [4, 1, 0, 0]
    assert len(desk.rows()) == 7


def test_the_caller_verifies_or_reopens_and_our_own_orders_come_back_unheard(either: Desk) -> None:
    case = either.boxes.case()
    either.gather()
    for verb in ("assign", "contacted", "resolved"):
        assert either.move(case, verb).status_code == 303
    for state in ("assigned", "contacted", "resolved"):
        either.boxes.says(case, state, of_order=True)
    either.boxes.says(case, "reopened", of_order=True)  # an old order's echo is nobody's judgement
    either.gather()
    assert either.rows()[0]["state"] == "resolved"
    either.boxes.says(case, "reopened")
    either.gather()
    row = either.rows()[0]
    assert (row["state"], row["due_ms"]) == ("reopened", either.now_ms + DAY_MS)
    for verb in ("assign", "contacted", "resolved"):
        assert either.move(case, verb).status_code == 303
    either.boxes.says(case, "verified")
    either.gather()
    assert either.rows()[0]["state"] == "verified"
    assert "verified by the caller" in text_of(either.client.get(f"/desk/thing/aaaaaaaa-{case}"))


def test_a_case_that_nobody_touched_stands_as_the_box_says(desk: Desk) -> None:
    case = desk.boxes.case(state="resolved")
    desk.gather()
    assert desk.rows()[0]["state"] == "resolved"
    desk.boxes.says(case, "verified")
    desk.gather()
    assert desk.rows()[0]["state"] == "verified"


def test_a_case_lies_where_its_clock_began(either: Desk) -> None:
    """Figures look for what the desk did by it: in the span of what the events store says."""
    asked_at = either.now_ms - 7 * HOUR_MS
    case = either.boxes.row("case", "new", caller=CALLER, extra={"opened_ms": asked_at, "due_ms": asked_at + DAY_MS})
    either.gather()
    assert either.move(case, "assign").status_code == 303
    assert either.boxes.db.value("SELECT opened_ms FROM grievance") == asked_at
    assert [(row["at_ms"], row["version"] > 0) for row in either.rows()] == [(asked_at, True)]


def test_forgetting_leaves_nothing(either: Desk) -> None:
    case = either.boxes.case()
    letter = either.boxes.letter("the pump is broken", OTHER)
    either.gather()
    either.client.post("/desk/note", {"name": f"aaaaaaaa-{case}", "note": "spoke with her"})
    with either.office.desk() as db, db.transaction():
        gather.forget(db, [(either.boxes.id, case)])
    assert [row["seq"] for row in either.rows()] == [letter]
    for table in ("desk_tag", "desk_act"):
        assert either.rows(f"SELECT * FROM {table}") == []
    with either.office.desk() as db:
        assert search.find(db, "spoke") == [] and search.find(db, "pump") != []


# --------------------------------------------------------------------------------------------- shown


def test_filters_orders_and_pages(either: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, now = either.boxes, either.now_ms
    there = boxes.ledger("bbbbbbbb", "box-b", "two", "Rampur")
    late = boxes.case(at_ms=now - 30 * HOUR_MS, reference="11111")
    young = boxes.case(at_ms=now - 2 * HOUR_MS, reference="22222", tags="road")
    voice = boxes.take(OTHER, at_ms=now - 3 * HOUR_MS, ledger=there)
    letter = boxes.letter("hello", OTHER, at_ms=now - HOUR_MS)
    either.gather()
    a, b = "aaaaaaaa-", "bbbbbbbb-"
    assert either.page() == [f"{a}{letter}", f"{a}{young}", f"{b}{voice}", f"{a}{late}"]
    assert either.page(order="due") == [f"{a}{late}", f"{a}{young}"]
    assert either.page(overdue="1") == [f"{a}{late}"]
    assert either.page(kind="letter") == [f"{a}{letter}"]
    assert either.page(district="Rampur") == [f"{b}{voice}"]
    assert either.page(tag="water") == [f"{b}{voice}", f"{a}{late}"]
    assert either.page(tag="water", order="due") == [f"{a}{late}"]
    assert either.page(campaign="none") == [] and len(either.page(campaign="water")) == 4
    me = str(either.rows("SELECT id FROM account WHERE name = 'asha'")[0]["id"])
    either.move(young, "assign")
    assert either.page(assignee=me) == [f"{a}{young}"] and f"{a}{young}" not in either.page(assignee="nobody")
    assert either.page(state="assigned") == [f"{a}{young}"] and either.page(state="nonsense", kind="x", order="y")
    with either.office.desk() as db:
        counts = inbox.counts(db, inbox.Filters(), now)
        assert (counts["new"], counts["assigned"], counts["overdue"], counts["verified"]) == (3, 1, 1, 0)
        assert inbox.counts(db, inbox.Filters(kind="case"), now) == {
            "new": 1, "assigned": 1, "contacted": 0, "reopened": 0, "overdue": 1,
        }  # fmt: skip
    monkeypatch.setattr(inbox, "PAGE", 3)
    first = either.client.get("/desk")
    more = re.search(r'href="(/desk\?after=[^"]+)" rel="next"', first.text)
    assert more and f"{a}{late}" not in first.text
    second = either.client.get(more[1].replace("&amp;", "&"))
    assert f"{a}{late}" in second.text and f"{a}{letter}" not in second.text


def test_a_page_is_a_walk_along_an_index(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "sqlite")
    filters = [
        inbox.Filters(), inbox.Filters(state="all"), inbox.Filters(state="new"), inbox.Filters(kind="letter"),
        inbox.Filters(campaign="c"), inbox.Filters(district="d"), inbox.Filters(assignee=1), inbox.Filters(tag="t"),
        inbox.Filters(overdue=True), inbox.Filters(order="due"),
    ]  # fmt: skip

    def plans(broken: str = "") -> list[str]:
        with desk.office.desk() as db:
            for name in filter(None, [broken]):
                db.run(f"DROP INDEX {name}")
            every = [inbox.statement(each, 1, inbox.Key(5, 5), 30) for each in filters]
            told = [db.rows(f"EXPLAIN QUERY PLAN {query}", values) for query, values in every]
        return [" / ".join(row["detail"] for row in plan) for plan in told]

    def slow(plan: str) -> bool:
        return "TEMP B-TREE" in plan or bool(re.search(r"SCAN [tg](?! USING)", plan))

    assert [plan for plan in plans() if slow(plan)] == []
    assert any(slow(plan) for plan in plans("desk_thing_at"))  # the control: without its index it is seen


def test_no_number_on_any_page_nor_in_any_address(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.boxes.letter("call me at 9812345678", CALLER)
    desk.gather()
    for page in ("/desk", "/desk?order=due", f"/desk/thing/aaaaaaaa-{case}", "/desk/texts", "/desk/wave?tag=water"):
        text = desk.client.get(page).text
        assert "345678" not in text.replace("1234566", ""), page
        assert "•••• 678" in text or page in ("/desk/texts", "/desk/wave?tag=water")
        assert not any(NUMBER.search(where) for where in re.findall(r'(?:href|src|action)="([^"]*)"', text)), page
    found = desk.client.post("/desk/search", {"question": CALLER})
    assert f"aaaaaaaa-{case}" in found.text and "345678" not in found.text.replace(f'value="{CALLER}"', "")
    assert desk.client.get(f"/desk/search?question={CALLER}").status_code == 405


def test_words_are_found_by_their_beginnings_in_any_script(either: Desk) -> None:
    first = either.boxes.letter("हमारे गाँव में पानी नहीं आता")
    second = either.boxes.letter("The PUMP near Rampur-Road is broken; Straße ﬁne", OTHER)
    case = either.boxes.case()
    either.gather()
    either.client.post("/desk/note", {"name": f"aaaaaaaa-{case}", "note": "Called the engineer: pump comes Monday"})

    def found(question: str) -> list[str]:
        text = either.client.post("/desk/search", {"question": question}).text
        return sorted(set(re.findall(r"/desk/thing/(aaaaaaaa-\d+)", text)))

    names = {seq: f"aaaaaaaa-{seq}" for seq in (first, second, case)}
    assert found("पान") == [names[first]] and found("गाँव पानी") == [names[first]]
    assert found("pum") == sorted([names[second], names[case]])
    assert found("pump road") == [names[second]] and found("strasse fin") == [names[second]]
    assert found("engin") == [names[case]] and found("ump") == [] and found("\"' * OR & | :") == []
    assert found("1234566") == [names[case]]


def test_the_same_caller_and_what_a_thing_carries(either: Desk) -> None:
    case = either.boxes.case()
    letter = either.boxes.letter("hello again <b>", CALLER)
    either.boxes.talks(CALLER, 42)
    text = either.client.get(f"/desk/thing/aaaaaaaa-{case}").text
    assert f"/desk/thing/aaaaaaaa-{letter}" in text and "42 s" in text and "1234566" in text and "broken" in text
    assert "&lt;b&gt;" in either.client.get(f"/desk/thing/aaaaaaaa-{letter}").text
    assert either.client.get("/desk/thing/aaaaaaaa-999").status_code == 400


# ---------------------------------------------------------------------------------------------- done


def test_a_move_is_told_to_the_box_and_to_the_log(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.gather()
    desk.move(case, "assign")
    assert desk.move(case, "contacted", note="she will be called on Monday").status_code == 303
    orders = desk.rows("SELECT box, line, verb, args, by FROM orders ORDER BY number")
    assert [json.loads(order["args"])["state"] for order in orders] == ["assigned", "contacted"]
    assert {(order["box"], order["line"], order["verb"], order["by"]) for order in orders} == {
        ("box-a", "main", "case", "asha")
    }
    log = [(row["who"], row["did"], row["what"]) for row in desk.office.audit()]
    name = f"aaaaaaaa-{case}"
    assert log == [("asha", "desk: assign", name), ("asha", "desk: contacted", name)]
    desk.boxes.obeys("box-a", 2, "refused", "no such case")
    text = text_of(desk.client.get(f"/desk/thing/{name}"))
    assert "order 1: waiting" in text and "order 2: refused, no such case" in text and "Monday" in text


def test_what_is_no_move_is_refused_in_words_and_nothing_is_written(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.gather()
    answer = desk.move(case, "resolved", note="typed text")
    assert answer.status_code == 409 and "mark it contacted first" in text_of(answer) and "typed text" in answer.text
    desk.move(case, "assign")
    for _ in range(3):
        desk.move(case, "not-reached")
    assert "not reached 3 times" in text_of(desk.client.get(f"/desk/thing/aaaaaaaa-{case}"))
    assert desk.move(case, "resolved").status_code == 409
    assert desk.move(case, "verified").status_code == 409 and desk.move(case, "dance").status_code == 400
    assert desk.rows()[0]["state"] == "assigned" and len(desk.rows("SELECT * FROM orders")) == 1
    assert len(desk.office.audit()) == 4


def test_who_comes_second_is_told_and_loses_nothing(either: Desk) -> None:
    case = either.boxes.case()
    either.gather()
    other = either.office.client("desk", name="ravi")
    assert either.move(case, "assign", version="0").status_code == 303
    answer = either.move(case, "assign", other, version="0", note="my long note")
    assert answer.status_code == 409 and "asha changed this meanwhile" in text_of(answer)
    assert "my long note" in answer.text and either.rows()[0]["version"] == 1
    assert either.move(case, "contacted", other, note="my long note").status_code == 303
    for client, tag in ((either.client, "pump"), (other, "urgent"), (other, "pump")):
        client.post("/desk/tag", {"name": f"aaaaaaaa-{case}", "tag": tag})
    tags = either.rows("SELECT tag, by FROM desk_tag WHERE by <> '' ORDER BY tag")
    assert tags == [{"tag": "pump", "by": "asha"}, {"tag": "urgent", "by": "ravi"}]


def test_tags_by_hand_come_and_go_and_her_own_keys_stay(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.gather()
    name = f"aaaaaaaa-{case}"
    desk.client.post("/desk/tag", {"name": name, "tag": "  Old, Pump "})
    assert desk.page(tag="old-pump") == [name]
    assert desk.client.post("/desk/untag", {"name": name, "tag": "water"}).status_code == 400
    assert desk.client.post("/desk/untag", {"name": name, "tag": "old-pump"}).status_code == 303
    assert desk.client.post("/desk/tag", {"name": name, "tag": CALLER}).status_code == 400
    assert [row["tag"] for row in desk.rows("SELECT tag FROM desk_tag ORDER BY tag")] == ["broken", "water"]
    assert not any(NUMBER.search(row["what"]) for row in desk.office.audit())


def test_many_at_once(desk: Desk) -> None:
    first, second = desk.boxes.case(reference="11111"), desk.boxes.case(reference="22222")
    third = desk.boxes.letter("x", OTHER)
    desk.gather()
    names = [f"aaaaaaaa-{seq}" for seq in (first, second, third)]
    desk.move(second, "assign")
    chosen = [f"{name}@0" for name in names]
    answer = desk.client.post("/desk/many", {"chosen": chosen, "verb": "contacted", "back": "/desk?kind=case"})
    assert answer.headers["location"] == "/desk?kind=case"
    said = text_of(desk.client.get("/desk"))
    assert "2 done. 1 were changed by somebody else meanwhile" in said
    assert [row["state"] for row in desk.rows()] == ["contacted", "assigned", "contacted"]
    desk.client.post("/desk/many", {"chosen": chosen, "verb": "tag", "tag": "pump", "back": "//evil.example"})
    assert sorted(desk.page(tag="pump", state="all")) == sorted(names)
    answer = desk.client.post("/desk/many", {"chosen": [f"{names[2]}@2"], "verb": "assign", "back": "//evil.example"})
    assert answer.headers["location"] == "/desk" and desk.rows()[2]["assignee"] > 0
    assert desk.client.post("/desk/many", {"verb": "assign"}).status_code == 400


def test_another_roles_browser_stays_outside(desk: Desk) -> None:
    desk.boxes.case()
    for role in ("volunteer", "fleet", "auditor", "admin"):
        assert desk.office.client(role).get("/desk").status_code == 403
    assert desk.office.client("manager").get("/desk").status_code == 200
    assert desk.office.client().get("/desk").headers["location"] == "/sign-in"


def test_an_order_that_cannot_be_given_does_not_stop_the_move(desk: Desk) -> None:
    case = desk.boxes.case(reference="no digits")
    desk.gather()
    desk.move(case, "assign")
    assert desk.rows()[0]["state"] == "assigned" and desk.rows("SELECT * FROM orders") == []
    assert "Its box cannot be told" in text_of(desk.client.get("/desk"))


def test_a_tag_is_one_tidy_word() -> None:
    assert act.tidy("  Old,  PUMP  ") == "old-pump" and act.tidy("वार्ड 7") == "वार्ड-7"
    assert act.tidy("98123 45678") == "" and act.tidy("a\x00b") == "" and len(act.tidy("x" * 99)) == 40


def test_states_are_all_reached_and_none_is_left_without_a_way() -> None:
    reached = {"new", *states.MOVES.values()}
    assert reached == set(states.STATES)
    assert all(states.allowed(state) for state in states.STATES)
