# SPDX-License-Identifier: Apache-2.0
# Lazaret: one Makefile per folder, included here; every output lies in build/.

PATH_FAULT := $(shell tools/check-path 2>&1)
ifneq ($(PATH_FAULT),)
$(error $(PATH_FAULT))
endif

O := build
# Private keys: a folder of their own, because `make clean` removes build/ and a key cannot be made again.
KEYS := keys
CC := gcc
HOST_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -Iinclude -Ilib -MMD -MP \
	'-ffile-prefix-map=$(CURDIR)=.'
UNIT_CFLAGS := -std=gnu11 -O1 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -Iinclude -Ilib -MP \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Folders add to these: what `make all` builds, unit test programs, end-to-end test programs, root-mode sources.
ALL :=
UNIT :=
E2E :=
TCB :=

.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

# For a program from several sources in one command: with -MMD the last one's headers would be all that is recorded.
CC_ALL = rm -f $@.d && DEPENDENCIES_OUTPUT="$@.d $@" $(CC)
HOST_ALL_CFLAGS = $(filter-out -MMD,$(HOST_CFLAGS))

# $(call unit_test,NAME,SOURCES,EXTRA CFLAGS,EXTRA LIBS): build/unit/NAME from SOURCES, sanitized, with cmocka.
define unit_test
UNIT += $(O)/unit/$(1)
$(O)/unit/$(1): $(2) Makefile
	@mkdir -p $$(@D)
	@echo "  UNIT    $(1)"
	@$$(CC_ALL) $(UNIT_CFLAGS) $(3) -o $$@ $(2) $(4) -lcmocka
-include $(O)/unit/$(1).d
endef

-include loader/Makefile
-include hv/Makefile
-include policy/Makefile
-include netfilter/Makefile
-include guests/Makefile
-include attest/Makefile
-include tools/Makefile
-include tools/story/Makefile
-include tests/Makefile

.PHONY: all run shell check unit e2e tcb clean help setup

all: $(ALL)

setup:
	@tools/setup

unit: $(UNIT)
	@JOBS=2 tests/run-all $(UNIT)

clean:
	@[ ! -e '$(O)/keys' ] || \
		{ echo "$(O)/keys: keys of an earlier version lie there; move them to $(KEYS)/ first" >&2; exit 1; }
	rm -rf '$(O)'

tcb:
	@RESIDENT='$(addprefix hv/,$(HV_RUN))' tools/tcb $(TCB)

help:
	@echo "make run      install what is missing, build, boot the machine in QEMU, show the story"
	@echo "              POLICY=my.dts: with your policy; UNTRUSTED=\"image ..\": images without a reference value"
	@echo "              GUESTS=folder: with images of your own (docs/guests.md)"
	@echo "make check    install what is missing, build, run every test"
	@echo "make shell    boot and leave the machine up, with the operator's commands in reach"
	@echo "make all      build only (tools/setup installs what it needs)"
	@echo "make unit     unit tests on the host, sanitized"
	@echo "make e2e      end-to-end tests in QEMU"
	@echo "make check-long  end-to-end tests that \`make check\` has no time for"
	@echo "make tests    build every test program, run none"
	@echo "make bench    benchmarks"
	@echo "make fuzz     fuzzers under libFuzzer and AFL++, FUZZ_S=seconds each (60)"
	@echo "              FUZZ_ENGINE=libfuzzer or afl: only that one; FUZZ_TARGETS=\"policy source ..\": only these"
	@echo "make tcb      lines of code in root mode and per part"
	@echo "make clean    remove build/ (never $(KEYS)/)"
