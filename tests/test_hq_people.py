"""People: opt-outs to every box, lists by ward, invitations, consents - on both kinds of store, since SQL decides."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from functools import partial

import pytest

from sync.hq import orders
from sync.hq.doors.roles import User
from sync.hq.people import consents, invitations, lists, stops, suppression, wishes
from sync.hq.people.profiles import DAY_MS
from tests.people import ANU, BINA, CHAND, KEY, NOW, People, both

__all__ = ["both"]  # the fixture `people`, on either kind of store

order = partial(orders.order, secret=KEY)

VOLUNTEER = User(1, "veena", "volunteer", "nashik", "12")
DESK = User(2, "deepa", "desk")

# ------------------------------------------------------------------------------------ opt-outs


def orders_of(people: People) -> list[tuple[str, str]]:
    found = people.desk.rows("SELECT box, verb, args FROM orders ORDER BY box, number")
    assert {row["verb"] for row in found} <= {"opt-out"}
    return [(row["box"], json.loads(row["args"])["number"]) for row in found]


def test_an_opt_out_reaches_every_other_box_once(people: People) -> None:
    one, *_ = people.box("nashik-01", "l1", "l2")
    people.box("nashik-02")
    people.box("pune-01")
    people.row(one, "optout", ANU, "on")
    for _ in range(3):  # the job comes again and again
        stops.collect(people.events, people.desk, KEY)
        stops.spread(people.events, people.desk, order, NOW)
    assert orders_of(people) == [("nashik-02", ANU), ("pune-01", ANU)]
    assert suppression.is_suppressed(people.desk, KEY, ANU) and not suppression.is_suppressed(people.desk, KEY, BINA)

    with people.desk.transaction():
        assert stops.stop(people.desk, KEY, BINA, NOW, "")  # the desk writes one down, for all boxes
        assert not stops.stop(people.desk, KEY, BINA, NOW, "")
    people.box("satara-01")  # and a box that is new is told of everybody
    stops.spread(people.events, people.desk, order, NOW)
    assert orders_of(people) == [
        ("nashik-01", BINA), ("nashik-02", ANU), ("nashik-02", BINA), ("pune-01", ANU), ("pune-01", BINA),
        ("satara-01", ANU), ("satara-01", BINA),
    ]  # fmt: skip
    assert stops.spread(people.events, people.desk, order, NOW) == 0


def test_orders_cut_short_are_given_the_next_time_and_none_twice(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = people.box("a-1")
    people.box("b-1")
    callers = [f"+9198765{n:05}" for n in range(7)]
    for caller in callers:
        people.row(one, "optout", caller, "on")
    monkeypatch.setattr(stops, "AT_ONCE", 3)
    stops.collect(people.events, people.desk, KEY)

    def dying(*given: object) -> int:
        if len(orders_of(people)) == 5:
            raise RuntimeError("killed")
        return order(*given)  # type: ignore[arg-type]

    for _ in range(2):
        try:
            stops.spread(people.events, people.desk, dying, NOW)
        except RuntimeError:
            pass
    assert len(orders_of(people)) == 3  # what died took its whole transaction with it
    for _ in range(5):
        stops.spread(people.events, people.desk, order, NOW)
    assert orders_of(people) == [("b-1", caller) for caller in callers]


def test_a_ledger_that_has_not_grown_is_not_asked(people: People) -> None:
    (one,) = people.box("a-1")
    (two,) = people.box("b-1")
    seen: stops.Seen = {}
    people.row(one, "optout", ANU, "on")
    assert [stops.collect(people.events, people.desk, KEY, seen) for _ in range(2)] == [1, 0]
    assert seen == {("stops", one): 1, ("stops", two): 0}
    people.row(one, "call", BINA, "missed")
    people.row(two, "optout", BINA, "on")
    assert stops.collect(people.events, people.desk, KEY, seen) == 1
    people.row(two, "consent", CHAND, "volunteer")
    assert [lists.gather(people.events, people.desk, KEY, NOW, seen) for _ in range(3)] == [1, 0, 0]


def test_what_is_no_number_is_ordered_of_nobody(people: People) -> None:
    (one,) = people.box("a-1")
    people.box("b-1")
    people.row(one, "optout", "AX-BANK", "on")
    people.row(one, "optout", "", "on")
    assert stops.collect(people.events, people.desk, KEY) == 0
    assert stops.spread(people.events, people.desk, order, NOW) == 0


def test_the_key_is_made_once_and_nobody_else_may_read_it(people: People) -> None:
    key = suppression.key(people.data)
    assert len(key) == 32 and suppression.key(people.data) == key
    assert stat.S_IMODE((people.data / suppression.FILE).stat().st_mode) == 0o600
    (people.data / suppression.FILE).write_bytes(b"short")
    with pytest.raises(OSError, match="cut short"):
        suppression.key(people.data)


# --------------------------------------------------------------------------------------- lists


def listed(people: People, user: User = DESK, ward: str = "") -> dict[str, tuple[str, str]]:
    return {row["caller"]: (row["ward"], row["source"]) for row in lists.of_ward(people.desk, user, NOW, ward)}


def test_a_missed_call_alone_puts_nobody_on_a_list(people: People) -> None:
    (store,) = people.box("nashik-01")
    call = people.row(store, "call", ANU, "missed")
    people.row(store, "message", ANU, "received", text="hello there")
    people.row(store, "consent", BINA, "news")
    assert lists.gather(people.events, people.desk, KEY, NOW) == 0 and listed(people) == {}
    with people.desk.transaction():
        assert lists.by_desk(people.events, people.desk, KEY, store, call, "3", NOW) == -1
    said = people.row(store, "recording", ANU, "kept")
    with people.desk.transaction():
        assert lists.by_desk(people.events, people.desk, KEY, store, said, "3", NOW) == 1
        assert lists.by_desk(people.events, people.desk, KEY, store, said, "3", NOW) == 0
    assert listed(people) == {ANU: ("3", "desk")}


def test_the_ward_and_how_it_is_known(people: People) -> None:
    (store,) = people.box("nashik-01")
    people.desk.run("INSERT INTO line_ward VALUES ('nashik-01', 'l1', '7')")
    people.row(store, "answer", ANU, "12", issue="ward", node="ward")
    people.row(store, "message", ANU, "received", text="Ward 5")
    people.row(store, "consent", ANU, "volunteer")
    people.row(store, "message", BINA, "received", text="कॉल करें वार्ड १२")
    people.row(store, "consent", CHAND, "call-back")
    assert lists.gather(people.events, people.desk, KEY, NOW) == 3
    assert lists.gather(people.events, people.desk, KEY, NOW) == 0
    assert listed(people) == {ANU: ("12", "key"), BINA: ("12", "sms"), CHAND: ("7", "line")}
    chand = next(row for row in lists.of_ward(people.desk, DESK, NOW) if row["caller"] == CHAND)
    lists.move(people.desk, chand["id"], "12", NOW)
    assert listed(people)[CHAND] == ("12", "desk")


def test_a_volunteer_sees_her_own_ward_for_two_weeks(people: People) -> None:
    (store,) = people.box("nashik-01")
    people.row(store, "answer", ANU, "12", issue="ward")
    people.row(store, "answer", BINA, "13", issue="ward")
    first = people.row(store, "consent", ANU, "volunteer")
    other = people.row(store, "consent", BINA, "volunteer")
    people.row(store, "consent", CHAND, "volunteer")  # of no ward
    lists.gather(people.events, people.desk, KEY, NOW)
    assert set(listed(people, VOLUNTEER)) == {ANU}
    assert set(listed(people, ward=lists.NOWHERE)) == {CHAND}
    assert set(listed(people, VOLUNTEER, ward=lists.NOWHERE)) == {ANU}
    assert set(listed(people, VOLUNTEER, ward="13")) == {ANU}  # whatever she asks for
    assert listed(people, User(1, "veena", "volunteer", "pune", "12")) == {}
    assert listed(people, User(1, "veena", "volunteer", "", "")) == {}
    may: Callable[[int, int], bool] = lambda seq, now: lists.may_reveal(people.desk, VOLUNTEER, store, seq, now)  # noqa: E731
    assert may(first, NOW) and not may(other, NOW) and not may(999, NOW)

    row = lists.of_ward(people.desk, VOLUNTEER, NOW)[0]
    for state in ("tried", "tried", "reached"):
        lists.mark(people.desk, row["id"], state, f"{state} it", "veena", NOW)
    row = lists.of_ward(people.desk, VOLUNTEER, NOW)[0]
    assert (row["state"], row["tries"], row["last_note"]) == ("reached", 2, "reached it")

    later = NOW + 14 * DAY_MS
    assert lists.of_ward(people.desk, VOLUNTEER, later) == [] and not may(first, later)
    assert lists.mine(people.desk, VOLUNTEER, row["id"], later) is None
    assert len(lists.of_ward(people.desk, DESK, later)) == 3  # headquarters still has it
    lists.renew(people.desk, "12", later)
    assert len(lists.of_ward(people.desk, VOLUNTEER, later)) == 1
    lists.mark(people.desk, row["id"], "done", "", "veena", later)
    assert lists.of_ward(people.desk, VOLUNTEER, later) == [] and not may(first, later)


def test_the_list_test_sees_a_list_that_leaks(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_LIST", lists._LIST.replace("{where}", "({where} OR 1 = 1)"))
    with pytest.raises(AssertionError):
        test_a_volunteer_sees_her_own_ward_for_two_weeks(people)


def test_who_wants_nothing_more_is_on_no_list(people: People) -> None:
    (store,) = people.box("nashik-01")
    people.row(store, "consent", ANU, "volunteer")
    people.row(store, "consent", BINA, "volunteer", at_ms=NOW - 181 * DAY_MS)  # stale: asked for again, not used
    lists.gather(people.events, people.desk, KEY, NOW)
    assert set(listed(people)) == {ANU}
    people.row(store, "optout", ANU, "on")
    stops.collect(people.events, people.desk, KEY)
    people.row(store, "consent", ANU, "call-back", campaign="roads")
    lists.gather(people.events, people.desk, KEY, NOW)
    assert listed(people) == {}


@pytest.mark.parametrize(
    ("text", "calls", "ward"),
    [
        ("CALL", True, ""), ("Call me!", True, ""), ("call me ward 12", True, "12"), ("WARD NO. 7", False, "7"),
        ("फ़ोन करें", True, ""), ("वार्ड १२", False, "12"), ("do not call me", False, ""), ("STOP", False, ""),
        ("forward 12 pages", False, ""), ("ward 1234", False, ""), ("", False, ""),
    ],
)  # fmt: skip
def test_what_an_sms_asks_for(text: str, calls: bool, ward: str) -> None:
    assert (wishes.wants("sms", text), wishes.ward(text)) == (calls, ward)


# --------------------------------------------------------------------------------- invitations


def test_who_comes_who_does_not_and_who_came(people: People) -> None:
    (store,) = people.box("nashik-01")
    people.row(store, "answer", ANU, "no", at_ms=NOW - 9000, issue="sabha")
    said = people.row(store, "answer", ANU, "family", at_ms=NOW - 5000, issue="sabha")  # her last word counts
    no = people.row(store, "answer", BINA, "no", issue="sabha")
    people.row(store, "answer", CHAND, "yes", issue="sabha")
    people.row(store, "answer", CHAND, "yes", issue="meters")
    assert invitations.invitations(people.events, people.desk) == ([], ["meters", "sabha"])
    invitations.invite(people.desk, "sabha", "Gram sabha")
    with people.desk.transaction():
        assert invitations.attended(people.events, people.desk, "sabha", {(store, said), (store, no)}, NOW) == 2
        assert invitations.attended(people.events, people.desk, "sabha", {(store, said), (store, 99)}, NOW) == 0
    ((sabha,), others) = invitations.invitations(people.events, people.desk)
    assert others == ["meters"]
    assert (sabha["confirmed"], sabha["declined"], sabha["attended"], sabha["surprised"]) == (2, 1, 2, 1)
    guests = invitations.guests(people.events, people.desk, "sabha")
    assert {row["caller"] for row in invitations.listed(guests, "attended")} == {ANU, BINA}
    assert {row["caller"] for row in invitations.listed(guests, "confirmed")} == {ANU, CHAND}
    assert {row["caller"] for row in invitations.listed(guests, "declined")} == {BINA}


# ------------------------------------------------------------------------------------ consents


def test_only_a_consent_that_still_stands_is_used(people: People) -> None:
    (store,) = people.box("nashik-01")
    stopped, withdrawn, old, erased = (f"+9198765{n:05}" for n in range(4))
    for caller in (ANU, BINA, stopped, withdrawn):
        people.row(store, "consent", caller, "whatsapp", node="wa", at_ms=NOW - 8000)
    people.row(store, "consent", old, "whatsapp", node="wa", at_ms=NOW - 200 * DAY_MS)
    people.row(store, "consent", "erased:4", "whatsapp", node="wa")
    people.row(store, "consent", erased, "news", node="news")
    people.row(store, "answer", withdrawn, "no", node="wa", at_ms=NOW - 2000)
    people.row(store, "answer", BINA, "no", node="wa", at_ms=NOW - 9000)  # before she agreed
    people.row(store, "optout", stopped, "on")
    stops.collect(people.events, people.desk, KEY)
    found = consents.ledger(people.events, people.desk, KEY, "whatsapp", NOW)
    assert {row["caller"] for row in found.good} == {ANU, BINA}
    assert (found.stopped, found.withdrawn, found.stale, found.erased) == (1, 1, 1, 1)
    assert {row["purpose"]: row["callers"] for row in consents.purposes(people.events)} == {"whatsapp": 6, "news": 1}
    assert consents.chat(ANU) == "https://wa.me/919876500011"
