# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets with ASan and UBSan. FUZZ_SECONDS: how long each runs; FUZZ_JOBS: how many at once; FUZZ_ONLY: names, default all.
FUZZ_SECONDS ?= 60
FUZZ_JOBS    ?= 2
FUZZ_ALL     := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_ONLY    ?= $(FUZZ_ALL)
FUZZ_O       := build/fuzz
FUZZ_CC      := clang
FUZZ_CF      := -std=gnu17 -g -O1 -D_GNU_SOURCE -I. $(WARN) -Wno-error -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -DDFA_WORK_MAX=1000000ull -MMD -MP
FUZZ_SRC     := $(call src,common) $(call src,policy) netd/pkt.c netd/dns_wire.c netd/hello.c netd/dns_map.c
FUZZ_OBJ     := $(patsubst %.c,$(FUZZ_O)/%.o,$(FUZZ_SRC))
$(FUZZ_O)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC (fuzz) $<")
	$(Q)$(FUZZ_CC) $(FUZZ_CF) -fsanitize=fuzzer-no-link -c -o $@ $<
$(FUZZ_O)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJ)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  FUZZ $*")
	$(Q)$(FUZZ_CC) $(FUZZ_CF) -fsanitize=fuzzer -o $@ $(filter %.c %.o,$^) -lyaml $(LIBS_all)
.PRECIOUS: $(FUZZ_O)/%.o
fuzz: ## fuzz every parser, FUZZ_SECONDS (60) each; findings in build/fuzz/findings
	$(Q)tests/lib/deps.sh $(DEPS) clang libclang-rt-14-dev llvm
	$(Q)$(MAKE) -s --no-print-directory $(addprefix $(FUZZ_O)/fuzz_,$(FUZZ_ONLY))
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_JOBS) $(FUZZ_ONLY)
