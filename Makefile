# netfault: the commands that people and CI run. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
# Labs are root's: an ordinary user gets there by sudo. With ROOTLESS=1, or where there is no sudo, it is root of a user
# namespace, who can have embedded labs.
SUDO := $(if $(filter-out 0,$(ROOTLESS)),hack/rootless,$(if $(filter 0,$(shell id -u)),,$(if $(shell command -v sudo),sudo,hack/rootless)))
NO_ROOT := $(filter hack/rootless,$(SUDO))
# netns, kind, or auto: kind where a container engine answers and a node image can be had, netns elsewhere.
LAB ?= $(if $(NO_ROOT),netns,auto)
# Rules that kube-proxy and flanneld write: iptables, or with LAB=kind nftables.
KUBE_PROXY ?= iptables
FLANNEL_RULES ?= iptables
RULES := -kube-proxy=$(KUBE_PROXY) -flannel-rules=$(FLANNEL_RULES)
# Labels of the suite, such as a scenario's name; empty for all but the long one.
FOCUS ?=
# Of the specs that take long (FOCUS=thorough and FOCUS=sigkill), about one in SHARE is run; SEED draws which.
SHARE ?= 1
SEED ?=
VECTORS ?= framework/twrecycle/testdata/vectors.json
RULESETS ?= 2000
# How many commands `make chaos` ends.
N ?= 200
# Processes of the suite, each with labs of its own. Embedded labs mostly wait; a kind cluster keeps four processors busy.
PROCS ?= $(shell echo $$(( $(if $(filter kind,$(LAB)),($$(nproc) + 3) / 4,$$(nproc) * 2) )))
OUT := out/$(LAB)
# As an ordinary user: where root, who makes the labs, finds what this user has built, also if HOME is not the account's.
export NETFAULT_CACHE ?= $(if $(SUDO),$(HOME)/.cache/netfault)
# What a run as root needs to know of the user's settings: where Go is, and those of these that are set, by which modules and
# images are downloaded, too. An ordinary user's PATH lacks the sbin folders, which root needs.
SETTINGS := NETFAULT_CACHE FLANNEL_VERSION NODE_IMAGE GITHUB_STEP_SUMMARY KIND_EXPERIMENTAL_PROVIDER CONTAINERS_CONF DOCKER_HOST DOCKER_CONFIG NO_COLOR TERM \
  GOPROXY GOSUMDB GOPRIVATE GOFLAGS HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy
ENV := env PATH="$(PATH):/usr/local/sbin:/usr/sbin:/sbin" $(foreach v,$(SETTINGS),$(if $($(v)),$(v)="$($(v))"))
# Before a command that cleans up when it is ended: the shell must not be gone before. Behind one that writes into out/ as root: what
# it has written is the user's, and its exit code stays.
WAIT_FOR := $(if $(filter sudo,$(SUDO)),trap : INT TERM HUP;,exec)
GIVE_OUT := $(if $(filter sudo,$(SUDO)),; status=$$?; sudo chown -R "$$(id -u):$$(id -g)" out && exit $$status)
# Nothing is printed of specs that are skipped, and picking none is an error.
QUIET := --ginkgo.succinct --ginkgo.silence-skips --ginkgo.fail-on-empty
# Without paths in them, what is built serves every checkout, and every user who gets the cache.
GO_BUILD := CGO_ENABLED=0 go build -trimpath
GO_TEST := CGO_ENABLED=0 go test -trimpath -c

# What is looked at with the same settings is not compiled once more for that.
AS_BUILT = CGO_ENABLED=0 GOFLAGS="$$(go env GOFLAGS) -trimpath"

.DEFAULT_GOAL := help
.PHONY: help may-sudo build tools test-page test-lab gate mutants node-image trainer-image test-trainer-image e2e suite test test-root conformance evaluator lint chaos bench bench-kind fixtures clean check-lab root

help: ## list these commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1|/' | column -t -s '|'

build: ## build netfault and its agent into bin/
	@[ -x bin/netfault ] || hack/first-build.sh $(GO_BUILD)
	@$(GO_BUILD) -o bin/ ./cmd/...

tools: build ## install what is missing and build etcd, flanneld and CoreDNS (FLANNEL_VERSION=... picks flannel's; LAB=netns or kind, only what that needs)
	@bin/netfault doctor --fix $(if $(filter netns kind,$(LAB)),--lab=$(LAB))

check-lab:
	@case "$(LAB)" in netns|kind|auto) ;; *) echo "LAB=$(LAB): want netns, kind or auto" >&2; exit 2;; esac
	@[ -z "$(NO_ROOT)" ] || [ "$(LAB)" = netns -a -z "$(filter-out 0,$(KEEP))" ] || { echo "without root there are embedded labs alone, which end with the run: LAB=netns, without KEEP" >&2; exit 2; }

# sudo alone would say why not, and not what there is without it.
may-sudo:
	@[ "$(SUDO)" != sudo ] || sudo -n true 2>/dev/null || sudo true || \
	  { echo "this needs sudo; but with ROOTLESS=1 make e2e runs embedded labs without root, in a user namespace" >&2; exit 2; }

# The machine's own root.
root: may-sudo
	@[ -z "$(NO_ROOT)" ] || { echo "this needs the machine's own root: run make as root, or with sudo installed and without ROOTLESS" >&2; exit 2; }

node-image: root ## build a kind node image without a container registry, for LAB=kind (6 to 10 minutes from nothing)
	@$(MAKE) --no-print-directory tools LAB=kind
	@$(GO_BUILD) -o bin/ ./hack/node-image
	@$(ENV) bin/node-image

trainer-image: root ## build an image of the training page for Docker or Podman, out/netfault-trainer.tar, without either and without a registry, for those without Linux (5 minutes from nothing)
	@$(MAKE) --no-print-directory tools LAB=auto
	@$(GO_BUILD) -o bin/ ./hack/node-image
	@$(ENV) bin/node-image trainer out/netfault-trainer.tar

test-trainer-image: trainer-image ## heal an exercise in a container of that image alone
	@$(GO_TEST) -o bin/trainer.test ./hack/node-image
	@$(SUDO) $(ENV) NETFAULT_TRAINER_IMAGE=$(CURDIR)/out/netfault-trainer.tar bin/trainer.test -test.run=TestExerciseIsHealedFromTheImage -test.v

e2e: check-lab may-sudo build ## run every scenario on a lab (LAB=netns, an embedded one, or LAB=kind, a kind cluster; without, kind where it can be had; FOCUS=stale-vtep runs one, FOCUS=fault all without the tests of the harness, FOCUS=thorough what is left out without it: each case set by hand, faults healed by hand and on other sites, the gate, the training, signals; FOCUS=sigkill kills netfault at every line, FOCUS="sigkill && stale-vtep" at those of one; SHARE=4 runs about one in four of what takes long, and SEED=... the same ones again; KUBE_PROXY=nftables and FLANNEL_RULES=nftables have kube-proxy and flanneld of a kind cluster write such rules; PROCS=4 shares the specs among four processes, each with labs of its own, and PROCS=1 runs one after the other; KEEP=1 keeps the lab of a failure; ROOTLESS=1 takes a user namespace in place of root); reports in out/LAB/
	@lab=$$($(SUDO) $(ENV) bin/netfault lab choose --kind=$(LAB)) && exec $(MAKE) --no-print-directory suite LAB=$$lab

# What makes labs is executed in place of its shell, so that make waits for it when a signal ends the run: it clears up.
suite: tools
	@[ -x bin/e2e.test ] || echo "compiling the suite"
	@$(GO_TEST) -o bin/e2e.test ./scenarios
	@$(GO_BUILD) -o bin/ github.com/onsi/ginkgo/v2/ginkgo
	@mkdir -p $(OUT)
	@color=; case "$$TERM" in ""|dumb|unknown) false;; esac && [ -t 1 ] && [ -z "$$NO_COLOR" ] || color=--ginkgo.no-color; \
	$(WAIT_FOR) $(SUDO) $(ENV) bin/e2e.test -test.run=TestScenarios -test.timeout=30m -lab=$(LAB) -procs=$(PROCS) -out=$(CURDIR)/$(OUT) $(RULES) -share=$(SHARE) $(if $(SEED),--ginkgo.seed=$(SEED)) $(if $(filter-out 0,$(KEEP)),-keep) --ginkgo.randomize-all $(QUIET) $$color \
	  --ginkgo.label-filter='$(FOCUS)' --ginkgo.junit-report=$(CURDIR)/$(OUT)/junit.xml $(GIVE_OUT)
	@echo "reports: $(OUT)/junit.xml $(OUT)/report.json $(OUT)/report.html"

test-lab chaos: LAB := $(if $(filter auto,$(LAB)),netns,$(LAB))
test-lab: check-lab may-sudo tools ## the labs' own tests, on embedded ones or with LAB=kind on a cluster
	@$(GO_TEST) -o bin/ ./framework/lab/$(LAB)
	@exec $(SUDO) $(ENV) bin/$(LAB).test -test.v > >(grep -E '^(---|ok|PASS|FAIL|    )')

chaos: check-lab may-sudo tools ## end netfault N times in random ways at random moments, and reset once each time (LAB=netns or kind; SEED=... repeats the choices)
	@$(GO_TEST) -o bin/e2e.test ./scenarios
	@mkdir -p out/chaos
	@$(SUDO) $(ENV) bin/e2e.test -test.run=TestScenarios -test.timeout=5h -lab=$(LAB) -out=$(CURDIR)/out/chaos -rounds=$(N) $(if $(SEED),--ginkgo.seed=$(SEED)) $(QUIET) --ginkgo.no-color --ginkgo.label-filter=chaos --ginkgo.junit-report=$(CURDIR)/out/chaos/junit.xml $(GIVE_OUT)

# N is that of chaos where nobody says it.
gate: N := $(if $(filter file,$(origin N)),1,$(N))
# A LAB of the environment is of other targets.
gate: LAB := $(if $(filter command line,$(origin LAB)),$(LAB),recorded)
gate: ON_LABS = $(filter netns kind,$(LAB))
gate: OUT = out/gate$(addprefix -,$(ON_LABS))
gate: build ## hold every detector against every recorded bundle, or with LAB=netns or kind against every phase of every fault on labs (N=20 rounds in other orders and under other names; DETECTOR_CMD='my-detector {bundle}' judges another team's, with MAP=FILE for its names; with LAB=netns, PAIRS=1 also brings every two faults about at once, and RUN_REMEDIES=1 runs the remedies of what is found); reports in out/gate/, or out/gate-LAB/
	@case "$(LAB)" in recorded|netns|kind) ;; *) echo "LAB=$(LAB): want recorded, netns or kind" >&2; exit 2;; esac
	@mkdir -p $(OUT)
	@$(if $(ON_LABS),$(MAKE) --no-print-directory may-sudo tools LAB=$(LAB))
	@$(if $(ON_LABS),$(WAIT_FOR) $(SUDO) $(ENV)) bin/netfault gate --kind=$(LAB) --rounds=$(N) --out=$(OUT) $(if $(DETECTOR_CMD),--detector-cmd='$(DETECTOR_CMD)') $(if $(MAP),--map='$(MAP)') $(if $(filter-out 0,$(PAIRS)),--pairs) $(if $(filter-out 0,$(RUN_REMEDIES)),--run-remedies) $(if $(ON_LABS),$(GIVE_OUT))

mutants: ## break every detector, and what they share, in every way that hack/mutants knows, and say which breaks the recorded gate does not notice (FOCUS=stale-vtep, of that one; evaluator, readers or shared)
	@go run ./hack/mutants $(FOCUS)

test: ## unit tests with the race detector, recorded bundles and fuzz seeds; no root needed
	@command -v gcc >/dev/null || { echo "the race detector needs gcc; make tools installs it" >&2; exit 1; }
	CGO_ENABLED=1 go test -trimpath -race ./...

test-page: ## hold the HTML report and the training page against a browser: axe-core finds nothing, it fits a phone, keyboard and paper, and asks for nothing (needs chromium and npm; NETFAULT_SHOTS=DIR keeps pictures)
	@command -v chromium >/dev/null && command -v npm >/dev/null || { echo "this needs Chromium and npm: apt-get install --no-install-recommends chromium npm" >&2; exit 1; }
	CGO_ENABLED=0 go test -trimpath -count=1 -tags browser -run Browser ./framework/report/page ./framework/training/page

# Those with tests in network namespaces, of root's view, of what root may.
ROOT_TESTS := $(addprefix ./framework/,capture collect/... drops internal/... kstate tcpskew tools training/... twrecycle/...)
test-root: root ## the unit tests that need root
	CGO_ENABLED=0 go test -trimpath -exec='$(SUDO) $(ENV)' $(ROOT_TESTS)

conformance: root ## hold the emulated tcp_tw_recycle against measurements of real kernels (VECTORS=FILE for others)
	@$(GO_BUILD) -o bin/ ./hack/conformance
	@$(SUDO) $(ENV) bin/conformance $(VECTORS)

evaluator: may-sudo ## hold the evaluator of iptables' and nft's rules against the kernel, over RULESETS random rule sets (NETFAULT_SEED=... repeats a run, NETFAULT_RECORD=DIR keeps what was seen)
	@$(GO_TEST) -o bin/iptables.test ./detectors/iptables
	@$(SUDO) $(ENV) NETFAULT_RULESETS=$(RULESETS) NETFAULT_SEED=$(NETFAULT_SEED) NETFAULT_RECORD=$(abspath $(NETFAULT_RECORD)) bin/iptables.test -test.run=TestKernel -test.v -test.timeout=30m

lint: ## gofmt, go vet, staticcheck, actionlint
	@bad=$$(gofmt -l cmd detectors framework hack kind-configs scenarios); test -z "$$bad" || { echo "gofmt -w these: $$bad" >&2; exit 1; }
	$(AS_BUILT) go vet -tags browser ./...
	$(AS_BUILT) go tool -modfile=hack/lint/go.mod staticcheck -tags browser ./...
	go tool -modfile=hack/lint/go.mod actionlint
	go tool -modfile=hack/lint/go.mod actionlint docs/examples/*.yml
	@for s in .ci/* hack/*.sh hack/rootless; do bash -n $$s || exit 1; done

bench fixtures: LAB = netns

bench: root tools ## time the first run, labs of 3 to 30 nodes, every scenario by step, detectors on big clusters, and a class of four learners at once, and make the largest lab that Linux's default limits allow; out/bench.json (BASE=REF compares with that commit in the same run)
	@$(GO_BUILD) -o bin/ ./hack/bench
	@exec bin/bench $(if $(BASE),-base=$(BASE)) $(SUDO) $(ENV)
	@$(GO_TEST) -o bin/ ./framework/lab/netns
	@$(SUDO) $(ENV) NETFAULT_LARGEST=1 bin/netns.test -test.run=TestNeighboursOfLargestLab -test.v

bench-kind: LAB = kind
bench-kind: root tools ## time a bare kind cluster beside the whole suite on one of the same configuration, step by step (PROCS=2 on two)
	@$(GO_TEST) -o bin/e2e.test ./scenarios
	@$(GO_BUILD) -o bin/ ./hack/bench-kind github.com/onsi/ginkgo/v2/ginkgo
	@$(SUDO) $(ENV) bin/bench-kind bin/e2e.test -test.run=TestScenarios -lab=kind -procs=$(PROCS) $(RULES) --ginkgo.label-filter=fault $(QUIET) --ginkgo.no-color

fixtures: may-sudo tools ## record fixtures/bundles anew, from real runs of every scenario (FOCUS=stale-vtep: of that one, and no other's)
	@$(GO_TEST) -o bin/e2e.test ./scenarios
	@rm -rf out/fixtures && mkdir -p out/fixtures/bundles
	@$(SUDO) $(ENV) bin/e2e.test -test.run=TestScenarios -out=$(CURDIR)/out/fixtures -record $(QUIET) --ginkgo.label-filter='fault$(if $(FOCUS), && ($(FOCUS)))' $(GIVE_OUT)
	@test -n "$$(ls out/fixtures/bundles)" || { echo "nothing was recorded: no scenario that FOCUS picks can come about here" >&2; exit 1; }
	@for s in $$(ls out/fixtures/bundles); do rm -rf fixtures/bundles/$$s && cp -r out/fixtures/bundles/$$s fixtures/bundles/ || exit 1; done

clean: ## remove what was built here (the built tools stay in the cache)
	@rm -rf bin out 2>/dev/null || $(SUDO) rm -rf bin out
