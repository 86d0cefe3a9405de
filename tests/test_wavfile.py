"""WAV files: ours, those of others, and what is none."""

from __future__ import annotations

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wavfile import HEADER, WavError, data_of, header

FORM = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def samples(file: bytes) -> bytes:
    offset, length = data_of(file)
    return file[offset : offset + length]


@given(st.binary(max_size=400).map(lambda data: data[: len(data) & ~1]))
def test_ours_is_read_by_others_and_theirs_by_us(pcm: bytes) -> None:
    ours = header(len(pcm)) + pcm
    assert len(header(len(pcm))) == HEADER
    with wave.open(io.BytesIO(ours)) as read:
        assert (read.getframerate(), read.getsampwidth(), read.getnchannels()) == (8000, 2, 1)
        assert read.readframes(1 << 20) == pcm
    theirs = io.BytesIO()
    with wave.open(theirs, "wb") as written:
        written.setframerate(8000)
        written.setsampwidth(2)
        written.setnchannels(1)
        written.writeframes(pcm)
    assert samples(theirs.getvalue()) == samples(ours) == pcm


def test_other_chunks_before_and_behind() -> None:
    notes = chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0")  # of odd length: a byte is put behind it
    assert samples(riff(notes, chunk(b"fmt ", FORM), notes, chunk(b"data", b"abcd"), notes)) == b"abcd"


def test_extensible_format_with_plain_samples() -> None:
    form = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 4, 1) + bytes(14)
    assert samples(riff(chunk(b"fmt ", form), chunk(b"data", b"abcd"))) == b"abcd"


@pytest.mark.parametrize("said", [0xFFFF_FFFF, 0x7FFF_F000, 6])
def test_a_file_from_a_pipe_or_cut_off_has_what_is_there(said: int) -> None:
    file = riff(chunk(b"fmt ", FORM)) + b"data" + struct.pack("<I", said) + b"abcde"
    assert samples(file) == b"abcd", "and no half sample"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "no WAV"),
        (b"ID3" + bytes(100), "no WAV"),
        (riff(), "no sound in it"),
        (riff(chunk(b"fmt ", FORM)), "no sound in it"),
        (riff(chunk(b"data", b"ab")), "does not say"),
        (riff(chunk(b"fmt ", FORM[:10]), chunk(b"data", b"ab")), "cut off"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 7, 1, 8000, 8000, 1, 8)), chunk(b"data", b"ab")), "compressed"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 1, 4, 16)), chunk(b"data", b"ab")), "2 channels"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 44100, 1, 2, 16)), chunk(b"data", b"ab")), "44100 Hz"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 1, 1, 8)), chunk(b"data", b"ab")), "8 bit"),
    ],
)
def test_what_cannot_be_played_is_told_in_words(file: bytes, words: str) -> None:
    with pytest.raises(WavError, match=words):
        data_of(file)


@given(st.lists(st.sampled_from([b"RIFF", b"WAVE", b"fmt ", b"data", FORM, b"\xff\xff\xff\xff", b"\x10\0\0\0", b"x"])))
def test_no_bytes_do_harm(pieces: list[bytes]) -> None:
    file = b"".join(pieces)
    try:
        offset, length = data_of(file)
    except WavError:
        return
    assert 0 <= offset <= offset + length <= len(file)
    assert length % 2 == 0


@pytest.mark.parametrize("length", [-2, 1 << 32])
def test_no_header_for_what_no_file_can_hold(length: int) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        header(length)
