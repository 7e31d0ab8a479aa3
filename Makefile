# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything that these commands make is in .build, which can be removed at any time.

PYTHON ?= python3
# They would hide the modules of tools, or their texts.
unexport PYTHONSAFEPATH PYTHONOPTIMIZE

.PHONY: help test unit integration lint format generate docs demo bench soak guards release clean

help:
	@echo 'make test                     unit tests and integration targets on real registries'
	@echo 'make unit [ARGS="FILE -k X"]  unit tests only'
	@echo 'make integration [ARGS="T"]   integration targets only, all or those named'
	@echo 'make lint [ARGS="CHECK FILE"] sanity tests, linters, type checks'
	@echo 'make format                   format the Python code and fix what can be fixed'
	@echo 'make generate                 write the texts of tools/shared into the files that share them'
	@echo 'make docs                     the documentation site of the collection, in .build/docs'
	@echo 'make demo                     promote images between two registries, to look at'
	@echo 'make bench [ARGS="--only a"]  measure it beside other tools, and write docs/benchmark.md'
	@echo 'make soak [ARGS="--seed 1"]   promotions that go wrong at random, for up to 20 minutes'
	@echo 'make guards [ARGS="WORD"]     take out each guard against hostile registries, and see that its tests fail'
	@echo 'make release [ARGS="TAG"]     build the package of a release, and check it'
	@echo 'make clean                    stop the registries in .build, and remove it'

test:
	@$(PYTHON) tools/test.py

unit integration:
	@$(PYTHON) tools/test.py $@ $(ARGS)

lint:
	@$(PYTHON) tools/lint.py $(ARGS)

generate:
	@$(PYTHON) tools/generate.py

format:
	@$(PYTHON) tools/lint.py $@

docs:
	@$(PYTHON) tools/docs.py

demo:
	@tests/demo/run

bench:
	@$(PYTHON) tools/bench.py $(ARGS)

soak:
	@$(PYTHON) tools/soak.py $(ARGS)

guards:
	@$(PYTHON) tools/guards.py $(ARGS)

release:
	@$(PYTHON) tools/release.py $(ARGS)

clean:
	@build="$${BUILD_DIR:-.build}"; \
	if [ -d "$$build" ] && [ -n "$$(ls -A "$$build")" ] && [ ! -e "$$build"/lock ]; then \
	    echo "$$build is not a directory of these commands: it has no file lock. Remove it yourself." >&2; exit 1; \
	fi; \
	for state in "$$build"/demo/registries "$$build"/soak/*/registries "$$build"/registries/*; do \
	    [ ! -e "$$state/registries.json" ] || \
	    "$$build"/venv/registries/bin/python tests/registries/registries.py stop --state "$$state" >/dev/null; \
	done; rm -rf "$$build" && echo "Removed $$build."
