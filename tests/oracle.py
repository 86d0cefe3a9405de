"""Every metric once more, slowly and obviously, straight from the rows that boxes wrote.

Written from the definitions alone: nothing of `sync.hq.metrics` or of the roll-ups is used here, only `edge.fold`. Each
function below takes the facts of a slice and gives what the figure must be; `None` is "cannot be told of nobody".
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from edge.events import Row
from edge.fold import fold
from tests.streams import Seat

DAY_MS = 86_400_000
E164 = ("national", "international")
OURS = ("called-back", "unreached")


def local(at_ms: int, zone: str) -> tuple[int, int]:
    here = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    return (here.date() - date(1970, 1, 1)).days, here.hour


@dataclass
class Thing:
    """A thing with all its rows: `first`, its amendments, and `now`, what they fold to."""

    store: int
    seat: Seat
    rows: list[Row]
    campaign: str
    before: Row | None = None  # the row just in front of the first one

    def __post_init__(self) -> None:
        self.first = self.rows[0]
        self.now = next(fold(self.rows))
        self.about: dict[str, Any] = json.loads(self.now.extra) if self.now.extra else {}
        self.day, self.hour = local(self.first.at_ms, self.seat.timezone)
        self.language = self.about.get("language", "") or self.seat.language
        self.states = [row.state for row in self.rows]
        self.numbered = self.first.caller_kind in E164

    @property
    def kind(self) -> str:
        return self.first.kind

    @property
    def caller(self) -> str:
        return self.first.caller

    def when(self, state: str) -> Row | None:
        return next((row for row in self.rows if row.state == state), None)


@dataclass
class Talk:
    """A call in which somebody spoke with the box."""

    call: Thing
    language: str
    steps: list[dict[str, str]]

    def __post_init__(self) -> None:
        whats = [step["what"] for step in self.steps]
        end = whats.index("end") if "end" in whats else len(whats)
        self.until_end = self.steps[:end]
        whats = whats[:end]
        self.goal = any(step["what"] == "goal" for step in self.steps)
        self.hung_up = end < len(self.steps) and self.steps[end]["key"] == "hung-up"
        self.ended = end < len(self.steps)
        self.placed = self.call.first.state in OURS
        self.beep = "record" in whats
        self.lost_first = self.hung_up and set(whats) <= {"connected", "enter"}
        self.first_key = next((int(one["ms"]) for one in self.until_end if one["what"] in ("key", "invalid")), None)
        self.keyed = "key" in whats
        entered, heard = whats.count("enter"), min(whats.count("heard"), whats.count("enter"))
        self.heard = heard / entered if entered and heard and self.placed and self.ended else 0.0


@dataclass
class Facts:
    """All that boxes told, and all that headquarters was told besides."""

    things: list[Thing]
    talks: list[Talk]
    steps: list[tuple[Thing, dict[str, str]]]
    issues: Mapping[str, tuple[str, str, str]]
    now_ms: int
    outcomes: list[tuple[str, str, str, int]] = field(default_factory=list)
    desk: Mapping[tuple[int, int], tuple[str, int | None]] = field(default_factory=dict)
    tariff: tuple[float, float, float] = (0.0, 0.0, 0.0)
    minutes: dict[frozenset[int], Any] = field(default_factory=dict)  # what `minutes` said of these ledgers


Issues = Mapping[str, tuple[str, str, str]]  # campaign -> issue, option, policy


def facts(ledgers: Iterable[tuple[int, Seat, list[Row]]], issues: Issues, now_ms: int) -> Facts:
    """What rows tell, thing by thing."""
    found = Facts([], [], [], issues, now_ms)
    for store, seat, rows in ledgers:
        by_seq, groups = {row.seq: row for row in rows}, defaultdict(list)
        named, campaign = {}, ""
        for row in rows:
            campaign = row.campaign or campaign
            named[row.seq] = campaign
            groups[row.of or row.seq].append(row)
        mine = {
            seq: Thing(store, seat, group, group[0].campaign or named[seq] or seat.campaign, by_seq.get(seq - 1))
            for seq, group in groups.items()
        }
        found.things += mine.values()
        for seq, thing in mine.items():
            if thing.kind != "call" or not {"talked", "called-back"} & set(thing.states):
                continue
            left = [one for one in mine.values() if one.about.get("call") == seq]
            steps = [{"what": one.now.state, "node": "", "key": "", **one.about} for one in left if one.kind == "step"]
            words = [one for one in left if one.kind in ("answer", "recording", "case", "consent")]
            told = [one.about["language"] for one in words if one.about.get("language")]
            talk = Talk(thing, told[-1] if told else seat.language, steps)
            found.talks.append(talk)
            found.steps += [(thing, step) for step in steps]
    return found


class Sliced:
    """The facts within a slice; `asked` has the fields of one."""

    def __init__(self, all_facts: Facts, asked: Any) -> None:
        self.all, self.asked = all_facts, asked
        calls = [one for one in all_facts.things if self.rung(one)]
        busy: dict[tuple[str, int], int] = defaultdict(int)
        for one in calls:
            busy[one.caller, one.day] += one.numbered
        self.busy = {key for key, n in busy.items() if n > 10} if asked.clean else set()

    @staticmethod
    def rung(one: Thing) -> bool:
        return one.kind == "call" and one.first.state not in (*OURS, "selftest")

    def place(self, one: Thing) -> bool:
        seat, asked = one.seat, self.asked
        wanted = (
            (asked.district, seat.district), (asked.box, seat.box), (asked.line, f"{seat.box}/{seat.line}"),
            (asked.channel, seat.channel), (asked.ward, WARDS.get(f"{seat.box}/{seat.line}", "")),
        )  # fmt: skip
        return all(not want or want == have for want, have in wanted)

    def topic(self, campaign: str) -> bool:
        asked = self.asked
        issue = self.all.issues.get(campaign, ("",))[0]
        return (not asked.campaign or campaign == asked.campaign) and (not asked.issue or issue == asked.issue)

    def window(self, one: Thing) -> bool:
        return bool(self.asked.first <= one.day <= self.asked.last)

    def inside(self, one: Thing, language: str | None = None) -> bool:
        speaks = one.language if language is None else language
        said = not self.asked.language or self.asked.language == speaks
        return self.place(one) and self.topic(one.campaign) and self.window(one) and said

    def of(self, *kinds: str) -> list[Thing]:
        tag = self.asked.tag
        return [one for one in self.all.things if one.kind in kinds and self.inside(one)
                and (not tag or tag in one.about.get("tags", "").split(","))]  # fmt: skip

    @property
    def calls(self) -> list[Thing]:
        found = [one for one in self.of("call") if self.rung(one)]
        return [one for one in found if not (one.numbered and (one.caller, one.day) in self.busy)]

    @property
    def talks(self) -> list[Talk]:
        return [talk for talk in self.all.talks if self.inside(talk.call, talk.language)]

    @property
    def letters(self) -> list[Thing]:
        return [one for one in self.of("message") if one.about.get("direction") == "out"]

    @property
    def replies(self) -> list[Thing]:
        after_calls = [one for one in self.letters if one.before and one.before.kind == "call"]
        return [one for one in after_calls if one.now.state != "cancelled"]

    @property
    def callers(self) -> set[str]:
        return {one.caller for one in self.calls if one.numbered}


# ------------------------------------------------------------------------------------- the parts


WARDS: dict[str, str] = {}  # <box>/<line> -> ward, as the desk was told


def step(ms: int) -> int:
    """The lower end of the step in which a waiting time is told, in seconds."""
    s = ms // 1000
    return s if s < 120 else s - s % 10 if s < 600 else min(s - s % 60, 86_400)


def nearest(values: list[int], due: int, q: float) -> int | None:
    """The nearest-rank percentile of all who were due, of whom some have waited for ever."""
    rank = max(1, math.ceil(q * due - 1e-9))
    return sorted(values)[rank - 1] if 0 < rank <= len(values) else None


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def wilson(hits: int, n: int) -> tuple[float, float] | None:
    """Both solutions of (p - hits/n)^2 = z^2 p (1 - p) / n."""
    if not n:
        return None
    z2, p = 1.959963984540054**2, min(hits, n) / n
    a, b, c = 1 + z2 / n, -(2 * p + z2 / n), p * p
    root = math.sqrt(max(0.0, b * b - 4 * a * c))
    return max(0.0, (-b - root) / (2 * a)), min(1.0, (-b + root) / (2 * a))


def busy_share(lines: int, offered: float) -> float:
    terms = [offered**k / math.factorial(k) for k in range(lines + 1)]
    return terms[-1] / sum(terms)


def offered(lines: int, carried: float) -> float:
    """By halving: the load of which so much was carried, at most 100 erlangs a line."""
    low, high = 0.0, 100.0 * lines
    while high - low > 1e-12 * high and (low + high) / 2 not in (low, high):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * (1 - busy_share(lines, middle)) < carried else (low, middle)
    return high


@dataclass
class Hours:
    own: float = 0
    told: float = 0
    blocked: float = 0
    unseen: float = 0
    most: float = 0


def hours(s: Sliced) -> dict[str, Hours]:
    """What each hunt group (<box>/<campaign>) heard and lost, hour by hour."""
    calls = [one for one in s.of("call") if one.first.state != "selftest"]
    cells: dict[tuple[str, str, int, int], list[float]] = defaultdict(lambda: [0.0] * 4)
    stand: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    lines: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for one in s.all.things:
        if one.kind == "store":
            stand[one.seat.box, one.seat.campaign].append((one.day, one.seat.line))
    for one in calls:
        cell = cells[one.seat.box, one.campaign, one.day, one.hour]
        lines[one.seat.box, one.campaign, one.day].add(one.seat.line)
        recovered = one.now.state == "recovered"
        cell[0] += s.rung(one) and not recovered
        cell[1] += s.rung(one) and recovered
        cell[2] += not s.rung(one)
        cell[3] += one.now.seconds if {"talked", "called-back"} & set(one.states) else 0
    found: dict[str, Hours] = defaultdict(Hours)
    for (box, campaign, day, _), (own, told, placed, seconds) in cells.items():
        there = lines[box, campaign, day] | {line for began, line in stand[box, campaign] if began <= day}
        carried, n = ((own + placed) * 6 + seconds) * 1000 // 3600 / 1000, len(there)
        load = offered(n, carried) if carried else 0.0
        lost = busy_share(n, load) if carried else 0.0
        group = found[f"{box}/{campaign}"]
        group.own += own
        group.told += told
        group.blocked += own * lost / (1 - lost)
        group.unseen += max(0.0, own * lost / (1 - lost) - told)
        group.most = max(group.most, load)
    return found


Box = tuple[str, str]  # district, name


def minutes(signs: Iterable[tuple[int, Box, str, Row]]) -> dict[tuple[Box, int], tuple[int, int]]:
    """Minutes up and minutes of service of each box and local day, counted one by one. `signs`: each first row of kind
    line with the number of its ledger, box and zone, those of a ledger in order."""
    rows: dict[tuple[Box, int], list[Row]] = defaultdict(list)
    zones: dict[Box, tuple[int, str]] = {}
    for number, box, zone, row in signs:
        rows[box, number].append(row)
        zones[box] = min(zones.get(box, (number, zone)), (number, zone))
    up: set[tuple[Box, int]] = set()
    believed: dict[Box, list[int]] = defaultdict(list)
    for (box, _), mine in rows.items():
        believed[box] += [row.at_ms // 60_000 for row in mine if row.clock >= 2]
        for row, after in pairwise(mine):
            lasted = after.mono_ms - row.mono_ms
            if row.state == "ready" and row.clock >= 2 and row.boot == after.boot and lasted <= 660_000:
                up |= {(box, at_ms // 60_000) for at_ms in range(row.at_ms, row.at_ms + lasted, 1000)}
                up |= {(box, (row.at_ms + lasted - 1) // 60_000)} if lasted > 0 else set()
    found: dict[tuple[Box, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for box, known in believed.items():
        for minute in range(min(known, default=0), max(known, default=0)):
            key = box, local(minute * 60_000, zones[box][1])[0]
            found[key] = found[key][0] + ((box, minute) in up), found[key][1] + 1
    return dict(found)


def service(s: Sliced) -> tuple[int, int]:
    """Minutes up, and minutes of service, of the lines of a slice."""
    signs = [one for one in s.all.things if one.kind == "line" and s.place(one)]
    which = frozenset(one.store for one in signs)
    if which not in s.all.minutes:
        s.all.minutes[which] = minutes(
            (one.store, (one.seat.district, one.seat.box), one.seat.timezone, one.first) for one in signs
        )
    told = [its for (_, day), its in s.all.minutes[which].items() if s.asked.first <= day <= s.asked.last]
    return sum(up for up, _ in told), sum(served for _, served in told)


def engaged(s: Sliced, last_only: bool = False) -> tuple[int, int]:
    """Callers by campaign whose first offer lies in the slice, and how many of them ever acted."""
    offers: dict[tuple[str, str], list[tuple[int, int, Thing]]] = defaultdict(list)
    acted: set[tuple[str, str]] = set()
    for one in s.all.things:
        key = (one.caller, one.campaign)
        if not one.numbered:
            continue
        if one.kind == "message" and one.about.get("direction") == "in":
            acted.add(key)
        elif one.kind == "message" and "sent" in one.states:
            offers[key].append((one.first.at_ms, one.store, one))
        elif one.kind == "recording" and spoken(one) and "kept" in one.states:
            acted.add(key)
    for talk in s.all.talks:
        key = (talk.call.caller, talk.call.campaign)
        if talk.call.numbered:
            offers[key].append((talk.call.first.at_ms, talk.call.store, talk.call))
            if talk.keyed or talk.heard >= 0.5:
                acted.add(key)
    firsts = {key: min(mine, key=lambda one: one[:2])[2] for key, mine in offers.items()}
    inside = {key for key, one in firsts.items() if s.place(one) and s.topic(one.campaign)
              and (one.day <= s.asked.last if last_only else s.window(one))}  # fmt: skip
    return len(inside), len(inside & acted)


def spoken(one: Thing) -> bool:
    return bool(one.about.get("speech_ms", one.about.get("ms", 0)) >= 1000)


def people(s: Sliced, kind: str) -> int:
    return len({one.caller for one in s.of(kind) if one.caller})


@dataclass
class Case:
    opened: int
    state: str
    contacted: int | None
    resolved: int | None
    reopened: int


def cases(s: Sliced) -> list[Case]:
    found = []
    for one in s.of("case"):
        contacted, resolved = one.when("contacted"), [row.at_ms for row in one.rows if row.state == "resolved"]
        case = Case(
            one.about["opened_ms"], one.now.state, contacted.at_ms if contacted else None,
            resolved[-1] if resolved else None, one.states.count("reopened"),
        )  # fmt: skip
        if (one.store, one.first.seq) in s.all.desk:
            case.state, at_ms = s.all.desk[one.store, one.first.seq]
            case.contacted = min((at for at in (case.contacted, at_ms) if at is not None), default=None)
        found.append(case)
    return found


def conversion(s: Sliced, goal: str) -> tuple[int, int]:
    done = 0
    for caller in s.callers:
        first: dict[str, tuple[int, str]] = {}
        for one in sorted((one for one in s.calls if one.caller == caller), key=lambda one: (one.day, one.store)):
            first.setdefault(one.campaign, (one.day, one.seat.timezone))
        done += any(
            who == caller and what == goal and campaign in first
            and 0 <= local(at_ms, first[campaign][1])[0] - first[campaign][0] <= 7
            for campaign, what, who, at_ms in s.all.outcomes
        )  # fmt: skip
    return done, len(s.callers)


def votes(s: Sliced) -> dict[tuple[str, str], dict[str, float]]:
    """(issue, option) -> raw, nameless, the three policies, conflicts, and voters with what was lost of them."""
    cast: list[tuple[str, str, Thing]] = []
    for one in s.all.things:
        if one.kind == "answer" and (one.now.state, one.about["issue"]) != ("no", one.about["node"]):
            cast.append((one.about["issue"], one.now.state, one))
        elif s.rung(one) and s.all.issues.get(one.campaign, ("", ""))[1]:
            cast.append((*s.all.issues[one.campaign][:2], one))
    policies = {issue: policy for issue, _, policy in s.all.issues.values()}
    every = Sliced(s.all, type(s.asked)(first=s.asked.first, last=s.asked.last))
    losses = {key: h.blocked / (h.own + h.blocked) if h.own else 0.0 for key, h in hours(every).items()}
    found: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    callers: dict[tuple[str, str], list[tuple[tuple[int, int, int], str, Thing]]] = defaultdict(list)

    def note(issue: str, option: str, one: Thing, what: str) -> None:
        if (s.asked.issue in ("", issue)) and s.place(one) and s.window(one):
            found[issue, option][what] += 1
            if what == {"first": "first", "last": "last", "void-if-both": "single"}[policies.get(issue, "last")]:
                lost = losses.get(f"{one.seat.box}/{one.seat.campaign}", 0.0)
                found[issue, option]["u"] += 1
                found[issue, option]["true"] += 1 / (1 - lost)

    for issue, option, one in cast:
        note(issue, option, one, "raw")
        if one.numbered:
            callers[issue, one.caller].append(((one.first.at_ms, one.store, one.first.seq), option, one))
        else:
            note(issue, option, one, "nameless")
    for (issue, _), mine in callers.items():
        mine.sort(key=lambda vote: vote[0])
        note(issue, mine[0][1], mine[0][2], "first")
        note(issue, mine[-1][1], mine[-1][2], "last")
        note(issue, mine[0][1], mine[0][2], "single" if len({vote[1] for vote in mine}) == 1 else "conflicts")
    return found
