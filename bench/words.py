"""Words that callers say in place of a key: which are understood well enough to be offered, by language.

All voices are synthetic (espeak-ng: many voices, slow and fast, high and low, with a little noise), once clean and once
behind AMR at 5.9 kbit/s. So this can only refuse a language, or say that nothing speaks against it yet; people
on telephones in villages are harder. What is counted, of stretches that the box's own ear has cut:
- right: of the offered words that were taken for an offered word, how many for the right one;
- heard: of the offered words that were said, how many were taken for the right one;
- false: of all else that was said (other digits, words that rhyme, sentences, two who talk at once), how much was taken
  for an offered word.
A set of words is good enough for a language when all three keep their limit, clean and coded. What is offered
(`recognise.SUPPORTED`) is held to it; what is not offered is shown beside. The recogniser's threshold was chosen on
other sounds than are made here, and the last ten of the other texts of each language.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import ears
from bench.report import Figure, absent, at_least, at_most, beside
from bench.road import pss_mb
from edge.audio.words import BEFORE, MOST, Words
from edge.dialogue import FRAME, RATE, SpeechBegan, SpeechEnded
from edge.hearing import Ear
from edge.recognise import ASKED, MEASURED, SUPPORTED, WORDS, Engine, PocketSphinx, Vosk
from edge.recognise import WRITTEN as SAID

ROUNDS, OFTEN, SEED = (3, 10), 4, 7159  # quick, full; times that an offered word is said in a round
CODEC = 5.9
RIGHT, HEARD, FALSE = 90.0, 60.0, 5.0  # per cent
NOISE = 20.0  # sample values
CLEAR = [voice for voice in ears.VOICES if voice not in ("+whisper", "+croak")]
YES_NO = frozenset({"yes", "no"})

VOICES = {"en": ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp"), "hi": ("hi",)}
OTHER = {
    "en": (
        "snow", "now", "go away", "guess", "dress", "nose", "know", "yellow", "yesterday", "not yet", "ten", "hundred",
        "sun", "do", "to", "free", "for", "five hundred", "fix it", "heaven", "ate", "wine", "hero", "who are you",
        "I do not know", "nobody came", "what did you say", "wait please", "the pump is broken", "speak louder",
        "we need a doctor here", "call me later", "good evening", "my village is far", "is anybody there", "listen",
        "the road is bad", "how much does it cost", "press what", "which number", "hello", "okay", "I know", "home",
        "school", "water", "thank you", "tell me", "today", "maybe",
    ),
    "hi": (
        "हम", "हवा", "यहाँ", "नहर", "नमक", "वहीं", "सून", "अनेक", "देखो", "जो", "दिन", "बार", "कार", "पाँव", "साँच",
        "कह", "बारह", "साथ", "रास्ता", "पाठ", "लो", "सौ", "हज़ार", "आप कौन हैं", "मुझे नहीं पता", "कोई नहीं आया", "क्या कहा",
        "थोड़ा रुकिए", "पंप खराब है", "ज़ोर से बोलिए", "यहाँ डॉक्टर चाहिए", "बाद में फ़ोन करना", "शुभ संध्या",
        "मेरा गाँव दूर है", "कोई है", "सुनिए", "सड़क खराब है", "कितना लगेगा", "क्या दबाऊँ", "कौन सा नंबर",
        "नमस्ते", "ठीक है", "नाम", "घर", "स्कूल", "पानी", "धन्यवाद", "कौन", "काम", "साल",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """One sound: the word of WORDS that it is ("" for none), and the stretches that the ear has cut out of it."""

    word: str
    stretches: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Counts for one set of words: taken rightly and wrongly, said; all else: taken, said; of that what is no word of
    WORDS: taken, said."""

    right: int
    wrong: int
    words: int
    false: int
    others: int
    false_talk: int
    talk: int

    @property
    def shares(self) -> tuple[float, float, float]:
        """Right, heard and false, per cent."""
        return (
            100 * self.right / max(1, self.right + self.wrong),
            100 * self.right / max(1, self.words),
            100 * self.false / max(1, self.others),
        )

    @property
    def good(self) -> bool:
        right, heard, false = self.shares
        return right >= RIGHT and heard >= HEARD and false <= FALSE


def measure(quick: bool = False) -> list[Figure]:
    """Every language that somebody has written pronunciations for."""
    name = "words said in place of keys"
    if importlib.util.find_spec("pocketsphinx") is None:
        return [absent(name, "pocketsphinx is not installed")]
    if not ears.talkative():
        return [absent(name, "espeak-ng or sox is not installed")]
    figures = cost()  # first: later it would share the memory of an engine of ours
    for language in SAID:
        engine = PocketSphinx(language)
        for condition, coded in (("clean", False), (f"AMR {CODEC}", True)):
            try:
                said = sounds(language, ROUNDS[not quick], coded)
            except OSError:
                figures.append(absent(f"  {language}, {condition}", "libopencore-amrnb.so.0 is not installed"))
                continue
            heard = understood(engine, said)
            for words in dict.fromkeys((SUPPORTED.get(language, YES_NO), YES_NO, frozenset(WORDS))):
                figures += verdict(language, condition, words, score(words, said, heard))
    return figures + (with_a_model(named, ROUNDS[not quick]) if (named := os.environ.get("MISCALL_VOSK")) else [])


def with_a_model(named: str, rounds: int) -> list[Figure]:
    """A model of Vosk, `LANGUAGE:FOLDER`: the larger of both sets of words that keeps the limits, clean and coded, is
    written down in its folder; only that is offered on a line that names it."""
    language, _, folder = named.partition(":")
    try:
        engine = Vosk(language, folder)
    except Exception as why:  # whatever the package raises: a model is a folder of somebody else's
        return [absent(f"vosk, {language}", f"{type(why).__name__}: {why}")]
    heard = [(said, understood(engine, said)) for said in (sounds(language, rounds, coded) for coded in (False, True))]
    figures, good = [], frozenset[str]()
    for words in (YES_NO, frozenset(WORDS)):
        found = [score(words, said, took) for said, took in heard]
        good = words if all(each.good for each in found) else good
        for condition, each in zip(("clean", f"AMR {CODEC}"), found, strict=True):
            right, share, false = each.shares
            name = f"vosk, {language}, {len(words)} words, {condition}"
            figures.append(beside(name, right, f"% right, {share:.0f} % heard, {false:.0f} % false"))
    (Path(folder) / MEASURED).write_text(json.dumps({"language": language, "words": sorted(good)}))
    return figures


def verdict(language: str, condition: str, words: frozenset[str], found: Score) -> list[Figure]:
    """What is offered must keep the limits; the rest is shown."""
    name = f"{language}, {'yes and no' if words == YES_NO else f'{len(words)} words'}, {condition}"
    right, heard, false = found.shares
    if words != SUPPORTED.get(language):
        verdict = "within the limits, but not offered" if found.good else "not offered"
        return [beside(f"{name}: {verdict}", right, f"% right, {heard:.0f} % heard, {false:.0f} % false")]
    return [
        at_least(f"{name}: right of those taken", right, RIGHT, "%"),
        at_least(f"  heard, of {found.words}", heard, HEARD, "%"),
        at_most(f"  false, of {found.others}", false, FALSE, "%"),
        beside(f"of that, of {found.talk} that were no digits", 100 * found.false_talk / max(1, found.talk), "%"),
    ]


def score(words: frozenset[str], said: Sequence[Said], heard: Sequence[Sequence[str]]) -> Score:
    """Count. `heard`: the words that each sound was taken for."""
    right = wrong = count = false = others = false_talk = talk = 0
    for one, took in zip(said, heard, strict=True):
        taken = [word for word in took if word in words]
        if one.word in words:
            count += 1
            right += taken[:1] == [one.word]
            wrong += sum(word != one.word for word in taken)
        else:
            others += 1
            false += bool(taken)
            talk += not one.word
            false_talk += bool(taken) and not one.word
    return Score(right, wrong, count, false, others, false_talk, talk)


def understood(engine: Engine, said: Iterable[Said]) -> list[list[str]]:
    """What each sound was taken for, surely enough to be asked about."""
    heard = ([engine.hear(stretch) for stretch in one.stretches] for one in said)
    return [[word for word, sure in filter(None, found) if sure >= ASKED] for found in heard]


def sounds(language: str, rounds: int, coded: bool) -> list[Said]:
    """Every word, those that are offered (or may be) more often, and other talk, in each round by other voices. Raises
    OSError where the codec is missing."""
    rng, found = random.Random(SEED), []
    often = sorted(SUPPORTED.get(language, YES_NO)) * (OFTEN - 1)
    for _ in range(rounds):
        for word in (*WORDS, *often):
            text = SAID[language][word]
            found.append(Said(word, cut(_heard(spoken(language, text, rng), coded, rng))))
        for text in rng.sample(OTHER[language], 10):
            found.append(Said("", cut(_heard(spoken(language, text, rng), coded, rng))))
        for _ in range(2):  # two who talk at once
            one, other = (spoken(language, text, rng) for text in rng.sample(OTHER[language], 2))
            both = [a + b for (a,), (b,) in zip(*(struct.iter_unpack("<h", pcm) for pcm in (one, other)), strict=False)]
            found.append(Said("", cut(_heard(ears.pcm(both), coded, rng))))
    return found


def spoken(language: str, text: str, rng: random.Random) -> bytes:
    """A text by some voice."""
    voice = rng.choice(VOICES[language]) + rng.choice(CLEAR)
    manner = ["-s", str(rng.randrange(100, 230)), "-p", str(rng.randrange(15, 85)), "-a", str(rng.randrange(50, 170))]
    made = subprocess.run(["espeak-ng", "-v", voice, *manner, "--stdout", text], capture_output=True, check=True).stdout
    raw = subprocess.run([*ears.SOX, "-t", "wav", "-", *ears.RAW, "-"], input=made, capture_output=True, check=True)
    return raw.stdout


def _heard(pcm: bytes, coded: bool, rng: random.Random) -> bytes:
    """What arrives: silence around it, a little noise on it, and perhaps the codec."""
    pause = bytes(RATE)  # half a second
    samples = (sample + rng.gauss(0, NOISE) for (sample,) in struct.iter_unpack("<h", pause + pcm + pause))
    sound = ears.pcm(list(samples))
    return ears.through(sound, CODEC, 0.0, rng) if coded else sound


def cut(sound: bytes) -> tuple[bytes, ...]:
    """The stretches that the helper would hand over."""
    ear, stretches, began = Ear(), [], -1
    for at in range(0, len(sound), FRAME):
        for event in ear.feed(sound[at : at + FRAME], at / 2 / RATE):
            if isinstance(event, SpeechBegan):
                began = max(0, at + FRAME - BEFORE)
            elif isinstance(event, SpeechEnded) and began >= 0:
                if at + FRAME - began <= MOST:
                    stretches.append(sound[began : at + FRAME])
                began = -1
    return tuple(stretches)


def cost() -> list[Figure]:
    """What the recogniser's process weighs, and how long it thinks of a second of speech. No goal: shown."""
    words = Words(next(iter(SUPPORTED)))
    rng = random.Random(SEED)
    stretch = cut(_heard(spoken("en", "yes", rng), False, rng))[0]
    took = []
    for _ in range(5):
        words.feed(stretch)
        words.began()
        words.ended()
        begun = time.monotonic()
        os.set_blocking(words.fd, True)
        words.answer()
        took.append(time.monotonic() - begun)
    weight = pss_mb(words.pid)
    words.close()
    return [
        beside("the recogniser's process, PSS", weight, "MB"),
        beside("end of a spoken word -> its answer", 1000 * sorted(took)[2], "ms"),
    ]
