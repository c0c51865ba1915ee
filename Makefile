# Everything a developer runs. Needs Go; the lint target fetches staticcheck by
# the version below, bench and bench-proxy use the tools that are installed.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 10m

.PHONY: build test race fuzz golden bench bench-ftp bench-tls soak lint samples schema clean bench-proxy

build:
	CGO_ENABLED=0 go build -trimpath -o bin/sniff ./cmd/sniff

test:
	go test ./...

race:
	go test -race ./...

# Every fuzz target, FUZZTIME each. FUZZ=FuzzDissector picks targets by name.
fuzz:
	@for pkg in $$(go list ./...); do \
		dir=$$(go list -f '{{.Dir}}' $$pkg); \
		for f in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | sed 's/func //' | grep "$(FUZZ)"); do \
			echo "== $$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# Rewrite all goldens; read the difference before committing it.
golden:
	go test ./cmd/sniff ./record ./dissect/smtp ./dissect/ftp ./dissect/ssh ./dissect/sftp ./dissect/http -update

# Side by side on a generated capture: cat, tcpflow, tshark (if installed) and sniff.
bench: build
	./benchmark/run.sh

# Files in FTP transfers, exported and hashed, beside cp.
bench-ftp: build
	./benchmark/ftp.sh

# What decrypting a TLS 1.3 transfer takes, against the cipher alone.
bench-tls: build
	./benchmark/tls.sh

# The proxy side by side with socat, mitmdump and direct connections.
bench-proxy: build
	./benchmark/proxy.sh

# Connections through the proxy, opened, used and cut at random, SOAK seconds.
SOAK ?= 300
soak:
	SNIFF_SOAK=$(SOAK) go test -race -v -timeout 30m -run TestSoak ./proxy

lint:
	gofmt -l . | tee /dev/stderr | test -z "$$(cat)"
	go vet ./...
	go run $(STATICCHECK) ./...

# Record all samples again: needs root and the packages that each record*.sh names.
samples:
	@for s in samples/*/record*.sh; do echo "== $$s"; bash $$s || exit 1; done

schema: build
	./bin/sniff schema > docs/schema.json

clean:
	rm -rf bin benchmark/out
