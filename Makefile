# Two commands are enough: `make run` and `make test`. Both install what is missing first.
# ARGS="..." is handed to the command: make load ARGS="--connections 10000 --qps 30000"

# node_modules/.bin comes first, and with it the Node that the lockfile pins.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# Sources without their types, and compiled code, are kept from one start to the next: a command starts in half the time.
export NODE_COMPILE_CACHE := $(CURDIR)/node_modules/.cache/node
HONGBAO = node tools/hongbao.js
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install run load drop send status watch monitor experiment report audit chaos sim overload hostile fuzz soak bench bench-grabs million test check format pack clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo '  ARGS="..." is handed through: make run ARGS="--port 1025 --workers 2"; ARGS=--help says what there is'

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

install: node_modules/.installed ## install what is missing, and nothing else

run: node_modules/.installed ## start the server; Ctrl-C stops it in good order
	@$(HONGBAO) serve $(ARGS)

load: node_modules/.installed ## put load on a running server
	@$(HONGBAO) load $(ARGS)

drop: node_modules/.installed ## start a drop: packets that users win by shaking
	@$(HONGBAO) drop $(ARGS)

send: node_modules/.installed ## send packets to users, who are told and grab
	@$(HONGBAO) send $(ARGS)

status: node_modules/.installed ## show what a running server says of itself
	@$(HONGBAO) status $(ARGS)

watch: node_modules/.installed ## watch a running server and its load clients, second by second
	@$(HONGBAO) watch $(ARGS)

monitor: node_modules/.installed ## gather and show the samples of several servers and load clients
	@$(HONGBAO) monitor $(ARGS)

experiment: node_modules/.installed ## the whole published experiment on this machine, with verdict and report; --quick for a minute of it
	@$(HONGBAO) experiment $(ARGS)

report: node_modules/.installed ## draw the charts of the newest run in ./data into ./report
	@$(HONGBAO) report $(or $(ARGS),data)

audit: node_modules/.installed ## check the journal of ./data with a second reader
	@$(HONGBAO) audit $(or $(ARGS),data)

chaos: node_modules/.installed ## kill a loaded server 20 times, and check that nothing acknowledged is lost
	@node tools/chaos/chaos.ts $(ARGS)

fuzz: node_modules/.installed ## millions of wrong inputs against a server, with honest users beside them; one seed repeats them
	@node tools/fuzz/fuzz.ts $(ARGS)

soak: node_modules/.installed ## minutes or hours of mixed load, and whether anything grows or goes missing
	@node tools/soak/soak.ts $(ARGS)

sim: node_modules/.installed ## thousands of seeded simulations with crashes, against a plain model
	@node test/sim/run-sim.ts $(ARGS)

overload: node_modules/.installed ## offer a server ten times what it can do, and everybody one packet
	@node tools/overload/overload.ts $(ARGS)

hostile: node_modules/.installed ## attack a server in six ways while honest users play
	@node tools/hostile/hostile.ts $(ARGS)

bench: node_modules/.installed ## how costs grow with connections, SETs, open packets and more; --quick for a minute of it
	@node tools/bench/bench.ts $(ARGS)

million: node_modules/.installed ## hold a million connections on this machine, as far as it reaches, and let them shake
	@$(HONGBAO) million $(ARGS)

bench-grabs: node_modules/.installed ## durable grabs a second, beside Redis with Lua where it is installed
	@node tools/bench/grabs.ts $(ARGS)

test: check ## lint, type check, and all tests
	tap $(ARGS)

check: node_modules/.installed ## lint, types, who may import whom, dead code
	biome check
	tsc --noEmit
	tsc -p lib/control/page
	depcruise --config .dependency-cruiser.cjs lib clients tools test
	knip

format: node_modules/.installed ## put the sources into the project's format
	biome check --write

pack: node_modules/.installed ## build the npm package into hongbao-*.tgz
	npm pack

clean: ## remove what was built and installed
	rm -rf node_modules dist .tap hongbao-*.tgz
