# make run and make test do all set-up on a fresh Debian or Ubuntu. The build
# flags never vary: the window's first build takes minutes, the next ones seconds.
GO      ?= go
VERSION ?= $(shell .ci/version)
TAGS    := migrated_fynedo
LDFLAGS := -X main.version=$(VERSION)
BUILD   := $(GO) build -buildvcs=false -ldflags "$(LDFLAGS)"
# Races are looked for, but not in SQLite's C made Go, which is four times slower so. No other
# package: one that shares a generic type with the rest would take the watch from all of it.
TESTFLAGS := -race -gcflags=modernc.org/sqlite/lib=-race=false -tags ci,$(TAGS)
FUZZTIME ?= 30s
STATICCHECK := v0.7.0

export GO VERSION TAGS TESTFLAGS

.PHONY: run build headless test check fmt vet lint bench fuzz nightly windows package deps session firmware firmware-wifi

run: build              ## build, then start the window (ARGS="serve" and the like are passed on)
	build/homeroom $(ARGS)

build:                  ## build/homeroom
	@.ci/deps build assets
	$(BUILD) -tags $(TAGS) -o build/homeroom .

headless:               ## build/homeroom-headless: no window, no cgo, one static file
	CGO_ENABLED=0 $(BUILD) -tags headless -o build/homeroom-headless .
	@if ldd build/homeroom-headless >/dev/null 2>&1; then echo "build/homeroom-headless is not static"; exit 1; fi

test: build             ## every test: units, screens, end to end, the real window under Xvfb
	@.ci/deps test
	@.ci/test

check: fmt vet lint test ## what a change must pass

fmt:
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }

# each with the flags of a build or test that is made anyway; headless only what is in that program
vet:
	$(GO) vet -tags $(TAGS) ./...
	export CGO_ENABLED=0; $(GO) vet -tags headless $$($(GO) list -tags headless -deps . | grep ^homeroom)
	$(GO) vet $(TESTFLAGS) ./...
	for f in .ci/*.go assets/*_gen.go; do $(GO) vet $$f || exit 1; done

lint: build/staticcheck-$(STATICCHECK)
	$< -tags $(TAGS) ./...
	CGO_ENABLED=0 $< -tags headless .

# the linter, pinned, from the module proxy
build/staticcheck-$(STATICCHECK):
	GOBIN=$(CURDIR)/build $(GO) install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK)
	mv build/staticcheck $@

bench: build headless   ## broker beside Mosquitto, history, window under flood, start, the house; see docs/benchmarks.md
	@.ci/deps test
	@.ci/bench $(BENCH)

fuzz:                   ## every fuzz target for FUZZTIME
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

nightly:                ## hours: 200 kill -9, 10 million malformed packets, 1,000 series of random edits, an hour of each fuzz target (NIGHTLY="kill hostile")
	@.ci/deps test
	@.ci/nightly $(NIGHTLY)

windows:                ## build/homeroom.exe, tried under wine
	@.ci/deps windows assets
	@.ci/build-windows

package:                ## build/homeroom-VERSION-linux-ARCH.tar.gz
	@.ci/deps build assets
	@.ci/package

firmware:               ## firmware/images/wired.bin, the kit on the cable, from this repository
	@.ci/deps firmware
	@.ci/firmware wired

firmware-wifi:          ## firmware/images: the Wi-Fi kit, where arduino-cli is
	@.ci/firmware wifi

session: build          ## the screenshots of docs, by a scripted session
	@.ci/deps test
	@.ci/session pictures

deps:                   ## what all of these need, but windows
	@.ci/deps build test assets
