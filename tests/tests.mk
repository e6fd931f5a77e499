# SPDX-License-Identifier: Apache-2.0
# Tests, benches, fuzzing and lint; included by the Makefile.
test: build ## all tests; the last line is "N passed, N failed"
	$(Q)tests/run
lint: ## layers, library homes, sizes
	$(Q)tests/lint/layers.sh
	$(Q)tests/lint/sizes.sh
demo bench fuzz: ## (not built yet: each says so)
	@echo "make $@ is not built yet: see the table in README.md" >&2; exit 1
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
