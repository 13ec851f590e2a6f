# netfault: the commands that people and CI run. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# netns, kind, or auto: kind where a container engine answers and a node image can be had, netns elsewhere.
LAB ?= auto
# Labels of the suite, such as a scenario's name; empty for all but the long one.
FOCUS ?=
VECTORS ?= framework/twrecycle/testdata/vectors.json
RULESETS ?= 2000
OUT := out/$(LAB)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
export NETFAULT_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/netfault
# What a run as root needs to know of the user's settings: where Go is, and those of these that are set.
SETTINGS := FLANNEL_VERSION NODE_IMAGE KIND_EXPERIMENTAL_PROVIDER CONTAINERS_CONF DOCKER_HOST DOCKER_CONFIG
ENV := env PATH="$(PATH)" NETFAULT_CACHE=$(NETFAULT_CACHE) $(foreach v,$(SETTINGS),$(if $($(v)),$(v)="$($(v))"))
# Nothing is printed of specs that are skipped, and picking none is an error.
QUIET := --ginkgo.succinct --ginkgo.silence-skips --ginkgo.fail-on-empty
GO_BUILD := CGO_ENABLED=0 go build -trimpath

.DEFAULT_GOAL := help
.PHONY: help build tools node-image e2e suite test conformance evaluator lint bench bench-kind fixtures clean check-lab

help: ## list these commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1|/' | column -t -s '|'

build: ## build netfault and its agent into bin/
	@$(GO_BUILD) -o bin/ ./cmd/...

tools: build ## install what is missing and build etcd, flanneld and CoreDNS (FLANNEL_VERSION=... picks flannel's; LAB=netns or kind, only what that needs)
	@bin/netfault doctor --fix $(if $(filter netns kind,$(LAB)),--lab=$(LAB))

check-lab:
	@case "$(LAB)" in netns|kind|auto) ;; *) echo "LAB=$(LAB): want netns, kind or auto" >&2; exit 2;; esac

node-image: ## build a kind node image without a container registry, for LAB=kind (10 to 15 minutes from nothing)
	@$(MAKE) --no-print-directory tools LAB=kind
	@$(GO_BUILD) -o bin/ ./hack/node-image
	@$(ENV) bin/node-image

e2e: check-lab build ## run every scenario on a lab (LAB=netns, an embedded one, or LAB=kind, a kind cluster; without, kind where it can be had; FOCUS=stale-vtep runs one, FOCUS=fault all without the tests of the harness, FOCUS=sigkill kills netfault at every line, FOCUS="sigkill && stale-vtep" at those of one; KEEP=1 keeps the lab of a failure); reports in out/LAB/
	@lab=$$($(SUDO) $(ENV) bin/netfault lab choose --kind=$(LAB)) && $(MAKE) --no-print-directory suite LAB=$$lab

suite: tools
	@CGO_ENABLED=0 go test -c -o bin/e2e.test ./scenarios
	@mkdir -p $(OUT)
ifeq ($(FOCUS),)
	@CGO_ENABLED=0 go test -c -o bin/ ./framework/lab/$(LAB)
	@$(SUDO) $(ENV) bin/$(LAB).test -test.v | grep -E '^(---|ok|PASS|FAIL|    )'
endif
	@color=; [ -t 1 ] || color=--ginkgo.no-color; \
	$(SUDO) $(ENV) bin/e2e.test -test.run=TestScenarios -test.timeout=30m -lab=$(LAB) -out=$(CURDIR)/$(OUT) $(if $(filter-out 0,$(KEEP)),-keep) --ginkgo.randomize-all $(QUIET) $$color \
	  --ginkgo.label-filter='$(FOCUS)' --ginkgo.junit-report=$(CURDIR)/$(OUT)/junit.xml
	@echo "reports: $(OUT)/junit.xml $(OUT)/report.json"

test: ## unit tests with the race detector, recorded bundles and fuzz seeds; no root needed
	@command -v gcc >/dev/null || { echo "the race detector needs gcc; make tools installs it" >&2; exit 1; }
	CGO_ENABLED=1 go test -race ./...

conformance: ## hold the emulated tcp_tw_recycle against measurements of real kernels (VECTORS=FILE for others)
	@CGO_ENABLED=0 go build -o bin/ ./hack/conformance
	@$(SUDO) bin/conformance $(VECTORS)

evaluator: ## hold the evaluator of iptables' and nft's rules against the kernel, over RULESETS random rule sets (NETFAULT_SEED=... repeats a run)
	@CGO_ENABLED=0 go test -c -o bin/iptables.test ./detectors/iptables
	@$(SUDO) env NETFAULT_RULESETS=$(RULESETS) NETFAULT_SEED=$(NETFAULT_SEED) bin/iptables.test -test.run=TestKernel -test.v -test.timeout=30m

lint: ## gofmt, go vet, staticcheck, actionlint
	@bad=$$(gofmt -l cmd detectors framework hack kind-configs scenarios); test -z "$$bad" || { echo "gofmt -w these: $$bad" >&2; exit 1; }
	go vet ./...
	go tool -modfile=hack/lint/go.mod staticcheck ./...
	go tool -modfile=hack/lint/go.mod actionlint
	@for s in .ci/run hack/*.sh; do bash -n $$s || exit 1; done

bench fixtures: LAB = netns

bench: tools ## time the lab from 3 to 30 nodes, stale-vtep at 100 to 5,000 nodes, and pod-snat beside iptables-legacy-save
	@CGO_ENABLED=0 go test -c -o bin/ ./framework/lab/netns
	@$(SUDO) $(ENV) bin/netns.test -test.run=none -test.bench=. -test.benchtime=3x
	go test -run=none -bench=StaleVTEP -benchtime=1x -timeout=30m ./detectors/stalevtep
	@CGO_ENABLED=0 go test -c -o bin/iptables.test ./detectors/iptables
	@$(SUDO) bin/iptables.test -test.run=none -test.bench=PodSNAT -test.benchtime=3x

bench-kind: LAB = kind
bench-kind: tools ## time a bare kind cluster beside the whole suite on one of the same configuration, step by step
	@CGO_ENABLED=0 go test -c -o bin/e2e.test ./scenarios
	@CGO_ENABLED=0 go build -o bin/ ./hack/bench-kind
	@$(SUDO) $(ENV) bin/bench-kind bin/e2e.test -test.run=TestScenarios -lab=kind --ginkgo.label-filter=fault $(QUIET) --ginkgo.no-color

fixtures: tools ## record fixtures/bundles anew, from real runs of every scenario (FOCUS=stale-vtep: of that one, and no other's)
	@CGO_ENABLED=0 go test -c -o bin/e2e.test ./scenarios
	@$(SUDO) rm -rf out/fixtures && mkdir -p out/fixtures/bundles
	@$(SUDO) $(ENV) bin/e2e.test -test.run=TestScenarios -out=$(CURDIR)/out/fixtures -record $(QUIET) --ginkgo.label-filter='fault$(if $(FOCUS), && ($(FOCUS)))'
	@test -n "$$(ls out/fixtures/bundles)" || { echo "nothing was recorded: no scenario that FOCUS picks can come about here" >&2; exit 1; }
	@for s in $$(ls out/fixtures/bundles); do rm -rf fixtures/bundles/$$s && cp -r out/fixtures/bundles/$$s fixtures/bundles/ || exit 1; done

clean: ## remove what was built here (the built tools stay in the cache)
	@$(SUDO) rm -rf bin out
