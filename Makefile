# slashbatch: "make help" lists what can be done.

SHELL := /bin/bash
GO    ?= go
# What "make test" and "make bench" look at: make test PKG=./queue/... ARGS='-run Claim -v'
PKG   ?= ./...
ARGS  ?=

# Tests that are too long with the race detector: they call testenv.Unraced, or are shorter with it.
UNRACED := TestConvertMemory|TestCSVReaderLongRows|TestLongMessages|TestHostileValues|TestNamedQueryOverManyAssets|TestP108LastTwoAtOnce

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build ./slashbatch
	CGO_ENABLED=0 $(GO) build -trimpath -o slashbatch .

.PHONY: demo
demo: ## Run slashbatch on a throwaway PostgreSQL with a million rows of sample data
	scripts/install postgresql
	@$(MAKE) --no-print-directory build
	./slashbatch demo $(ARGS)

.PHONY: test
test: ## Run all tests with the race detector on throwaway PostgreSQL, Redis and S3
	scripts/install cc curl
	@report=$$(mktemp); trap 'rm -f "$$report"' EXIT; export SLASHBATCH_TEST_REPORT=$$report; \
	scripts/services run -- $(SHELL) -c '$(GO) test -race -count=1 -timeout 10m $(ARGS) $(PKG) && $(if $(filter ./...,$(PKG)),CGO_ENABLED=0 $(GO) test -count=1 -timeout 10m -run "$(UNRACED)" ./internal/rows ./internal/blackbox,true)'; status=$$?; \
	printf '\nWhat ran, and what was seen:\n'; sort "$$report"; exit $$status

.PHONY: bench
bench: ## Run the benchmarks on the same services
	scripts/services run -- $(GO) test -run '^$$' -bench . -benchmem -timeout 60m $(ARGS) $(PKG)

.PHONY: chaos
chaos: ## Kill workers and queues for ten minutes, and tell what was lost
	@report=$$(mktemp); trap 'rm -f "$$report"' EXIT; export SLASHBATCH_TEST_REPORT=$$report SLASHBATCH_TEST_CHAOS=full; \
	scripts/services run -- $(GO) test -count=1 -timeout 40m -parallel 2 $(ARGS) \
		-run 'Chaos|QueueAway|SubscriptionsKilled|NotificationsOff|SurviveARestart|Backlog|StepTwo|InsertKilled|StoreCopyKilled' ./internal/e2e; status=$$?; \
	printf '\nWhat was seen:\n'; sort "$$report"; exit $$status

.PHONY: race
race: ## Let clients race over the result store, a minute for each race
	@report=$$(mktemp); trap 'rm -f "$$report"' EXIT; export SLASHBATCH_TEST_REPORT=$$report SLASHBATCH_TEST_RACE=60s; \
	scripts/services run -- $(GO) test -count=1 -timeout 30m -p 1 $(ARGS) -run 'Race|Everything|CopyWhile' ./cache/... ./jobs; status=$$?; \
	printf '\nWhat was seen:\n'; sort "$$report"; exit $$status

.PHONY: services
services: ## Open a shell with the services running; exit ends them
	scripts/services shell

.PHONY: lint
lint: .tools/bin/golangci-lint ## Check Go (.golangci.yaml says what for), go.mod and the shell scripts
	@for script in scripts/find.sh scripts/install scripts/services .ci/run; do bash -n $$script || exit 1; done
	$(GO) mod tidy -diff
	.tools/bin/golangci-lint run ./...
	GOOS=darwin $(GO) vet ./...
	cd bench/drain && $(GO) mod tidy -diff && $(GO) vet ./...

.PHONY: format
format: .tools/bin/golangci-lint ## Format all Go files
	.tools/bin/golangci-lint fmt ./...

.PHONY: vuln
vuln: .tools/bin/govulncheck ## Look for known vulnerabilities (asks vuln.go.dev)
	.tools/bin/govulncheck ./...

.PHONY: clean
clean: ## Remove what was built
	rm -rf slashbatch .tools

# Development tools, at the versions that tools/go.mod pins. Built again only
# when that file changes, and stripped, since nobody debugs them. golangci-lint
# has staticcheck and gofumpt inside; by themselves they are there for editors.
TOOL = @echo "building $@" && cd tools && $(GO) build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@

.tools/bin/versitygw: tools/go.mod
	$(TOOL) github.com/versity/versitygw/cmd/versitygw
.tools/bin/staticcheck: tools/go.mod
	$(TOOL) honnef.co/go/tools/cmd/staticcheck
.tools/bin/gofumpt: tools/go.mod
	$(TOOL) mvdan.cc/gofumpt
.tools/bin/govulncheck: tools/go.mod
	$(TOOL) golang.org/x/vuln/cmd/govulncheck
.tools/bin/golangci-lint: tools/go.mod
	$(TOOL) github.com/golangci/golangci-lint/v2/cmd/golangci-lint
