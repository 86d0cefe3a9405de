"""box.toml: read whole, or refused with every problem named; each refusal is one that an installer may meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge import config

GOOD = """\
[box]
id = "nashik-07"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
[box.text]
office = "Tehsil office, Nashik"

[[line]]
name = "l1"
number = "+919000000001"
campaign = "water"
port = "/dev/miscall/l1-at"

[[line]]
name = "l2"
number = "+919000000002"
campaign = "water"
language = "mr"
channel = "poster-bus-stand"
port = "ports/l2"
rescue_port = "ports/l2-b"
modem = "sim800"
sms_per_day = 40
words = "pocketsphinx"

[hq]
url = "mqtt://127.0.0.1:1884"
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "water.toml").write_text('id = "water"\n')
    file = tmp_path / "box.toml"
    file.write_text(GOOD)
    return file


def refused(file: Path, text: str) -> list[str]:
    """The problems of that text, without the file's path."""
    file.write_text(text)
    with pytest.raises(config.ConfigError) as caught:
        config.load(file)
    assert all(line.startswith(f"{file}: ") for line in str(caught.value).splitlines())
    return [f"{problem.key}: {problem.wrong}" for problem in caught.value.problems]


def test_a_good_file(box: Path) -> None:
    got = config.load(box)
    assert (got.id, got.district, got.country, got.clock) == ("nashik-07", "nashik-07", "IN", "auto")
    assert got.data == box.parent / "data"
    assert got.text == {"office": "Tehsil office, Nashik"}
    assert got.listen == "127.0.0.1:8700"
    first, second = got.lines
    assert (first.port, first.rescue_port, first.modem, first.sms_per_day) == ("/dev/miscall/l1-at", "", "auto", 90)
    assert second.port == str(box.parent / "ports/l2")
    assert (second.modem, second.language, second.sms_per_day) == ("sim800", "mr", 40)
    assert (first.words, second.words) == ("off", "pocketsphinx")
    assert (got.hq.host, got.hq.port, got.hq.tls) == ("127.0.0.1", 1884, False)
    assert got.campaign_files("water") == (box.parent / "campaigns" / "water.toml",)
    assert got.line("l2") is second


def test_sound_has_its_days_and_its_budget(box: Path) -> None:
    got = config.load(box)
    assert (got.recordings_days, got.hq.data_mb_per_day) == (90, 5.0)
    mine = GOOD.replace('timezone = "Asia/Kolkata"', 'timezone = "Asia/Kolkata"\nrecordings_days = 0')
    box.write_text(mine + "data_mb_per_day = 0.5\n")
    got = config.load(box)
    assert (got.recordings_days, got.hq.data_mb_per_day) == (0, 0.5)
    wrong = mine.replace("recordings_days = 0", "recordings_days = -1") + 'data_mb_per_day = "much"\n'
    keys = [problem.partition(":")[0] for problem in refused(box, wrong)]
    assert keys == ["hq.data_mb_per_day", "box.recordings_days"]


def test_a_line_that_is_not_there(box: Path) -> None:
    with pytest.raises(config.ConfigError, match=r'no line "l9"; allowed: l1, l2'):
        config.load(box).line("l9")


def test_a_relative_path_is_relative_to_the_file(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(box.parent.parent)
    got = config.load(Path(box.parent.name) / "box.toml")
    assert got.data == box.parent / "data"


def test_a_delivered_campaign_comes_first(box: Path) -> None:
    delivered = box.parent / "data" / "campaigns" / "water.toml"
    delivered.parent.mkdir(parents=True)
    delivered.write_text('id = "water"\n')
    assert config.load(box).campaign_files("water")[0] == delivered


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="No such file"):
        config.load(tmp_path / "box.toml")


def test_not_toml_names_the_line(box: Path) -> None:
    broken = GOOD.replace('country = "IN"', "country = IN")
    assert refused(box, broken)[0].startswith("line 4: ")


def test_every_problem_is_told_at_once(box: Path) -> None:
    text = GOOD.replace('"nashik-07"', '"Nashik 07"').replace("+919000000001", "9000000001").replace('"IN"', '"IND"')
    keys = [line.partition(":")[0] for line in refused(box, text)]
    assert sorted(keys) == ["box.country", "box.id", "line.1.number"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('data = "data"\n', "", "box.data: missing"),
        ('country = "IN"', 'country = "XX"', "box.country: "),
        ('"Asia/Kolkata"', '"Asia/Nashik"', "box.timezone: "),
        ('"Asia/Kolkata"', '"../../etc/passwd"', "box.timezone: "),
        ('country = "IN"', 'country = "IN"\nclock = "maybe"', "box.clock: "),
        ('country = "IN"', 'country = "IN"\nowner = "me"', "box.owner: unknown key"),
        ("office =", "Office =", "box.text.Office: "),
        ('name = "l2"', 'name = "l1"', 'line.2.name: "l1" is taken by line.1'),
        ("+919000000002", "+919000000001", 'line.2.number: "+919000000001" is taken by line.1'),
        ("+919000000002", "+6512345", "line.2.number: "),
        ("+919000000002", "+999123456789", "line.2.number: "),
        ('"ports/l2-b"', '"/dev/miscall/l1-at"', 'line.2.port: "/dev/miscall/l1-at" is taken by line.1'),
        ('"ports/l2-b"', '"ports/l2"', "line.2.port: "),
        ('modem = "sim800"', 'modem = "sim801"', "line.2.modem: "),
        ("sms_per_day = 40", "sms_per_day = -1", "line.2.sms_per_day: "),
        ('words = "pocketsphinx"', 'words = "all"', "line.2.words: "),
        ('language = "mr"', 'language = "Marathi!"', "line.2.language: "),
        ('campaign = "water"\nlanguage', 'campaign = "road"\nlanguage', "line.2.campaign: there is no "),
        ("mqtt://127.0.0.1:1884", "http://127.0.0.1:1884", "hq.url: "),
        ("mqtt://127.0.0.1:1884", "mqtt://127.0.0.1:99999", "hq.url: "),
        ("mqtt://127.0.0.1:1884", "mqtt://", "hq.url: "),
        ('1884"', '1884"\nca = "ca.pem"', "hq.ca: it does nothing without TLS"),
        ('mqtt://127.0.0.1:1884"', 'mqtts://hq.example"\nca = "ca.pem"', "hq.ca: "),
        ('1884"', '1884"\n[page]\nlisten = "8700"', "page.listen: "),
        ('1884"', '1884"\n[page]\nlisten = "127.0.0.1:70000"', "page.listen: "),
        ('1884"', '1884"\n[pages]\nlisten = ""', "pages: unknown key"),
    ],
)
def test_refused(box: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    told = refused(box, GOOD.replace(old, new, 1))
    assert len(told) == 1, told
    assert told[0].startswith(problem)


def test_an_empty_file(box: Path) -> None:
    keys = [line.partition(":")[0] for line in refused(box, "")]
    assert {"box", "line", "hq"} <= set(keys)


def test_the_page_may_be_off_and_tls_may_be_on(box: Path) -> None:
    for name in ("ca", "cert", "key"):
        (box.parent / f"{name}.pem").write_text("")
    tls = 'mqtts://hq.example"\nca = "ca.pem"\ncert = "cert.pem"\nkey = "key.pem"\n[page]\nlisten = "'
    box.write_text(GOOD.replace("mqtt://127.0.0.1:1884", tls))
    got = config.load(box)
    assert (got.hq.port, got.hq.tls, got.listen) == (8883, True, "")
    assert got.hq.key == str(box.parent / "key.pem")


def test_cert_without_key(box: Path) -> None:
    (box.parent / "cert.pem").write_text("")
    half = GOOD.replace("mqtt://127.0.0.1:1884", 'mqtts://hq.example"\ncert = "cert.pem')
    assert refused(box, half) == ["hq.key: missing"]


def test_the_number_of_a_sim_is_not_in_a_repr(box: Path) -> None:
    assert "+91900" not in repr(config.load(box))
