"""A short run of every fuzzer over its kept corpus, and the proof that such a run can fail."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz"
ROOT = FUZZ.parent.parent
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.py"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python"
)


def run(script: Path, corpus: Path, folder: Path, runs: int) -> subprocess.CompletedProcess[str]:
    """Run a fuzzer on a copy of its corpus: what it finds new stays out of the tree."""
    shutil.copytree(corpus, folder / "corpus")
    words = [sys.executable, str(script), f"-runs={runs}", "-seed=1", "-max_len=1500", str(folder / "corpus")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False)


def test_at_the_pdu_decoder_and_wire_each_have_a_fuzzer_and_a_corpus() -> None:
    assert set(TARGETS) >= {"at", "sms", "wire"}
    assert all(any((FUZZ / "corpus" / target).iterdir()) for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_it(target: str, tmp_path: Path) -> None:
    done = run(FUZZ / f"fuzz_{target}.py", FUZZ / "corpus" / target, tmp_path, runs=4000)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_harness_finds_a_decoder_that_trusts_its_bytes(tmp_path: Path) -> None:
    """Negative control: lines read as UTF-8, as a peer does, must be found."""
    broken = tmp_path / "broken.py"
    trusting = "at.Splitter.feed = lambda self, data: data.decode().splitlines()"
    broken.write_text((FUZZ / "fuzz_at.py").read_text().replace("PROFILES = ", f"{trusting}\nPROFILES = ", 1))
    done = run(broken, FUZZ / "corpus" / "at", tmp_path, runs=20000)
    assert done.returncode != 0 and "UnicodeDecodeError" in done.stdout + done.stderr
