# SPDX-License-Identifier: Apache-2.0
# Tests, benches, fuzzing and lint; included by the Makefile.
demo: build ## an agent's afternoon, governed, on a clone of this repository
	$(Q)tests/demo.sh
test: build ## all tests; the last line is "N passed, N failed"
	$(Q)tests/run
bench: build ## ratios to native, one run, written to build/bench.json
	$(Q)tests/bench/run.sh
lint: ## layers, library homes, sizes, compilers' warnings, analyzers, shellcheck
	$(Q)tests/lint/run.sh
fuzz: ## each libFuzzer target for FUZZ_SECONDS (60)
	$(Q)tests/fuzz/run.sh
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/unit/%,$(UNIT_SRC))
unit_lib  = $(filter-out $(patsubst %.c,$(O)/%.o,$(main)),$(call objs,$(1)))
.SECONDEXPANSION:
# tests/unit/FOLDER/test_x.c links that folder, policy and common
$(O)/unit/%: tests/unit/%.c $$(call unit_lib,$$(patsubst %/,%,$$(dir $$*))) $(comp_o) $(eval_o) $(call objs,common)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  UNIT $*")
	$(Q)$(CC) $(CF) $(LINK) -o $@ $(sort $^) -lcmocka -lyaml -lcjson $(LIBS_netd) $(LIBS_fsd) $(LIBS_all)
unit: $(UNIT_BIN)
