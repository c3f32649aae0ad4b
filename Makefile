# make test: the tests, on a GPU or on a software adapter.
# make test-all: before a release, all that .ci/run does, with all shapes and variants.
# make demo: train on the built-in digits.
# make web: build the page that checks a browser, for demo serve.
WEB = web

.PHONY: test test-all demo driver web

test: driver
	.ci/gotest -timeout 30m $$(go list ./... | grep -vE '/(infer|internal/webgpu)$$')
	.ci/gotest -timeout 30m -race ./infer ./internal/webgpu

test-all:
	PUMICE_TESTS=full .ci/run

demo:
	go run ./cmd/demo

web:
	mkdir -p $(WEB)
	GOOS=js GOARCH=wasm go build -o $(WEB)/conform.wasm ./cmd/conformweb
	cp cmd/conformweb/index.html "$$(go env GOROOT)/lib/wasm/wasm_exec.js" $(WEB)/

# driver installs a software Vulkan driver on Debian and Ubuntu where there is no
# adapter, and says so first.
driver:
	@go run ./cmd/demo info | grep "^adapter 0" || { \
		echo "no GPU adapter answered: installing a software Vulkan driver (libvulkan1 mesa-vulkan-drivers)"; \
		sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq libvulkan1 mesa-vulkan-drivers; }
