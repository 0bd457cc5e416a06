# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson: each target installs what it needs (tools/deps.sh) and then does one thing.
.POSIX:
.SUFFIXES:

PREFIX = /usr/local
DESTDIR =
FUZZ_SECONDS = 600
SOAK_ROUNDS = 1000

.PHONY: all help build console debug tsan asan test check lint bench fuzz soak install deb pictures clean

all: build

help:
	@echo 'make build    release program at build/vonggac'
	@echo 'make console  the web console at build/console (Node.js; part of make build)'
	@echo 'make test     every test (the same as ./test)'
	@echo 'make check    floors, style, messages, spelling: no compiler needed'
	@echo 'make lint     clang-tidy'
	@echo 'make bench    figures beside those of the peers'
	@echo 'make fuzz     every decoder, FUZZ_SECONDS=$(FUZZ_SECONDS) each'
	@echo 'make soak     long random and kill tests, SOAK_ROUNDS=$(SOAK_ROUNDS)'
	@echo 'make debug | asan | tsan   other variants, in build/NAME'
	@echo 'make install  to DESTDIR/PREFIX ($(PREFIX)); make deb: a Debian package in build/'

build: console
	@tools/deps.sh build
	@tools/variant.sh release src/cli/vonggac
	@cmp -s build/release/src/cli/vonggac build/vonggac || { cp build/release/src/cli/vonggac build/.vonggac.new && mv -f build/.vonggac.new build/vonggac; }

# Where Node.js cannot be had the program is whole without it.
console:
	@tools/deps.sh console || echo 'console: Node.js cannot be installed; going on without' >&2
	@tools/console.sh build/console

debug asan tsan:
	@tools/deps.sh build test
	@tools/variant.sh $@

test:
	@./test

check:
	@tools/deps.sh test
	@tools/check.sh

lint:
	@tools/deps.sh lint test
	@tools/variant.sh debug
	@tools/lint.sh

bench: build
	@tools/deps.sh bench
	@tools/variant.sh release
	@tests/bench/run

fuzz:
	@tools/deps.sh fuzz
	@tools/variant.sh fuzz fuzz-targets
	@python3 tools/tests.py --fuzz build/fuzz --fuzz-seconds $(FUZZ_SECONDS)

soak: build
	@tools/deps.sh test
	@tools/variant.sh release
	@VONGGAC_ROUNDS=$(SOAK_ROUNDS) VONGGAC_SOAK=1 python3 tools/tests.py --meson build/release --suite soak --timeout 36000

install: build
	@packaging/install.sh '$(DESTDIR)' '$(PREFIX)'

deb: build
	@tools/deps.sh deb
	@packaging/deb.sh

# The pictures of README and ARCHITECTURE, from the sample and the program itself.
pictures: build
	@tools/pictures.sh

clean:
	rm -rf build
