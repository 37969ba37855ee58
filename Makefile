# Quorate. Needs Go, make and git; `make race` needs a C compiler besides.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Nothing in the project uses C. Only the race detector does.
export CGO_ENABLED := 0

BIN      := bin/quorate
DIR      ?= quorate-testnet
SEEDS    ?= 1000
FUZZTIME ?= 30s

# What `quorate version` says. Without git or tags it says what the toolchain knows.
VERSION  := $(shell git describe --tags 2>/dev/null)
REVISION := $(shell h=$$(git rev-parse --short=12 HEAD 2>/dev/null) && { git diff --quiet HEAD || h=$$h+changes; echo $$h; })

# What stands below the line (internal/tidy/floors.go): no goroutines, no
# clock, no I/O, and hence good for the browser.
BELOW := crypto consensus evidence app checkpoint viewchange pbft raft protocol \
	client/session byzantine check sim leaderless

# Run on every package, but shortened where a test can be: the detector makes
# everything several times slower, and it looks for races, not for bugs that
# take a thousand seeds.
RACEFLAGS ?= -short -timeout 30m

.DEFAULT_GOAL := help

.PHONY: help build test check wasm unit race testnet acceptance sim cap profiles mutation fuzz bench shape clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

build: ## build bin/quorate
	go build -trimpath -ldflags "-X main.version=$(VERSION) -X main.revision=$(REVISION)" -o $(BIN) ./cmd/quorate

testnet: build ## start four replicas on this machine and leave them running
	./$(BIN) testnet up --dir $(DIR) --detach

test: check wasm unit ## run all checks and tests, without a C compiler

check: ## formatting, vet, staticcheck
	@unformatted="$$(gofmt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags acceptance ./...
	go tool staticcheck ./...

wasm: ## build what stands below the line for the browser
	GOOS=js GOARCH=wasm go build $(patsubst %,./%/...,$(wildcard $(BELOW)))

unit: ## run the tests alone
	go test -timeout 30m ./...

race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race $(RACEFLAGS) ./...

acceptance: build ## run the long tests: a whole source tree, a killed primary, gigabytes of state
	go test -tags acceptance -count=1 -timeout 60m -v -run '^TestAcceptance' ./testnet/... ./experiment/... ./cmd/...

sim: build ## simulate SEEDS=1000 systems of each protocol, print the seeds that fail and what they tried
	./$(BIN) sim --seeds $(SEEDS) --coverage
	./$(BIN) sim --protocol raft --seeds $(SEEDS) --coverage

cap: build ## run every column of the CAP contrast with SEEDS=1000 seeds, also with crashes and lost frames
	./$(BIN) cap --seeds $(SEEDS)
	./$(BIN) cap --seeds $(SEEDS) --replicas 3 --rough
	./$(BIN) cap --seeds $(SEEDS) --abd

mutation: ## seed bugs into the source, see what catches each, and write the table
	go run ./internal/mutation -keep internal/mutation/testdata/found.json -write docs/TESTING.md

profiles: build ## run every profile of traitors with SEEDS=1000 seeds, n = 4 and 7; of Raft 3 and 5
	./$(BIN) byzantine run --all --seeds $(SEEDS)
	./$(BIN) byzantine run --all --protocol raft --seeds $(SEEDS)

fuzz: ## fuzz every target for FUZZTIME=30s each
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | sort | \
	while read -r file target; do \
		echo "$$target in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname "$$file")" </dev/null; \
	done

bench: build ## measure a cluster on this machine
	./$(BIN) bench

shape: ## print medians, long files, wide structs and comment shares
	go test -count=1 -v -run '^TestReport$$' ./internal/tidy

clean: ## remove what was built; a testnet's directory stays
	rm -rf bin
