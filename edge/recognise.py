"""A word that a caller says in place of a key: an extra that box.toml asks for (`[line] words = "pocketsphinx"`, or
`"vosk:hi:/path/of/a/model"` for Vosk with a model of that language).

Rules of the room:
- A process of its own, `python -m edge.recognise FD LANGUAGE` (for Vosk `vosk:LANGUAGE:MODEL`), started by the helper
  that moves the sound: a stretch of speech comes in, one answer goes out. It runs when nobody else wants the
  processor, so no frame waits for it.
- Only languages and words that `bench/words.py` has found good enough are offered: SUPPORTED, and for a model of Vosk
  what the bench has written down beside it (MEASURED). Others stay with keys.
- All twelve words compete all the same, so that "one" is not taken for the nearest of those that are offered.
- A word must nearly explain the sound as well as any row of English speech sounds does. What does not is no word.
The acoustic model of pocketsphinx is that of its wheel: American English at 16 kHz, to which a telephone's sound is
raised.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
import signal
import socket
import sys
from array import array
from collections.abc import Iterable
from operator import add
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from edge.dialogue import RATE

WORDS = ("yes", "no", *"0123456789")
# What may be offered, by language. Measured with synthetic voices, clean and behind AMR at 5.9 kbit/s, on words and
# other talk that the threshold was not chosen on: `python -m bench words`, which holds these to its limits.
# English: yes and no pass; the digits do not ("six" is heard as eight, "shoe" as two). Hindi: the digits do not (do is
# heard as nau), and haan and nahin only just: they are spelled in the sounds of another language and were heard from
# one synthetic speaker, so they wait for real voices.
SUPPORTED: dict[str, frozenset[str]] = {"en": frozenset({"yes", "no"})}

MEASURED = "miscall-words.json"  # in a Vosk model's folder: {"language": "hi", "words": ["yes", "no"]}
# The same words as they are written, for engines that know words by their letters.
WRITTEN: dict[str, dict[str, str]] = {
    "en": {
        "yes": "yes", "no": "no", "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five",
        "6": "six", "7": "seven", "8": "eight", "9": "nine",
    },
    "hi": {
        "yes": "हाँ", "no": "नहीं", "0": "शून्य", "1": "एक", "2": "दो", "3": "तीन", "4": "चार", "5": "पाँच",
        "6": "छह", "7": "सात", "8": "आठ", "9": "नौ",
    },
}  # fmt: skip

LONGEST = 65536  # bytes of a stretch, 4 s
SHORTEST = RATE // 5 * 2  # bytes; 0.2 s holds no word
ASKED = 0.6  # how sure a word must be for `ivr` to ask about it, and what a word at the threshold is
THRESHOLD = -0.002  # logarithm of word over babble, a frame, as the decoder scales it; 0: as good as any row of sounds

_SOUNDS = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
# How the words sound, in the sounds of the model; Hindi by hand: haan, nahin, shunya, ek, do, teen, chaar, paanch, ...
PRONOUNCED: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "yes": ("Y EH S",), "no": ("N OW",), "0": ("Z IH R OW", "Z IY R OW"), "1": ("W AH N",), "2": ("T UW",),
        "3": ("TH R IY",), "4": ("F AO R", "F AO"), "5": ("F AY V",), "6": ("S IH K S",), "7": ("S EH V AH N",),
        "8": ("EY T",), "9": ("N AY N",),
    },
    "hi": {
        "yes": ("HH AA N", "HH AA"), "no": ("N AH HH IY N", "N AH HH IY", "N AH IY"),
        "0": ("SH UW N Y AH", "SH UW N Y"), "1": ("EY K", "IY K"), "2": ("D OW", "DH OW"), "3": ("T IY N", "DH IY N"),
        "4": ("CH AA R", "CH AA"), "5": ("P AA N CH", "P AA CH"), "6": ("CH EH", "CH HH EH", "CH EY"),
        "7": ("S AA T", "S AA TH"), "8": ("AA T", "AA TH"), "9": ("N AO", "N AW"),
    },
}  # fmt: skip


class Engine(Protocol):
    """Whatever understands words."""

    def hear(self, pcm: bytes) -> tuple[str, float] | None:
        """The word of WORDS in a stretch of speech (s16le, 8 kHz, mono), and how sure, 0 to 1; None: there is none."""


class _Path(NamedTuple):
    """The best explanation of a sound by one grammar: its score, and the word's frames in it."""

    word: str
    score: float
    frames: int


class PocketSphinx:
    """The engine of the pocketsphinx wheel. Raises ImportError where it is not installed."""

    def __init__(self, language: str) -> None:
        from pocketsphinx import Decoder, get_model_path

        words = PRONOUNCED[language]
        # Scores of two searches can be compared only when all sounds are scored in each frame, and nothing is pruned.
        self._decoder: Any = Decoder(
            hmm=get_model_path("en-us/en-us"), dict=None, lm=None, loglevel="FATAL", compallsen=True, bestpath=False,
            beam=1e-100, wbeam=1e-80, pbeam=1e-100,
        )  # fmt: skip
        for word, ways in words.items():
            for place, sounds in enumerate(ways, 1):
                self._decoder.add_word(word if place == 1 else f"{word}({place})", sounds, False)
        for sound in _SOUNDS:
            self._decoder.add_word("sound" + sound, sound, sound == _SOUNDS[-1])
        self._grammar("word", " | ".join(words))
        self._grammar("babble", f"({' | '.join('sound' + sound for sound in _SOUNDS)})+")

    def _grammar(self, name: str, rule: str) -> None:
        self._decoder.add_jsgf_string(name, f"#JSGF V1.0; grammar {name}; public <{name}> = {rule};")

    def hear(self, pcm: bytes) -> tuple[str, float] | None:
        """See Engine."""
        if len(pcm) < SHORTEST:
            return None
        sound = doubled(pcm[: len(pcm) & ~1])
        word, babble = self._search("word", sound), self._search("babble", sound)
        if word is None or babble is None or not word.frames:
            return None
        over = (math.log(word.score) - math.log(babble.score)) / word.frames
        return word.word, max(0.0, min(1.0, 1.0 - (1.0 - ASKED) * over / THRESHOLD))

    def _search(self, grammar: str, sound: bytes) -> _Path | None:
        decoder = self._decoder
        decoder.activate_search(grammar)
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        if found is None or not found.score > 0:
            return None
        parts = [(part.word.partition("(")[0], part.end_frame + 1 - part.start_frame) for part in decoder.seg()]
        word, frames = next((part for part in parts if part[0] in WORDS), ("", 0))
        return _Path(word, found.score, frames)


class Vosk:
    """Vosk with the model in a folder. Raises ImportError where the package is not installed, and whatever Vosk raises
    for a folder that is no model. A word's confidence is Vosk's own."""

    def __init__(self, language: str, model: str) -> None:
        vosk: Any = importlib.import_module("vosk")
        vosk.SetLogLevel(-1)
        self._words = {text: word for word, text in WRITTEN[language].items()}
        self._heard: Any = vosk.KaldiRecognizer(vosk.Model(model), 2 * RATE, json.dumps([*self._words, "[unk]"]))
        self._heard.SetWords(True)

    def hear(self, pcm: bytes) -> tuple[str, float] | None:
        """See Engine."""
        if len(pcm) < SHORTEST:
            return None
        self._heard.AcceptWaveform(doubled(pcm[: len(pcm) & ~1]))
        told = json.loads(self._heard.FinalResult()).get("result", [])
        if len(told) != 1 or told[0]["word"] not in self._words:
            return None
        return self._words[told[0]["word"]], float(told[0]["conf"])


def doubled(pcm: bytes) -> bytes:
    """The same sound at twice the rate; between two samples lies their mean."""
    samples = array("h", pcm)
    raised = array("h", bytes(2 * len(pcm)))
    raised[0::2] = samples
    raised[1::2] = array("h", [total >> 1 for total in map(add, samples, [*samples[1:], 0])])
    return raised.tobytes()


def offered(engine: str, languages: Iterable[str]) -> tuple[str, str]:
    """The language in which words are listened for on a line whose callers are spoken to in `languages`, "" for none;
    and, when they were asked for and are not offered, why not."""
    languages = tuple(languages)
    if engine == "off":
        return "", ""
    if engine.startswith("vosk:"):
        return _with_a_model(engine, languages)
    if importlib.util.find_spec(engine) is None:
        return "", f"{engine} is not installed: keys only"
    language = next((one for one in languages if one in SUPPORTED), "")
    return language, "" if language else f"words are not understood well enough in {', '.join(languages)}: keys only"


def _with_a_model(engine: str, languages: tuple[str, ...]) -> tuple[str, str]:
    """The same for a model of Vosk: what is named is the engine itself, for the process to start with."""
    _, language, model = engine.split(":", 2)
    if importlib.util.find_spec("vosk") is None:
        return "", "vosk is not installed: keys only"
    if language not in languages or language not in WRITTEN:
        return "", f"callers of this line are not spoken to in {language}: keys only"
    if not measured(model, language):
        remedy = f"measure it: MISCALL_VOSK={language}:{model} python -m bench words"
        return "", f"nobody has measured how well {model} understands {language}: keys only; {remedy}"
    return engine, ""


def measured(model: str | Path, language: str) -> frozenset[str]:
    """The words that a model of Vosk was found to understand well enough."""
    try:
        told = json.loads((Path(model) / MEASURED).read_text())
        return frozenset(WORDS) & frozenset(told["words"]) if told["language"] == language else frozenset()
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def made(named: str) -> tuple[Engine, frozenset[str]]:
    """The engine that `offered` has named, and the words it may tell."""
    if not named.startswith("vosk:"):
        return PocketSphinx(named), SUPPORTED[named]
    _, language, model = named.split(":", 2)
    return Vosk(language, model), measured(model, language)


def serve(engine: Engine, line: socket.socket, words: frozenset[str]) -> None:
    """Answer each stretch, until the other side has gone."""
    while stretch := line.recv(LONGEST):
        heard = engine.hear(stretch)
        told = {"word": heard[0], "sure": heard[1]} if heard is not None and heard[0] in words else {}
        line.send(json.dumps(told).encode())


def main(fd: int, language: str) -> int:
    """The process. It ends when the helper that started it does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    with socket.socket(fileno=fd) as line:
        try:
            engine, words = made(language)
            serve(engine, line, words)
        except ConnectionError:
            pass  # the helper went while it was being answered
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
