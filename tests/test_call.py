"""The life of one call: each row of the table, and the callers that field reports tell of."""

from __future__ import annotations

import pytest

from edge import call as room
from edge import profile
from edge.call import Call
from edge.events import (
    ASK,
    BUSY,
    HANG,
    Amend,
    Answered,
    AskCalls,
    CallChanged,
    CallEnded,
    CallerSeen,
    Expired,
    HangUp,
    Happening,
    Keep,
    ListedCall,
    Noise,
    Order,
    Rang,
    Refused,
    Waited,
    Withdraw,
)
from edge.recent import same

GENERIC = profile.load_all()["generic"]
A, B = CallerSeen("+919812345678", 145, 0), CallerSeen("+919800000001", 145, 0)
WITHHELD = CallerSeen("", 128, 1)
LATE_A = CallerSeen("09812345678", 129, 0)


def listing(*numbers: str, status: int = 4) -> Answered:
    lines = [f'+CLCC: {n},1,{status},0,0,"{number}",145' for n, number in enumerate(numbers, 1)]
    return Answered(ASK, ('+CLCC: 9,0,0,1,0,"",128', *lines))


class Talk:
    """A call machine that obeys at once: what is ordered is noted, a hang-up is written unless the channel is busy."""

    def __init__(self, channel_free: bool = True) -> None:
        self.call, self.free = Call(GENERIC), channel_free
        self.orders: list[Order] = []

    def on(self, now: float, *events: Happening) -> list[Order]:
        given: list[Order] = []
        for event in events:
            given += self._obey(self.call.on(event, now), now)
        return given

    def tick(self, now: float) -> list[Order]:
        return self._obey(self.call.tick(now), now)

    def _obey(self, orders: list[Order], now: float) -> list[Order]:
        kept = [o for o in orders if not isinstance(o, Withdraw)]
        self.orders += orders
        if any(isinstance(o, AskCalls) for o in orders):
            self.call.asked(now)
        if self.free and any(isinstance(o, HangUp) and o.tag == HANG for o in orders):
            self.call.hung_up(now)
        return kept

    @property
    def kept(self) -> list[Keep]:
        return [o for o in self.orders if isinstance(o, Keep)]


CHUP, ATH = HangUp("AT+CHUP"), HangUp("ATH")


def rejected(talk: Talk, now: float = 0.0, seen: CallerSeen = A) -> None:
    """A call that is known and hung up, and gone from the list."""
    assert talk.on(now, Rang(), seen) == [Keep(seen), CHUP]
    assert talk.on(now + 0.1, Answered(HANG)) == [AskCalls()]
    assert talk.on(now + 0.2, listing()) == []
    assert not talk.call.busy


def test_a_caller_is_kept_then_rejected_then_believed_gone() -> None:
    rejected(Talk())


def test_orders_stand_in_the_order_of_the_promise() -> None:
    orders = [type(o) for o in Talk().on(0.0, Rang(), A)]
    assert orders.index(Keep) < orders.index(HangUp)


def test_rings_repeat_before_the_number_comes() -> None:
    talk = Talk()
    assert talk.on(0.0, Rang(), Rang()) == []
    assert talk.on(0.1, A) == [Keep(A), CHUP]


def test_clip_without_ring_is_a_call() -> None:
    assert Talk().on(0.0, A) == [Keep(A), CHUP]


def test_withheld_and_unavailable_are_rejected_at_once() -> None:
    assert Talk().on(0.0, Rang(), WITHHELD) == [Keep(WITHHELD), CHUP]


def test_without_a_number_the_list_is_asked_at_each_of_the_three_moments() -> None:
    talk = Talk()
    talk.on(0.0, Rang())
    for moment in room.ASK_AFTER:
        assert talk.call.deadline() == pytest.approx(moment)
        assert talk.tick(moment - 0.01) == []
        assert talk.tick(moment) == [AskCalls()]
        given = talk.on(moment + 0.01, listing())
    assert given == [Keep(None), CHUP]


def test_the_list_knows_the_caller() -> None:
    talk = Talk()
    talk.on(0.0, Rang())
    talk.tick(0.2)
    assert talk.on(0.21, Answered("other"), listing("+919812345678"))[0] == Keep(CallerSeen("+919812345678", 145, None))


def test_a_list_without_a_number_is_a_withheld_caller_in_the_end() -> None:
    talk = Talk()
    talk.on(0.0, Rang())
    for moment in room.ASK_AFTER:
        talk.tick(moment)
        given = talk.on(moment + 0.01, listing(""))
    assert given == [Keep(CallerSeen("", 145, 1)), CHUP]


def test_an_unlisted_caller_is_kept_even_when_the_channel_cannot_ask() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang())
    assert talk.tick(0.2) == [AskCalls()]
    assert talk.tick(room.LATEST) == [Keep(None), CHUP]


@pytest.mark.parametrize("answer", [Refused(ASK, "CME", 100), Expired(ASK)])
def test_a_refused_list_counts_as_a_question_put(answer: Happening) -> None:
    talk = Talk()
    talk.on(0.0, Rang())
    for moment in room.ASK_AFTER:
        talk.tick(moment)
        given = talk.on(moment + 0.01, answer)
    assert given == [Keep(None), CHUP]


def test_the_caller_gives_up_before_her_number_came() -> None:
    talk = Talk()
    assert talk.on(0.0, Rang(), CallEnded("NO CARRIER")) == [Keep(None, "gave-up")]
    assert talk.on(5.0, Rang(), CallEnded("MISSED_CALL", "07712345678")) == [Keep(CallerSeen("07712345678"), "gave-up")]


def test_the_caller_gives_up_while_our_hang_up_waits_for_the_channel() -> None:
    talk = Talk(channel_free=False)
    assert talk.on(0.0, Rang(), A) == [Keep(A), CHUP]
    assert talk.on(1.0, CallEnded("^CEND")) == [Amend("gave-up", A.number)]
    assert talk.orders[-3:] == [Withdraw(HANG), Withdraw(ASK), Amend("gave-up", A.number)]
    assert talk.on(1.4, Rang(), B) == [Keep(B), CHUP]


def test_rings_that_stop_are_an_end_too() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang(), A)
    assert talk.on(5.0, Rang()) == []
    assert talk.on(20.0, Rang()) == [Amend("gave-up", A.number)]
    silent = Talk(channel_free=False)
    silent.on(0.0, Rang())
    assert silent.on(20.0, Rang()) == [Keep(None, "gave-up")]


def test_another_number_is_another_call_even_without_an_end_mark() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang(), A)
    assert talk.on(0.4, Rang(), B) == [Amend("gave-up", A.number), Keep(B), CHUP]
    assert Withdraw(HANG) in talk.orders


def test_after_the_hang_up_another_number_is_kept_before_it_is_rejected() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.4, B) == [Keep(B), CHUP]


def test_the_repeat_of_one_number_in_any_form_is_one_call() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.1, LATE_A, A) == []
    assert len(talk.kept) == 1


def test_a_late_number_of_an_unknown_caller_is_no_second_call_but_a_later_one_is() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang())
    talk.tick(0.2)
    talk.call._asks = 2
    assert talk.on(3.1, listing()) == [Keep(None), CHUP]
    assert talk.on(3.2, A) == []
    assert talk.on(6.0, A) == [Amend("gave-up"), Keep(A), CHUP]


# -------------------------------------------------------------------------- believing a hang-up


def test_ok_without_effect_is_followed_by_ath_only_while_the_list_shows_the_same_call() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.1, Answered(HANG)) == [AskCalls()]
    now = 0.2
    for _ in range(room.VERIFY_LOOKS - 1):
        assert talk.on(now, listing("+919812345678")) == []
        now = talk.call.deadline() or 0.0
        assert talk.tick(now) == [AskCalls()]
    assert talk.on(now, listing("+919812345678")) == [ATH]
    assert len(talk.kept) == 1


def test_a_reused_index_with_another_number_is_committed_first() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    talk.on(0.1, Answered(HANG))
    assert talk.on(0.2, listing("+919800000001")) == [Keep(CallerSeen("+919800000001", 145, None)), CHUP]


def test_a_withheld_next_caller_is_not_taken_for_the_last_one() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    talk.on(0.1, Answered(HANG))
    assert talk.on(0.2, listing(""))[0] == Keep(CallerSeen("", 145, None))


def test_an_end_mark_is_believed_at_once() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.05, CallEnded("^CEND")) == [] and not talk.call.busy
    assert talk.on(0.06, Answered(HANG)) == []


def test_a_list_that_cannot_be_had_leaves_the_word_to_the_next_ring() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    talk.on(0.1, Answered(HANG))
    assert talk.on(0.2, Refused(ASK, "ERROR")) == [] and not talk.call.busy
    assert talk.on(0.3, Answered("other")) == []
    assert talk.on(5.0, Rang(), A) == [ATH] and len(talk.kept) == 1  # in its cycle: the same call
    talk.on(5.1, Answered(HANG), Refused(ASK, "ERROR"))
    assert talk.on(5.6, Rang(), B) == [Keep(B), CHUP]  # too early for a repeat: somebody else


def test_answers_to_others_say_nothing_about_the_hang_up() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.1, Answered("script:1")) == [] and talk.call.state == "leaving"


def test_the_next_ring_comes_too_early_to_be_a_repeat() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    assert talk.on(0.05, Rang()) == []  # our hang-up is not answered yet: still hers
    talk.on(0.1, Answered(HANG))
    assert talk.on(0.4, Rang()) == [] and talk.call.state == "ringing"  # end mark dropped, next caller
    assert talk.on(0.5, B) == [Keep(B), CHUP]


def test_the_repeat_of_a_call_that_does_not_go_is_the_same_call() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    talk.on(0.1, Answered(HANG))
    assert talk.on(5.0, Rang(), A) == [] and talk.call.state == "leaving"


def test_the_same_voter_calls_again_after_an_end_mark() -> None:
    talk = Talk()
    rejected(talk)
    rejected(talk, now=3.0)
    assert len(talk.kept) == 2


def test_a_ring_or_number_written_late_is_no_second_call() -> None:
    for late in ([A], [Rang(), A], [Rang()]):
        talk = Talk()
        assert talk.on(0.0, changed(4, A.number))[-1] == CHUP  # known before its RING was written
        assert talk.on(0.1, changed(6, A.number), Answered(HANG)) == []
        assert talk.on(0.4, *late) == []
        assert talk.on(0.5, Rang(), B) == [Keep(B), CHUP]  # the next caller, 0.4 s behind the first
    talk = Talk()
    rejected(talk)
    assert talk.on(0.6, Rang(), A) == [Keep(A), CHUP]  # her RING and CLIP had been heard: she calls again


def test_a_number_written_late_while_the_next_caller_is_in_hand_is_nobody_new() -> None:
    talk = Talk()
    talk.on(0.0, changed(4, A.number))
    talk.on(0.05, changed(4, B.number))
    assert talk.on(0.2, Rang(), A, Rang(), B) == []
    assert [k.seen.number for k in talk.kept if k.seen] == [A.number, B.number]


# ----------------------------------------------------------------------------- marks of another


def test_a_late_mark_of_the_last_call_ends_nobody() -> None:
    talk = Talk()
    rejected(talk)  # gone from the list, its mark still owed
    talk.on(0.5, Rang())
    assert talk.on(0.6, CallEnded("NO CARRIER")) == [] and talk.call.state == "ringing"
    busy = Talk()
    rejected(busy)
    busy.free = False
    busy.on(0.5, Rang(), B)
    assert busy.on(0.6, CallEnded("NO CARRIER")) == [] and busy.call.state == "kept"


def test_a_mark_that_names_somebody_else_is_not_ours() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang(), A)
    assert talk.on(0.1, CallEnded("changed", "+919800000001")) == []
    ringing = Talk()
    rejected(ringing)
    ringing.on(3.0, Rang())
    assert ringing.on(3.1, CallEnded("changed", A.number)) == []
    assert ringing.on(3.2, CallEnded("changed", "+919800000001"))[0] == Keep(CallerSeen("+919800000001"), "gave-up")


def test_a_missed_call_that_we_did_not_hear_is_a_caller() -> None:
    talk = Talk()
    seen = CallerSeen("07712345678")
    assert talk.on(0.0, CallEnded("MISSED_CALL", "07712345678")) == [Keep(seen, "gave-up")]
    assert talk.on(1.0, CallEnded("MISSED_CALL", "07712345678")) == []
    assert talk.on(2.0, CallEnded("MISSED_CALL")) == [] and talk.on(2.0, CallEnded("NO CARRIER")) == []


def test_a_ring_inside_the_answer_to_our_hang_up_is_no_caller() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)
    talk.on(0.1, CallEnded("VOICE CALL"), Rang(), Answered(HANG))
    for moment in room.ASK_AFTER:
        talk.tick(0.1 + moment)
        talk.on(0.11 + moment, listing())
    assert len(talk.kept) == 1 and not talk.call.busy


# ----------------------------------------------------------------------------------- vendors


def changed(status: int, number: str = "", outgoing: bool = False) -> CallChanged:
    return CallChanged(ListedCall(4, outgoing, status, number, 145))


def test_vendors_urcs_tell_the_same_story() -> None:
    talk = Talk()
    assert talk.on(0.0, changed(4)) == [] and talk.call.state == "ringing"
    assert talk.on(0.1, changed(4), changed(4, outgoing=True)) == []
    assert talk.on(0.2, changed(4, A.number))[-1] == CHUP
    assert talk.on(0.3, changed(6, A.number)) == [] and not talk.call.busy
    assert talk.on(0.4, changed(0), Noise(3)) == []


def test_call_waiting_is_one_record_and_user_busy_for_her_alone() -> None:
    talk = Talk(channel_free=False)
    talk.on(0.0, Rang(), A)
    assert talk.on(1.0, Waited(B.number, 145)) == [
        Keep(CallerSeen(B.number, 145), waiting=True),
        HangUp("AT+CHLD=0", BUSY),
    ]
    assert talk.on(2.0, Waited(B.number, 145)) == []
    talk.on(3.0, CallEnded("NO CARRIER"))
    assert talk.on(3.4, Rang(), B) == [CHUP]  # the waiting call has become the incoming one: kept already
    assert talk.on(30.0, Waited(B.number, 145)) != []


def test_a_restart_adopts_the_caller_on_disk_once() -> None:
    talk = Talk()
    talk.call.adopt(A, 0.0)
    assert talk.on(1.0, Rang(), A) == [CHUP]
    talk.on(1.1, CallEnded("^CEND"))
    assert talk.on(3.0, Rang(), A) == [Keep(A), CHUP]
    other = Talk()
    other.call.adopt(A, 0.0)
    assert other.on(1.0, Rang(), B) == [Keep(B), CHUP]
    late = Talk()
    late.call.adopt(A, 0.0)
    assert late.on(21.0, Rang(), A) == [Keep(A), CHUP]


def test_the_first_look_finds_who_rings_already() -> None:
    talk = Talk()
    assert talk.call.look() == [AskCalls()]
    assert talk.on(0.1, listing(A.number))[-1] == CHUP
    nobody = Talk()
    nobody.call.look()
    assert nobody.on(0.1, listing()) == [] and nobody.on(0.2, listing(A.number)) == []


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("+919812345678", "09812345678", True),
        ("", "", True),
        ("", "121", False),
        ("121", "1121", False),
        ("121", "121", True),
    ],
)
def test_two_spellings_of_one_number(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal


def test_nothing_is_due_when_nobody_rings() -> None:
    call = Call(GENERIC)
    assert call.deadline() is None and call.tick(9.0) == []
    call.hung_up(0.0)
    assert call.state == "quiet"


# ------------------------------------------------------- while the hang-up waits for the channel


def waiting_hang_up(now: float = 0.0) -> Talk:
    """A caller who is on disk, her hang-up queued behind an SMS."""
    talk = Talk(channel_free=False)
    assert talk.on(now, Rang(), A) == [Keep(A), CHUP]
    return talk


def test_a_ring_takes_the_hang_up_back_until_it_is_known_whose_it_is() -> None:
    talk = waiting_hang_up()
    assert talk.on(5.0, Rang()) == [] and Withdraw(HANG) in talk.orders
    assert talk.on(5.1, A) == [CHUP] and len(talk.kept) == 1
    talk.on(10.0, Rang())
    assert talk.on(10.1, B) == [Amend("gave-up", A.number), Keep(B), CHUP]


def test_a_repeat_without_a_number_waits_for_the_list_and_is_no_second_record() -> None:
    talk = waiting_hang_up()
    talk.on(5.0, Rang())
    assert talk.tick(5.2) == [AskCalls()]
    assert talk.tick(5.0 + room.LATEST) == []  # the channel is blocked: she is on disk, nothing is lost by waiting
    assert talk.on(14.0, listing(A.number)) == [CHUP] and len(talk.kept) == 1


def test_a_repeat_that_nobody_lists_was_her_last_one() -> None:
    talk = waiting_hang_up()
    assert talk.on(20.0, Rang()) == [Amend("gave-up", A.number)] and talk.call.state == "ringing"
    talk = waiting_hang_up()
    talk.on(5.0, Rang())
    given: list[Order] = []
    for moment in room.ASK_AFTER:
        talk.tick(5.0 + moment)
        given = talk.on(5.01 + moment, listing())
    assert given == [Amend("gave-up", A.number)] and not talk.call.busy
    ended = waiting_hang_up()
    ended.on(5.0, Rang())
    assert ended.on(6.0, CallEnded("NO CARRIER")) == [Amend("gave-up", A.number)]
    silent = waiting_hang_up()
    silent.on(5.0, Rang())
    silent.tick(5.0 + room.LATEST)
    assert silent.tick(5.2 + room.SILENCE) == [Amend("gave-up", A.number)]


def test_a_list_asked_for_before_the_ring_says_nothing_about_it() -> None:
    talk = Talk()
    talk.on(0.0, Rang())
    talk.call.asked(-0.1)
    assert talk.on(0.1, listing(A.number)) == [AskCalls()]
    assert talk.on(0.2, listing(B.number))[-1] == CHUP


def test_an_end_mark_while_another_hang_up_is_unanswered_proves_nothing() -> None:
    talk = Talk()
    talk.on(0.0, Rang(), A)  # our hang-up of A is written, its answer slow
    talk.free = False
    assert talk.on(0.4, Rang(), B) == [Keep(B), CHUP]
    assert talk.on(0.9, CallEnded("^CEND")) == [] and talk.call.state == "ringing"  # A's, or B's?
    assert talk.on(1.0, listing(B.number)) == [AskCalls()] or talk.on(1.1, listing(B.number)) == [CHUP]
    assert [k.seen for k in talk.kept] == [A, B]


def test_the_first_ring_of_a_call_found_in_the_list_is_no_repeat() -> None:
    for free in (True, False):
        talk = Talk(channel_free=free)
        talk.call.look()
        assert talk.on(0.1, listing(A.number))[-1] == CHUP
        if free:
            talk.on(0.2, Answered(HANG))
        assert talk.on(1.0, Rang()) == [] and talk.call.state in ("kept", "leaving")


def test_a_lost_modem_leaves_one_record_of_a_caller_not_yet_known() -> None:
    talk = Talk()
    assert talk.call.lost() == []
    talk.on(0.0, Rang())
    assert talk.call.lost() == [Keep(None)]


def test_a_listing_of_a_call_long_gone_is_no_caller() -> None:
    talk = Talk()
    rejected(talk)
    talk.on(5.0, Rang(), B)
    talk.on(5.1, Answered(HANG))
    assert talk.on(5.2, listing(A.number)) == [] and not talk.call.busy
    assert [k.seen for k in talk.kept] == [A, B]
