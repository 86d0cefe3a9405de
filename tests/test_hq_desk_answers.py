"""What the desk sends: what a text costs and must not tell, orders through the box that took the call, and answers to
all callers of a tag, each once whatever ends the work in its middle."""

from __future__ import annotations

import array
import json
import math
import shutil
import subprocess
import threading
import wave as riff
from collections import Counter
from contextlib import suppress as suppress_
from pathlib import Path

import pytest

from sync.hq import orders, stores
from sync.hq.desk import replies, sounds, wave
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.people import suppression
from tests.browser import wait_for
from tests.desk import CALLER, DAY_MS, OTHER, Desk, desk, either
from tests.hq import Office, text_of

__all__ = ["desk", "either"]  # fixtures, used by name

ASKED = wave.Asked("water", "", "", 7, "We have heard you. Office, Nandgaon. STOP: no more", "en")


def key(desk: Desk) -> bytes:
    return suppression.key(desk.office.config.data)


def suppress(desk: Desk, caller: str) -> None:
    """Headquarters knows nothing of her but that she wants nothing."""
    with desk.office.desk() as db, db.transaction():
        suppression.add(db, key(desk), caller, desk.now_ms, "desk")


# ----------------------------------------------------------------------------------------------- one


def test_an_sms_is_looked_at_and_then_ordered_through_its_box(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.gather()
    sent = {"name": f"aaaaaaaa-{case}", "text": "Case {reference} is with us. Reply STOP to end.", "step": "look"}
    look = desk.client.post("/desk/reply", sent)
    assert look.status_code == 200 and "Case 1234566 is with us" in look.text and "1 SMS in Latin letters" in look.text
    assert desk.rows("SELECT * FROM orders") == []
    answer = desk.client.post("/desk/reply", {**sent, "step": "send", "back": f"/desk/thing/aaaaaaaa-{case}"})
    assert answer.status_code == 303
    order = desk.rows("SELECT * FROM orders")[0]
    assert (order["box"], order["line"], order["verb"]) == ("box-a", "main", "sms")
    assert json.loads(order["args"]) == {
        "number": CALLER, "campaign": "water", "text": "Case 1234566 is with us. Reply STOP to end.", "language": "hi",
    }  # fmt: skip
    assert [row["did"] for row in desk.office.audit()] == ["desk: sms"]
    page = text_of(desk.client.get(f"/desk/thing/aaaaaaaa-{case}"))
    assert "SMS ordered" in page and "order 1: waiting" in page
    desk.client.post("/desk/call-back", {"name": f"aaaaaaaa-{case}"})
    assert [row["verb"] for row in desk.rows("SELECT verb FROM orders ORDER BY number")] == ["sms", "call-back"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("Your complaint about the broken road", "others may read her phone"),
        ("WATER is with us", "others may read her phone"),
        ("You chose support. Thank you", "others may read her phone"),
        ("Dear {name}", "only gap"), ("Hello {", "only gap"),
        ("x" * 161, "more than one SMS"), ("आपकी शिकायत " * 8, "more than one SMS"), ("y" * 700, "too long"),
    ],
)  # fmt: skip
def test_what_must_not_go_does_not(tmp_path: Path, text: str, why: str) -> None:
    desk = Desk(tmp_path, "sqlite")
    case = desk.boxes.case(tags="water,broken road")
    desk.boxes.votes(CALLER, "support")
    desk.gather()
    for step in ("look", "send"):
        answer = desk.client.post("/desk/reply", {"name": f"aaaaaaaa-{case}", "text": text, "step": step})
        assert answer.status_code == 409 and why in text_of(answer).lower().replace("sms", "SMS"), text_of(answer)
    assert desk.rows("SELECT * FROM orders") == []


def test_nothing_goes_to_who_wants_nothing_or_has_no_number(desk: Desk) -> None:
    case, withheld = desk.boxes.case(), desk.boxes.letter("hello", "")
    desk.boxes.opt_out(CALLER)
    desk.gather()
    for seq, why in ((case, "wants nothing more"), (withheld, "no number")):
        sent = {"name": f"aaaaaaaa-{seq}", "text": "Thank you", "step": "send"}
        assert why in text_of(desk.client.post("/desk/reply", sent))
        assert desk.client.post("/desk/call-back", {"name": f"aaaaaaaa-{seq}"}).status_code == 400
    assert "wants nothing more" in text_of(desk.client.get(f"/desk/thing/aaaaaaaa-{case}"))
    assert desk.rows("SELECT * FROM orders") == []


def tries(desk: Desk, case: int) -> None:
    """All ways in which somebody at headquarters writes to or rings a caller."""
    name = {"name": f"aaaaaaaa-{case}"}
    desk.client.post("/desk/reply", {**name, "text": "Thank you", "step": "send"})
    desk.client.post("/desk/call-back", name)
    number = _begun(desk)
    with desk.office.desk() as db:
        row = db.row("SELECT * FROM desk_wave WHERE id = :id", id=number)
        assert row and wave.step(db, desk.events, key(desk), row, desk.now_ms) < 2
    for verb in (("sms", CALLER, "en", "Thank you"), ("call-back", CALLER)):
        with suppress_(orders.Refused):
            orders.give(desk.office.config, "box-a", "main", verb[0], verb[1:], "root", desk.now_ms)


def test_nothing_goes_to_a_number_that_is_suppressed(either: Desk) -> None:
    """Also where no box's opt-out is left to tell: somebody at the desk wrote it down, or she was forgotten."""
    case = either.boxes.case()
    either.gather()
    suppress(either, CALLER)
    sent = {"name": f"aaaaaaaa-{case}", "text": "Thank you", "step": "send"}
    refused = either.client.post("/desk/reply", sent)
    assert refused.status_code == 409 and "wants nothing more from us" in text_of(refused)
    rung = either.client.post("/desk/call-back", {"name": f"aaaaaaaa-{case}"})
    assert rung.status_code == 400 and "wants nothing more from us" in text_of(rung)
    page = text_of(either.client.get(f"/desk/thing/aaaaaaaa-{case}"))
    assert "wants nothing more" in page and "Look at it before it goes" not in page
    asked = {"tag": "water", "text": ASKED.text, "language": "en", "step": "look"}
    looked = text_of(either.client.post("/desk/wave", asked))
    assert "0 callers" in looked and "1 opted out" in looked
    with pytest.raises(orders.Suppressed, match="nothing more"):
        orders.give(either.office.config, "box-a", "main", "call-back", (CALLER,), "root", either.now_ms)
    tries(either, case)
    assert either.rows("SELECT * FROM orders") == []
    assert [row["did"] for row in either.office.audit()] == []


def test_who_is_suppressed_while_a_wave_runs_is_spared(desk: Desk) -> None:
    _crowd(desk, 3)
    number = _begun(desk)
    suppress(desk, "+919800000001")
    with desk.office.desk() as db:
        row = db.row("SELECT * FROM desk_wave WHERE id = :id", id=number)
        assert row and wave.step(db, desk.events, key(desk), row, desk.now_ms) == 3
        assert wave.why(db, number) == [{"why": "opted out", "n": 1}]
    assert "+919800000001" not in _ordered(desk) and len(_ordered(desk)) == 2


def test_an_order_that_does_not_look_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, "sqlite")
    case = desk.boxes.case()
    desk.gather()
    suppress(desk, CALLER)
    monkeypatch.setattr(suppression, "is_suppressed", lambda *given: False)
    tries(desk, case)
    assert {row["verb"] for row in desk.rows("SELECT verb FROM orders")} == {"sms", "call-back"}


def test_more_than_one_sms_goes_only_with_open_eyes(desk: Desk) -> None:
    case = desk.boxes.case()
    desk.gather()
    sent = {"name": f"aaaaaaaa-{case}", "text": "आपकी बात हम तक पहुँची। " * 4, "step": "send"}
    assert desk.client.post("/desk/reply", sent).status_code == 409
    assert desk.client.post("/desk/reply", {**sent, "longer": "1"}).status_code == 303


def test_texts_are_kept_counted_and_not_overwritten_unseen(either: Desk) -> None:
    client, other = either.client, either.office.client("manager", name="ravi")
    kept = {"text_name": "Thanks", "language": "hi", "text": "धन्यवाद। रोकने के लिए STOP", "version": "-1"}
    assert client.post("/desk/texts", kept).status_code == 303
    assert "another script" in text_of(client.get("/desk/texts"))
    first = {**kept, "version": "0", "text": "धन्यवाद जी"}
    assert other.post("/desk/texts", first).status_code == 303
    late = client.post("/desk/texts", {**first, "text": "मेरा पाठ"})
    assert late.status_code == 409 and "मेरा पाठ" in late.text and "धन्यवाद जी" in late.text
    assert client.post("/desk/texts", {**kept, "text": "x" * 161, "text_name": "long"}).status_code == 409
    assert client.post("/desk/texts", {**kept, "text_name": CALLER}).status_code == 400
    case = either.boxes.case()
    either.gather()
    number = str(either.rows("SELECT id FROM desk_text")[0]["id"])
    look = client.post("/desk/reply", {"name": f"aaaaaaaa-{case}", "kept": number, "step": "look"})
    assert "धन्यवाद जी" in look.text
    assert client.post("/desk/parts", {"text": "é" * 71}).text.startswith("1 SMS in Latin letters")
    assert client.post("/desk/parts", {"text": "अ" * 71}).text.startswith("2 SMS in another script")
    assert client.post("/desk/texts/drop", {"id": number}).status_code == 303
    assert either.rows("SELECT * FROM desk_text") == []


# ---------------------------------------------------------------------------------------- all of a tag


def _crowd(desk: Desk, callers: int) -> None:
    for n in range(callers):
        desk.boxes.case(f"+9198000{n:05}", reference=f"{20000 + n}")
    desk.gather()


def _begun(desk: Desk) -> int:
    with desk.office.desk() as db, db.transaction():
        return wave.begin(db, ASKED, wave.look(db, desk.events, key(desk), ASKED, desk.now_ms), "asha", desk.now_ms)


def _ordered(desk: Desk) -> Counter[str]:
    return Counter(json.loads(row["args"])["number"] for row in desk.rows("SELECT args FROM orders WHERE verb = 'sms'"))


def test_a_look_says_whom_it_reaches_and_whom_not(either: Desk) -> None:
    now = either.now_ms
    either.boxes.case(CALLER, reference="11111")
    either.boxes.letter("again", CALLER)
    either.boxes.take(CALLER, at_ms=now - 2000)
    either.boxes.take("")
    either.boxes.take(OTHER)
    either.boxes.take("+919800000001", at_ms=now - 9 * DAY_MS)
    answered = either.boxes.take("+919800000002")
    either.boxes.take("+919800000003", tags="road")
    either.boxes.opt_out(OTHER)
    either.gather()
    sent = {"name": f"aaaaaaaa-{answered}", "text": "Thank you", "step": "send"}
    assert either.client.post("/desk/reply", sent).status_code == 303
    asked = {"tag": "water", "text": ASKED.text, "language": "en", "days": "7", "tariff": "0,5"}
    page = text_of(either.client.post("/desk/wave", {**asked, "step": "look"}))
    assert "1 callers, 1 SMS" in page and "costs 0.50" in page
    for why in ("1 withheld", "1 opted out", "1 answered already", "1 too old"):
        assert why in page
    assert either.rows("SELECT * FROM desk_wave") == []
    tells = either.client.post("/desk/wave", {**asked, "text": "The water comes", "step": "send"})
    assert tells.status_code == 409 and "Others may read her phone" in text_of(tells)
    assert either.rows("SELECT * FROM desk_wave") == []


def test_all_of_a_tag_are_answered_once_with_progress(desk: Desk) -> None:
    _crowd(desk, 60)
    asked = {"tag": "water", "text": ASKED.text, "language": "en", "days": "7", "step": "send"}
    answer = desk.client.post("/desk/wave", asked)
    where = answer.headers["location"]
    wait_for(lambda: "60 ordered, 0 spared, 0 to do" in text_of(desk.client.get(where)))
    wait_for(lambda: desk.rows("SELECT state FROM desk_wave") == [{"state": "done"}])
    assert set(_ordered(desk).values()) == {1} and len(_ordered(desk)) == 60
    again = text_of(desk.client.post("/desk/wave", {**asked, "step": "look"}))
    assert "0 callers" in again and "60 answered already" in again
    assert [row["did"] for row in desk.office.audit()] == ["desk: answer all"]


def test_a_tariff_in_hq_toml_is_the_price_and_nobody_is_asked(desk: Desk) -> None:
    _crowd(desk, 60)
    asked = {"tag": "water", "text": ASKED.text, "language": "en", "days": "7", "tariff": "9"}
    free = desk.client.post("/desk/wave", asked).text
    assert 'name="tariff"' in free and "costs 540.00" in text_of(desk.client.post("/desk/wave", asked))
    priced = '[tariff]\ncurrency = "INR"\nsms = 0.5\nminute = 1\nsim_month = 199\n'
    office = Office(desk.office.file.parent, ROUTES, TABS, more=priced)
    client = office.client("desk", name="asha")
    assert 'name="tariff"' not in client.get("/desk/wave?tag=water").text
    assert "costs 30.00 INR" in text_of(client.post("/desk/wave", asked))


def _with_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """A wave whose work ends in the middle of every second step."""
    number, real, calls = _begun(desk), orders.order, 0

    def ends(*args: object, **more: object) -> int:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise KeyboardInterrupt
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(orders, "order", ends)
    for _ in range(60):
        with desk.office.desk() as db:
            row = db.row("SELECT * FROM desk_wave WHERE id = :id", id=number)
            assert row
            try:
                if not wave.step(db, desk.events, key(desk), row, desk.now_ms, 5):
                    break
            except KeyboardInterrupt:
                continue
    return _ordered(desk)


def test_whatever_ends_the_work_nobody_is_written_to_twice_or_left_out(
    either: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _crowd(either, 40)
    found = _with_ends(either, monkeypatch)
    assert set(found.values()) == {1} and len(found) == 40


def test_a_work_that_forgets_whom_it_wrote_to_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, "sqlite")
    _crowd(desk, 10)
    monkeypatch.setattr(wave, "_MARK", "SELECT :state, :why, :wave, :caller")
    monkeypatch.setattr(wave, "_HAD", "SELECT 1 WHERE :caller = '' AND :wave = 0")
    assert max(_with_ends(desk, monkeypatch).values()) > 1


def test_two_who_work_at_once_do_not_double(either: Desk) -> None:
    _crowd(either, 40)
    number, failed = _begun(either), []

    def work() -> None:
        try:
            with stores.desk(either.office.config) as db, stores.events(either.office.config) as events:
                row = db.row("SELECT * FROM desk_wave WHERE id = :id", id=number)
                assert row
                while wave.step(db, events, key(either), row, either.now_ms, 3):
                    pass
        except Exception as error:
            failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == [] and set(_ordered(either).values()) == {1} and len(_ordered(either)) == 40


def test_who_opts_out_meanwhile_is_spared_and_a_stop_stops(desk: Desk) -> None:
    _crowd(desk, 6)
    number = _begun(desk)
    desk.boxes.opt_out("+919800000000")
    with desk.office.desk() as db:
        row = db.row("SELECT * FROM desk_wave WHERE id = :id", id=number)
        assert row and wave.step(db, desk.events, key(desk), row, desk.now_ms, 2) == 2
        assert wave.why(db, number) == [{"why": "opted out", "n": 1}]
    assert desk.client.post("/desk/wave/stop", {"number": str(number)}).status_code == 303
    with desk.office.desk() as db:
        assert wave.step(db, desk.events, key(desk), row, desk.now_ms, 2) == 0
        assert wave.progress(db, number) == {"todo": 4, "ordered": 1, "spared": 1}
    assert wave.wake(desk.office.config) is None


# --------------------------------------------------------------------------------------------- sounds


@pytest.fixture(scope="module")
def opus(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds: silence, then a tone."""
    encoder = shutil.which("opusenc")
    if not encoder or not shutil.which("opusdec"):
        pytest.skip("opus-tools is not installed: apt install opus-tools")
    folder = tmp_path_factory.mktemp("opus")
    tone = [int(20000 * math.sin(at / 3)) if at > 8000 else 0 for at in range(16000)]
    with riff.open(str(folder / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(array.array("h", tone).tobytes())
    subprocess.run([encoder, "--quiet", str(folder / "a.wav"), str(folder / "a.opus")], check=True)
    return (folder / "a.opus").read_bytes()


def test_a_recording_is_heard_and_drawn_once_all_of_it_is_here(
    desk: Desk, opus: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, spoilt = desk.boxes.take(), desk.boxes.take(OTHER)
    desk.gather()
    name = f"aaaaaaaa-{take}"
    assert "has not arrived yet" in desk.client.get("/desk").text
    assert desk.client.get(f"/desk/sound/{name}").status_code == 400
    desk.boxes.sound(take, opus)
    desk.boxes.sound(spoilt, b"no sound at all")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    bare = desk.client.get("/desk").text
    assert f'src="/desk/sound/{name}"' in bare and "<svg" not in bare
    monkeypatch.undo()
    drawn = desk.client.get("/desk").text
    assert drawn.count("<svg") == 1 and drawn.count("<audio") == 2
    loud = next(row["loud"] for row in desk.rows("SELECT * FROM desk_drawing") if row["seq"] == take)
    assert max(loud[: sounds.STEPS // 3]) < 40 < 200 < max(loud[sounds.STEPS // 2 :]) <= 255
    monkeypatch.setattr(sounds, "_draw", None)  # it is drawn once
    assert desk.client.get("/desk").text.count("<svg") == 1
    answer = desk.client.get(f"/desk/sound/{name}")
    assert answer.content == opus and answer.headers["content-type"] == "audio/ogg"


def test_loudness() -> None:
    assert sounds.loudness(array.array("h")) == b""
    assert sounds.loudness(array.array("h", [0] * 10), 5) == bytes(5)
    assert sounds.loudness(array.array("h", [0, 0, -32768, 5, 16384, 1]), 3) == bytes([0, 255, 127])
    assert sounds.path(bytes([0, 255])) == "M0.5 15v2M1.5 1v30"


def test_what_a_text_costs() -> None:
    assert replies.cost("x" * 160).parts == 1 and replies.cost("x" * 161).parts == 2
    assert replies.cost("{reference}" + "x" * 153).parts == 1 and replies.cost("{reference}" + "x" * 154).parts == 2
