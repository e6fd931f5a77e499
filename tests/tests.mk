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
# tests/unit/FOLDER/test_x.c links common and policy
$(O)/unit/%: tests/unit/%.c $(call objs,common) $(comp_o) $(eval_o)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  UNIT $*")
	$(Q)$(CC) $(CF) $(LINK) -o $@ $^ -lcmocka -lyaml -lcjson $(LIBS_all)
unit: $(UNIT_BIN)
