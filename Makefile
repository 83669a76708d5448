# make repro   the whole pipeline: corpus, features, training, evaluation, pictures
# make test    style, types, the layers of the code and the test suite
# make check   the same with the fast tests of features, models and pipeline, for daily work
# make coverage  which lines and branches of these the tests reach, in build/coverage
# make bench   speed against other implementations
# make compare  every network of the table in docs/results.md; takes hours, resumes when interrupted
# make real    accuracy of the trained model on real speakers, in ../shared/data
# make tutorials   the other tasks of the tutorials: digits, text, one step of an LSTM
# make torture    kill, starve and obstruct the pipeline and predict; outputs stay the same bytes
# make fuzz      a million damaged files: each is read or refused in one line
# make endurance memory and file handles over 2,000 predictions and 50 epochs; a run twice over
# make docs    the site, in build/docs; a dead link or an unknown name fails
# make lock    pin the newest versions that pyproject.toml allows
# make test PYTHON=python3.13   any of these with another Python, in an environment of its own
# make pythons   make test with each Python of pyproject.toml that pyenv has

PYTHONS := 3.11 3.12 3.13
PYTHON ?= python3
# .venv, or .venv-3.13 where PYTHON stands on the command line
VENV := .venv$(if $(filter command,$(origin PYTHON)),$(shell $(PYTHON) -c \
  'import sys; print("-%d.%d" % sys.version_info[:2])'))
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: repro test check coverage pythons bench compare real tutorials docs torture fuzz endurance
.PHONY: lock debian scm

# What DVC wrote when it was killed can be empty, and DVC would refuse to read it.
repro: $(VENV)/run scm
	@find . -maxdepth 3 \( -path ./dvc.lock -o -path ./.dvc/tmp/rwlock \) -empty -delete
	@dvc repro
	@python -m pipeline.compare

# A folder without git, such as an unpacked ZIP, is a project for DVC, too.
LOCALLY := dvc config --quiet --local
scm: $(VENV)/run
	@if [ -e .git ] || git rev-parse --git-dir >/dev/null 2>&1; then \
	  ! grep -qs no_scm .dvc/config.local || $(LOCALLY) --unset core.no_scm; \
	elif ! grep -qs no_scm .dvc/config.local; then \
	  echo "No git here: DVC goes without; experiments want \`git init\` and a first commit"; \
	  $(LOCALLY) core.no_scm true; \
	fi

test: $(VENV)/dev debian style
	python -m pytest --numprocesses 2 --dist worksteal

check: $(VENV)/dev style
	python -m pytest --numprocesses 2 --dist worksteal -m "not slow" \
	  tests/features tests/models tests/pipeline tests/test_house.py

# A test that fails because it is slower so is no reason to say nothing of the others.
coverage: $(VENV)/dev debian
	@rm -rf build/coverage; mkdir -p build/coverage
	@python -m coverage run -m pytest --numprocesses 2 --dist worksteal; status=$$?; \
	  python -m coverage combine --quiet && python -m coverage html --quiet \
	  && python -m coverage report && exit $$status

pythons:
	@for version in $(PYTHONS); do \
	  python=$$(pyenv prefix "$$(pyenv latest $$version 2>/dev/null)" 2>/dev/null)/bin/python; \
	  if test -x "$$python"; then $(MAKE) test PYTHON="$$python" || exit; \
	  else echo "Python $$version: pyenv has none, skipped"; fi; \
	done

.PHONY: style
style: $(VENV)/dev
	ruff check .
	ruff format --check .
	lint-imports
	mypy

bench: $(VENV)/dev
	python -m benchmarks.recurrent
	python -m benchmarks.predict
	python -m benchmarks.cluster
	python -m benchmarks.characters
	python -m benchmarks.digits

compare: $(VENV)/run
	@python -m studies.compare
	@python -m studies.corpus_size
	@python -m studies.time_to_quality

real: $(VENV)/run
	@python -m studies.real_speech --imitate 12

docs: $(VENV)/dev
	python -m sphinx -q -E -W --keep-going -c docs . build/docs

torture: $(VENV)/run
	@python -m reliability.torture

fuzz: $(VENV)/dev
	@python -m reliability.fuzz

endurance: $(VENV)/run
	@python -m reliability.endurance

# Trainings on digits side by side, a core each.
tutorials: $(VENV)/run
	@python -m examples.lstm_step_by_step
	@python -m examples.digits
	@python -m examples.characters

# Peers and browsers that tests use where they are; the tests that need one skip without it.
DEBIAN := chromium chromium-driver datefudge ffmpeg pocketsphinx-testdata qemu-user speech-tools
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    ! dpkg -s $(DEBIAN) >/dev/null 2>&1; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --no-install-recommends $(DEBIAN)) >$(VENV)/debian.log 2>&1 \
	    || echo "Debian packages not installed ($(DEBIAN)): some tests will skip"; \
	fi

$(VENV)/run: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -c \
	  'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(PYTHONS)".split())' \
	  || { echo "$(PYTHON) is none of Python $(PYTHONS): say which, as in" \
	            "make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock pins into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@echo "Installing what requirements-dev.lock pins into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# A local build's suffix (+cpu) is no part of a version that others can have. What only a newer
# Python needs is pinned for it alone.
PIN = python -m pip freeze --exclude articulatory-inversion | sed 's/+cpu$$//'
OLDEST := $(firstword $(PYTHONS))
NEWEST := $(lastword $(PYTHONS))
lock:
	@for extras in synthesis:requirements.lock synthesis,dev:requirements-dev.lock; do \
	  lock=$${extras#*:}; rm -rf build build-*; \
	  for version in $(OLDEST) $(NEWEST); do \
	    python$$version -m venv build-$$version || exit; \
	    constraint=; test $$version = $(OLDEST) || constraint="-c $$lock"; \
	    build-$$version/bin/python -m pip install --quiet $$constraint ".[$${extras%:*}]" || exit; \
	    if test $$version = $(OLDEST); then build-$$version/bin/$(PIN) > $$lock; \
	    else build-$$version/bin/$(PIN) | grep -vxFf $$lock \
	      | sed "s/$$/; python_version >= \"$$version\"/" >> $$lock; fi; \
	  done; \
	done; rm -rf build build-*
