"""From an open port to a line that hears callers, and keeping it so: two scripts.

`bring_up` finds out whether a modem is there at all, which, whether its SIM is usable, and sends the profile's
settings. Every setting is sent at every start, because a restart forgets them and other programs leave their
own behind (a left-over AT+CRC=1 once hid every call). `watch` asks for the network, the signal and the
operator, and sends the settings again every ten minutes. ATS0=0 is asserted: a modem that will not promise
never to answer is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from edge import profile as profiles
from edge import urc
from edge.at import POLL, Command
from edge.events import Answered, Expired, Refused
from edge.profile import Init, Profile
from edge.script import Answer, Script, Wait

SIM_AGAIN_S = 5.0
KNOCKS, KNOCK_EVERY_S = 6, 0.5
_MUST = Init("ATS0=0", 2.0, False, (), 2, 0.5)  # never answer by itself: nobody is billed
_NO_SIM, _PIN, _PUK = (10, 13, 15), (11, 16, 17), (12, 18)  # +CME ERROR codes, 27.007 9.2
_CLEAN = re.compile(r"[^\x20-\x7e]")


@dataclass
class Condition:
    """What is known of the modem in hand. `state` is a line state, `detail` what the office page may add."""

    state: str = "starting"
    detail: str = ""
    profile: Profile | None = None
    operator: str = ""
    signal: int | None = None
    registered: int = -1

    @property
    def ready(self) -> bool:
        return self.state in ("ready", "no-network")


_Asking = Generator[Command | Wait, Answer | None, Answer]


def _ask(text: str, timeout: float = 3.0, plain: bool = False) -> _Asking:
    answer = yield Command(text, "", timeout=timeout, priority=POLL, plain=plain)
    assert answer is not None
    return answer


def bring_up(
    condition: Condition, known: Mapping[str, Profile], wanted: str, use: Callable[[Profile], None], reset: str = ""
) -> Script:
    """Make the line ready, or say in `condition` why it is not, and try again until it is.

    wanted   a profile's name, or "auto" to go by what the modem says of itself
    use      is told the profile, as soon as it is known
    reset    a command to try first, when nothing else brought the modem back"""
    if reset:
        yield Command(reset, "", timeout=2.0, priority=POLL)
    while not (yield from _knock()):
        condition.state, condition.detail = "no-answer", "the modem does not answer AT"
        yield Wait(SIM_AGAIN_S)
    yield from _ask("ATE0")
    yield from _ask("AT+CMEE=1")
    maker = yield from _identity("AT+CGMI")
    model = yield from _identity("AT+CGMM")
    if not maker and not model:
        condition.state, condition.detail = "not-a-modem", "what answers here does not say who it is"
        yield Wait(SIM_AGAIN_S * 6)
        return
    condition.profile = known[wanted] if wanted != "auto" else profiles.match(known, maker, model)
    use(condition.profile)
    while not (yield from _sim_usable(condition)):
        yield Wait(SIM_AGAIN_S)
    refused = yield from settings(condition.profile)
    if refused:
        condition.state, condition.detail = "not-a-modem", f"the modem refuses {refused}"
        yield Wait(SIM_AGAIN_S * 6)
        return
    condition.state, condition.detail = "ready", ""
    yield from watch(condition)


def _knock() -> Generator[Command | Wait, Answer | None, bool]:
    for _ in range(KNOCKS):
        answer = yield Command("AT", "", timeout=1.0, priority=POLL)
        if isinstance(answer, Answered):
            return True
        yield Wait(KNOCK_EVERY_S)
    return False


def _identity(text: str) -> Generator[Command | Wait, Answer | None, str]:
    """What the modem calls itself, cleaned of any byte that a status page should not show."""
    answer = yield from _ask(text, plain=True)
    if not isinstance(answer, Answered) or not answer.lines:
        return ""
    line = answer.lines[0]
    return _CLEAN.sub("", line.partition(":")[2] if line.startswith("+") else line).strip(' "')[:64]


def _sim_usable(condition: Condition) -> Generator[Command | Wait, Answer | None, bool]:
    answer = yield from _ask("AT+CPIN?", timeout=5.0)
    said = " ".join(answer.lines).partition(":")[2].strip() if isinstance(answer, Answered) else ""
    if said.startswith("READY"):
        return True
    code = answer.code if isinstance(answer, Refused) else -1
    if said.startswith("SIM PUK") or code in _PUK:
        condition.state = "sim-puk"
    elif said.startswith("SIM PIN") or code in _PIN:
        condition.state = "sim-pin"
    elif said.startswith("NOT INSERTED") or code in _NO_SIM:
        condition.state = "no-sim"
    elif isinstance(answer, Expired):
        condition.state = "no-answer"
    else:
        condition.state = "starting"  # busy (14), not ready yet, or a reason that the modem keeps to itself
    condition.detail = f"AT+CPIN? said {said or code}" if said or code >= 0 else ""
    return False


def settings(profile: Profile) -> Generator[Command | Wait, Answer | None, str]:
    """Send every setting; returns the one that was refused though it is not optional, or ""."""
    for init in (_MUST, *profile.init):
        if not (yield from send_setting(init)) and not init.optional:
            return init.cmd
    return ""


def send_setting(init: Init, priority: int = POLL) -> Generator[Command | Wait, Answer | None, bool]:
    """Send one setting, with its alternatives and repetitions; True when the modem took one."""
    for attempt in range(init.retry + 1):
        if attempt:
            yield Wait(init.gap)
        for text in (init.cmd, *init.alternatives):
            answer = yield Command(text, "", timeout=init.timeout, priority=priority)
            if isinstance(answer, Answered):
                return True
    return False


def watch(condition: Condition) -> Script:
    """One look at the network: registration, signal, operator."""
    answer = yield from _ask("AT+CREG?")
    if isinstance(answer, Answered) and answer.lines:
        condition.registered = urc.registration(answer.lines[-1])
    if condition.registered not in (1, 5, 6, 7):  # a VoLTE-only network registers on LTE alone
        answer = yield from _ask("AT+CEREG?")
        if isinstance(answer, Answered) and answer.lines:
            condition.registered = urc.registration(answer.lines[-1])
    answer = yield from _ask("AT+CSQ")
    values = urc.fields(answer.lines[-1]) if isinstance(answer, Answered) and answer.lines else []
    condition.signal = int(values[0]) if values and values[0].isdigit() and int(values[0]) < 32 else None
    answer = yield from _ask("AT+COPS?", timeout=5.0)
    values = urc.fields(answer.lines[-1]) if isinstance(answer, Answered) and answer.lines else []
    condition.operator = _CLEAN.sub("", values[2])[:32] if len(values) > 2 else ""
    condition.state = "ready" if condition.registered in (1, 5, 6, 7) else "no-network"
    condition.detail = ""


def refresh(condition: Condition) -> Script:
    """Send the settings again, then look at the network."""
    assert condition.profile is not None
    yield from settings(condition.profile)
    yield from watch(condition)
