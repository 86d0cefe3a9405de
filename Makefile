# `make` alone lists the recipes.  All of them work from a bare clone; PYTHON=... names another interpreter.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint bench prove fuzz lock
export PYTHON ?= python3
PY := .venv/bin/python
DEMO_NEEDS := mosquitto:mosquitto espeak-ng:espeak-ng opusenc:opus-tools
TEST_NEEDS := $(DEMO_NEEDS) gammu:gammu gammu-smsd:gammu-smsd smsd:smstools chromium:chromium strace:strace mkfs.ext4:e2fsprogs \
  sox:sox multimon-ng:multimon-ng /usr/lib/postgresql/*/bin/postgres:postgresql
# peers that are libraries
BENCH_NEEDS := $(TEST_NEEDS) libspandsp.so.2:libspandsp2 libopencore-amrnb.so.0:libopencore-amrnb0
# the tests of the rooms that decide without a clock, a port or a file of their own, and of what is read from files
PURE_ROOMS := at bringup call campaign columns config courier fold gsm7 house letters numbers profile rules script settings sms \
  sms_inbound station stopwords urc wire words audition flow hearing ivr menu prompts rules_dial talk_ledger tryout wavfile
PURE := $(wildcard $(foreach room,$(PURE_ROOMS),tests/test_$(room).py))
FOR ?= 600

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## .venv from the lock; mosquitto, espeak-ng and opus-tools from Debian when root
	@.ci/setup demo $(DEMO_NEEDS)

demo: setup  ## a whole district on this machine: voters, modems, boxes, broker, headquarters
	@.venv/bin/miscall demo

test:  ## everything that continuous integration checks
	@.ci/setup dev $(TEST_NEEDS)
	@.ci/setup fuzz 2>/dev/null || echo "setup: no wheel of atheris for this Python: the fuzzing tests skip"
	@.ci/setup asr 2>/dev/null || echo "setup: no wheel of pocketsphinx for this Python: the tests of spoken words skip"
	@$(MAKE) --no-print-directory lint
	$(PY) -m pytest --cov --durations=12

check:  ## no root, no system package, under a minute: lint, types, the pure rooms
	@.ci/setup dev
	@$(MAKE) --no-print-directory lint
	$(PY) -m pytest -q $(PURE)

lint:
	$(PY) -m ruff check .
	$(PY) -m mypy

bench:  ## the figures, with peers side by side; writes bench/latest.json
	@.ci/setup dev $(BENCH_NEEDS)
	@.ci/setup asr 2>/dev/null || echo "setup: no wheel of pocketsphinx for this Python: words are not measured"
	$(PY) -m bench

prove:  ## the long proofs: every kill, every cut (an hour)
	@.ci/setup dev $(TEST_NEEDS)
	MISCALL_PROOF=10 $(PY) -m pytest -m prove --timeout 7200

fuzz:  ## coverage-guided fuzzing for FOR=600 seconds a target
	@.ci/setup dev
	@.ci/setup fuzz
	for target in $(patsubst tests/fuzz/fuzz_%.py,%,$(wildcard tests/fuzz/fuzz_*.py)); do \
	  $(PY) tests/fuzz/fuzz_$$target.py -max_total_time=$(FOR) tests/fuzz/corpus/$$target || exit 1; done

lock:  ## resolve requirements/*.in anew (needs pip-tools)
	cd requirements && for name in dev run demo fuzz asr postgres; do CUSTOM_COMPILE_COMMAND="make lock" ../$(PY) -m piptools compile -q --upgrade \
	  --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe \
	  $$([ $$name = dev ] || echo "-c dev.lock") -o $$name.lock $$name.in || exit 1; done
