"""The picture of a campaign: well-formed, whole, and nothing drawn over anything else."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest

from edge import campaign
from tools import cli, flow

CAMPAIGNS = sorted(Path(__file__).parent.parent.joinpath("campaigns").glob("*.toml"))
WATER = next(file for file in CAMPAIGNS if file.stem == "water-menu")
SVG = "{http://www.w3.org/2000/svg}"


def boxes(drawn: str) -> list[tuple[float, float, float, float]]:
    found = ET.fromstring(drawn).iter(f"{SVG}rect")
    return [
        (float(one.get("x")), float(one.get("y")), float(one.get("width")), float(one.get("height")))
        for one in found
        if one.get("class") == "box"
    ]


def words(drawn: str) -> str:
    return " | ".join("".join(one.itertext()) for one in ET.fromstring(drawn).iter(f"{SVG}text"))


@pytest.mark.parametrize("file", CAMPAIGNS, ids=lambda file: file.stem)
def test_each_shipped_campaign_is_drawn(file: Path) -> None:
    found = campaign.load(file)
    drawn = flow.draw(found)
    top = ET.fromstring(drawn)
    assert top.find(f"{SVG}title").text == f"{found.title} ({found.id})"
    assert not re.search(r"(?:href|src|url)\s*=|https?://(?!www\.w3\.org)", drawn)  # it needs nothing else
    nodes = found.menu.nodes.values() if found.menu else ()
    assert len(boxes(drawn)) == 1 + len(nodes)
    keys = [key.text for key in top.iter(f"{SVG}text") if key.get("class") == "digit"]
    wanted = [option.key for node in nodes for option in node.options]
    wanted += ["1", "2"] * sum(node.kind == "consent" for node in nodes)
    assert sorted(keys) == sorted(wanted)


def test_boxes_lie_apart_and_on_the_paper() -> None:
    drawn = flow.draw(campaign.load(WATER))
    wide, high = map(float, ET.fromstring(drawn).get("viewBox").split()[2:])
    for x, y, w, h in boxes(drawn):
        assert x >= 0 and y >= 0 and x + w <= wide and y + h <= high
    for one, two in combinations(boxes(drawn), 2):
        apart = one[0] + one[2] <= two[0] or two[0] + two[2] <= one[0]
        assert apart or one[1] + one[3] <= two[1] or two[1] + two[3] <= one[1]


def test_every_way_on_is_an_arrow_and_every_end_a_square() -> None:
    found = campaign.load(WATER)
    top = ET.fromstring(flow.draw(found))
    arrows = [one for one in top.iter(f"{SVG}path") if "way" in one.get("class", "") and one.get("marker-end")]
    ends = [one for one in top.iter(f"{SVG}rect") if one.get("class") == "end"]
    assert len(arrows) == 1 + 3 + 3 + 2 and len(ends) == 2 + 2  # complaint, idea; consent's two
    assert not [one for one in arrows if "back" in one.get("class", "")]


def test_a_way_back_is_dashed_and_below_all_boxes(tmp_path: Path) -> None:
    file = tmp_path / "loop.toml"
    file.write_text(WATER.read_text().replace('kind = "record"\n', 'kind = "record"\nnext = "main"\n'))
    drawn = flow.draw(campaign.load(file))
    (back,) = [one for one in ET.fromstring(drawn).iter(f"{SVG}path") if one.get("class") == "way back"]
    under = float(re.search(r"V([0-9.]+)H", back.get("d"))[1])
    assert under > max(y + h for _, y, _, h in boxes(drawn))
    assert under < float(ET.fromstring(drawn).get("viewBox").split()[3])


def test_what_is_said_is_shown_in_the_first_language_and_shortened(tmp_path: Path) -> None:
    file = tmp_path / "long.toml"
    text = WATER.read_text().replace('title = "', 'title = "<b>&')
    file.write_text(text.replace("शिकायत किस बारे में है?", "<&> " + "कु" * 200))
    shown = words(flow.draw(campaign.load(file)))
    assert "पानी गंदा है, तो" in shown and "If the water is dirty" not in shown
    assert "<&>" in shown and "कु" * 33 + "…" in shown and "कु" * 34 not in shown
    assert "vote on water-meters, until 31 Dec 2029" in shown and "1 हिंदी के लिए, 2 For English" in shown


def test_lines_are_cut_where_words_end() -> None:
    assert flow._lines("", 2) == []
    assert flow._lines("one two", 2) == ["one two"]
    lines = flow._lines(" ".join(["word"] * 30), 2)
    assert len(lines) == 2 and lines[1].endswith("…") and all(len(line) <= flow.LETTERS for line in lines)


def test_the_command_writes_to_a_file_or_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["campaign", "picture", str(WATER)]) == 0
    drawn = capsys.readouterr().out
    assert cli.main(["campaign", "picture", str(WATER), "--out", str(tmp_path / "water.svg")]) == 0
    assert (tmp_path / "water.svg").read_text() == drawn and not capsys.readouterr().out
    assert cli.main(["campaign", "picture", str(WATER), "--out", str(tmp_path / "no" / "water.svg")]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_a_browser_draws_it(tmp_path: Path) -> None:
    """In a real browser no text leaves its box, where the texts are in letters that any machine has."""
    text = WATER.read_text().replace('["hi", "en"]', '["en", "hi"]')
    (tmp_path / "water-menu.toml").write_text(text)
    drawn = flow.draw(campaign.load(tmp_path / "water-menu.toml"))
    script = """<pre id="told"></pre><script>addEventListener("load", () => {
      const right = box => box.getBoundingClientRect().right, boxes = [...document.querySelectorAll(".box")]
      const out = [...document.querySelectorAll("text:not(.digit)")].filter(text => {
        const at = text.getBoundingClientRect()
        const box = boxes.find(box => { const b = box.getBoundingClientRect()
          return at.left >= b.left && at.left < b.right && at.top >= b.top - 1 && at.bottom <= b.bottom + 1 })
        return box && at.right > right(box) })
      told.textContent = "out of the box: " + out.map(text => text.textContent).join("; ") + "." })</script>"""
    (tmp_path / "page.html").write_text(f"<!doctype html><meta charset=utf-8>{drawn}{script}")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--dump-dom", f"file://{tmp_path}/page.html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "out of the box: ." in done.stdout
