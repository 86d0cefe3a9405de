"""The second proof at the door: six digits from an app on the telephone (TOTP, RFC 6238), each good for one sign-in."""

from __future__ import annotations

import io
import re

import pyotp
import segno

_STEP_S = 30
_CODE = re.compile(r"\d{6}")


def secret() -> str:
    """A new secret, for the app and for us."""
    return pyotp.random_base32()


def step(kept: str, code: str, now_ms: int, last: int) -> int | None:
    """The time step whose code this is, newer than `last`, at most one step off; None when it is none."""
    digits = re.sub(r"\s", "", code)
    if not kept or not _CODE.fullmatch(digits):
        return None
    totp, now = pyotp.TOTP(kept), now_ms // 1000 // _STEP_S
    fitting = [at for at in (now - 1, now, now + 1) if pyotp.utils.strings_equal(totp.at(at * _STEP_S), digits)]
    return max((at for at in fitting if at > last), default=None)


def picture(kept: str, name: str) -> bytes:
    """The secret as a QR code for the app, an SVG."""
    drawn = io.BytesIO()
    words = pyotp.TOTP(kept).provisioning_uri(name=name, issuer_name="miscall")
    segno.make(words, error="m", micro=False).save(drawn, kind="svg", scale=5, border=4, light="#fff", dark="#000")
    return drawn.getvalue()


def typed(kept: str) -> str:
    """The secret in groups of four, for who cannot photograph it."""
    return " ".join(kept[place : place + 4] for place in range(0, len(kept), 4))
