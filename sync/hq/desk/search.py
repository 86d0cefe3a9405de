"""Words of notes and letters: the beginning of a word finds it, in any script, and both stores answer alike.

Rules of this room
- Cutting a text into words is done here and not by a store: letters, marks and digits make words, so that a Hindi word
  keeps its vowel signs; case and forms of one letter do not count. SQLite (FTS5) and PostgreSQL (tsvector) take the
  words as they came out.
- Every word that is asked for must be in the thing, in its letter or its notes together.
"""

from __future__ import annotations

import unicodedata

from sync.hq.sql import Db

LONGEST = 60  # characters of a word that count
MOST_WORDS = 12  # of one question
LOOKED_AT = 500  # things with a word that many have

_SQLITE = "desk_words MATCH :match"
_POSTGRESQL = "words @@ CAST(:match AS tsquery)"
_PUT = {
    "sqlite": "INSERT INTO desk_words (rowid, words) VALUES (:id, :words)",
    "postgresql": "INSERT INTO desk_words (rowid, words) VALUES (:id, array_to_tsvector(string_to_array(:words, ' ')))",
}


def words(text: str) -> list[str]:
    """The words of a text, each once, in order."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else _gap(char) for char in plain)
    return list(dict.fromkeys(word[:LONGEST] for word in kept.split()))


def _gap(char: str) -> str:
    return "" if char in "\u200c\u200d\ufe0f" else " "  # joiners stand within a word


def put(desk: Db, thing: int, text: str) -> None:
    """From now on a thing is found by the words of `text`, and by no others."""
    desk.run("DELETE FROM desk_words WHERE rowid = :id", id=thing)
    if found := words(text):
        desk.run(_PUT[desk.kind], id=thing, words=" ".join(found))


def find(desk: Db, question: str, most: int = 50) -> list[int]:
    """The things in which every word of `question` begins a word, newest first; of too many the last to come in."""
    asked = words(question)[:MOST_WORDS]
    if not asked:
        return []
    fits = _SQLITE if desk.kind == "sqlite" else _POSTGRESQL
    match = " ".join(f'"{word}"*' for word in asked) if desk.kind == "sqlite" else " & ".join(f"'{w}':*" for w in asked)
    latest = f"SELECT rowid FROM desk_words WHERE {fits} ORDER BY rowid DESC LIMIT {LOOKED_AT}"
    query = f"SELECT id FROM desk_thing WHERE id IN ({latest}) ORDER BY at_ms DESC, id DESC LIMIT :most"
    return [row["id"] for row in desk.rows(query, match=match, most=most)]
