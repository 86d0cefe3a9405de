"""[tariff] of hq.toml: whole, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.hq import config
from sync.hq.tariff import Tariff

HQ = '[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1883"\n'
GOOD = '[tariff]\nsms = 0.5\nminute = 1\nsim_month = 199\ncurrency = "INR"\n'


def load(folder: Path, text: str) -> config.HqConfig:
    file = folder / "hq.toml"
    file.write_text(HQ + text)
    return config.load(file)


def test_prices_stand_together_or_not_at_all(tmp_path: Path) -> None:
    assert load(tmp_path, "").tariff is None
    assert load(tmp_path, GOOD).tariff == Tariff(0.5, 1.0, 199.0, "INR")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("sms = 0.5\n", "", "tariff.sms"), ("minute = 1", "minute = -1", "tariff.minute"),
        ('"INR"', '"rupees"', "tariff.currency"), ("sim_month = 199", 'sim_month = "199"', "tariff.sim_month"),
        ("sms = 0.5", "sms = 0.5\nmms = 3", "tariff.mms"), ("minute = 1", "minute = nan", "tariff.minute"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tariff_is_said(tmp_path: Path, old: str, new: str, key: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert [problem.key for problem in caught.value.problems] == [key]
