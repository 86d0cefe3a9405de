"""The 7-bit alphabets of 3GPP TS 23.038: the default one and thirteen national languages.

We read all of them and write only the default alphabet and its extension: whether handsets honour a
national table is not known, and one that does not shows a wrong text without any error.

A table is a string of 128 characters, one per code; HOLE stands where the standard defines none.
A `locking` table replaces the alphabet, a `single` one says what a code means right after ESC.
"""

from __future__ import annotations

from typing import Final

ESC: Final = 0x1B
HOLE: Final = "\0"

DEFAULT: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def _changed(table: str, cells: str) -> str:
    """`table` with some cells replaced; each word of `cells` is a code in hex and its character."""
    new = list(table)
    for cell in cells.split(" "):
        new[int(cell[:2], 16)] = cell[2:]
    return "".join(new)


EXTENSION: Final = _changed(HOLE * 128, "0A\f 14^ 28{ 29} 2F\\ 3C[ 3D~ 3E] 40| 65€")

# The alphabets of South Asia share a frame; `·` is a place that each language fills with its own letters.
_LOCKING_FRAME = (
    "··········\n··\r·············\x1b···· !······)(··,·.·0123456789:;···?"
    "·································abcdefghijklmnopqrstuvwxyz·····"
)
_SINGLE_FRAME = (
    "@£$¥¿\"¤%&'\f*+\0-/<=>¡^¡_#*··\0············{}·····\\············[~]·"
    "|ABCDEFGHIJKLMNOPQRSTUVWXYZ" + HOLE * 10 + "€" + HOLE * 26
)


def _filled(frame: str, letters: str) -> str:
    """`frame` with its places filled, in order, by code points and ranges of them; `-` and the end leave holes."""
    fill: list[str] = []
    for word in letters.split():
        first, _, last = word.partition("-")
        fill += [chr(code) for code in range(int(first, 16), int(last or first, 16) + 1)] if first else [HOLE]
    places = iter(fill)
    return "".join(next(places, HOLE) if cell == "·" else cell for cell in frame)


# id (the octet of UDH elements 24 and 25): letters of the locking table, letters of the single-shift table
_SOUTH_ASIA = {
    4: (  # Bengali, Assamese
        "981-983 985-98C - - 98F 990 - - 993-9A8 - 9AA-9B0 - 9B2 - - - 9B6-9B9 9BC-9C4 - - 9C7 9C8 - - 9CB-9CE 9D7"
        " 9DC 9DD 9F0 9F1",
        "9E6-9EF 9DF-9E3 9F2-9FA",
    ),
    5: (  # Gujarati
        "A81-A83 A85-A8D - A8F-A91 - A93-AA8 - AAA-AB0 - AB2 AB3 - AB5-AB9 ABC-AC5 - AC7-AC9 - ACB-ACD AD0 AE0-AE3 AF1",
        "964 965 AE6-AEF",
    ),
    6: (  # Hindi
        "901-903 905-939 93C-94D 950 972 97B 97C 97E 97F",
        "964-96F 951-954 958-963 970 971",
    ),
    7: (  # Kannada
        "- C82 C83 C85-C8C - C8E-C90 - C92-CA8 - CAA-CB3 - CB5-CB9 CBC-CC4 - CC6-CC8 - CCA-CCD CD5 CD6 CE0-CE3",
        "964 965 CE6-CEF CDE CF1 CF2",
    ),
    8: (  # Malayalam
        "- D02 D03 D05-D0C - D0E-D10 - D12-D28 - D2A-D39 - D3D-D44 - D46-D48 - D4A-D4D D57 D60-D63 D79",
        "964 965 D66-D75 D7A-D7F",
    ),
    9: (  # Oriya
        "B01-B03 B05-B0C - - B0F B10 - - B13-B28 - B2A-B30 - B32 B33 - B35-B39 B3C-B44 - - B47 B48 - - B4B-B4D B56"
        " B57 B60-B63",
        "964 965 B66-B6F B5C B5D B5F B70 B71",
    ),
    10: (  # Punjabi
        "A01-A03 A05-A0A - - - - A0F A10 - - A13-A28 - A2A-A30 - A32 A33 - A35 A36 - A38 A39 A3C - A3E-A42 - - - -"
        " A47 A48 - - A4B-A4D A51 A70-A74",
        "964 965 A66-A6F A59-A5C A5E A75",
    ),
    11: (  # Tamil
        "- B82 B83 B85-B8A - - - B8E-B90 - B92-B95 - - - B99 B9A - B9C - B9E B9F - - - BA3 BA4 - - - BA8-BAA - - -"
        " BAE-BB9 - - BBE-BC2 - - - BC6-BC8 - BCA-BCD BD0 BD7 BF0-BF2 BF9",
        "964 965 BE6-BEF BF3-BF8 BFA",
    ),
    12: (  # Telugu
        "C01-C03 C05-C0C - C0E-C10 - C12-C28 - C2A-C33 - C35-C39 - C3D-C44 - C46-C48 - C4A-C4D C55 C56 C60-C63",
        "- - C66-C6F C58 C59 C78-C7F",
    ),
    13: (  # Urdu
        "627 622 628 67B 680 67E 6A6 62A 6C2 67F 679 67D 67A 67C 62B 62C 681 684 683 685-687 62D-62F 68C 688-68A 68F"
        " 68D 630 631 691 693 699 632 696 698 69A 633-639 641 642 6A9-6AB 6AF 6B3 6B1 644-646 6BA-6BC 648 6C4 6D5 6C1"
        " 6BE 621 6CC 6D0 6D2 64D 650 64F 657 654 655 651 653 656 670",
        "600 601 6F0-6F9 60C-614 61B 61F 640 652 658 66B 66C 672 673 6CD 6D4",
    ),
}

LOCKING: Final = {
    0: DEFAULT,
    1: _changed(DEFAULT, "04€ 07ı 0BĞ 0Cğ 1CŞ 1Dş 40İ 60ç"),  # Turkish
    2: DEFAULT,  # Spanish has a single-shift table only
    3: _changed(  # Portuguese
        DEFAULT,
        "04ê 06ú 07í 08ó 09ç 0BÔ 0Cô 0EÁ 0Fá 12ª 13Ç 14À 15∞ 16^ 17\\ 18€ 19Ó 1A| 1CÂ 1Dâ 1EÊ 24º 40Í"
        " 5BÃ 5CÕ 5DÚ 60~ 7Bã 7Cõ 7D`",
    ),
    **{language: _filled(_LOCKING_FRAME, letters) for language, (letters, _) in _SOUTH_ASIA.items()},
}
SINGLE: Final = {
    0: EXTENSION,
    1: _changed(EXTENSION, "47Ğ 49İ 53Ş 63ç 67ğ 69ı 73ş"),
    2: _changed(EXTENSION, "09ç 41Á 49Í 4FÓ 55Ú 61á 69í 6Fó 75ú"),
    3: _changed(
        EXTENSION,
        "05ê 09ç 0BÔ 0Cô 0EÁ 0Fá 12Φ 13Γ 15Ω 16Π 17Ψ 18Σ 19Θ 1FÊ 41À 49Í 4FÓ 55Ú 5BÃ 5CÕ 61Â 69í 6Fó 75ú 7Bã 7Cõ 7Fâ",
    ),
    **{language: _filled(_SINGLE_FRAME, letters) for language, (_, letters) in _SOUTH_ASIA.items()},
}

_CODES: Final = {char: bytes([code]) for code, char in enumerate(DEFAULT) if code != ESC} | {
    char: bytes([ESC, code]) for code, char in enumerate(EXTENSION) if char != HOLE
}


def code(char: str) -> bytes:
    """The one or two septets of a character in the default alphabet; empty when it has none."""
    return _CODES.get(char, b"")


def decode(septets: bytes, locking: int = 0, single: int = 0) -> str:
    """The text of septets, one per octet. Languages that are not known read as the default alphabet.

    After ESC a code without a meaning reads as its letter in the locking table (TS 23.038 6.2.1.1);
    ESC twice, ESC at the end and codes without any meaning read as a space, nothing and a space."""
    plain, shifted = LOCKING.get(locking, DEFAULT), SINGLE.get(single, EXTENSION)
    text: list[str] = []
    codes = iter(septets)
    for septet in codes:
        char = plain[septet]
        if septet == ESC:
            after = next(codes, None)
            if after is None:
                break
            char = shifted[after] if shifted[after] != HOLE else plain[after]
        text.append(" " if char in (HOLE, "\x1b") else char)
    return "".join(text)


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Septets, one per octet, packed behind `fill` bits of zero (those that end a header on a septet)."""
    bits = 0
    for place, septet in enumerate(septets):
        bits |= septet << (fill + 7 * place)
    return bits.to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


def unpack(packed: bytes, count: int, fill: int = 0) -> bytes:
    """`count` septets, one per octet, out of octets that begin with `fill` foreign bits; absent ones read as zero."""
    bits = int.from_bytes(packed, "little") >> fill
    return bytes((bits >> (7 * place)) & 0x7F for place in range(count))
