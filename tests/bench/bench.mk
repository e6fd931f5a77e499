# SPDX-License-Identifier: Apache-2.0
BENCH_BIN := $(patsubst %,$(O)/bench/%,spawn fs net serve decide)
BENCH_DEPS := bindfs # the peer, which nothing else needs
bench: deps ## ratios to native as a table and build/bench.json; root, seven minutes at most
	$(Q)tests/lib/deps.sh $(BENCH_DEPS)
	$(Q)$(MAKE) -s --no-print-directory bins $(BENCH_BIN)
	$(Q)tests/bench/run.sh $(O)/bench build/bench.json
# Static where they run inside a session.
$(O)/bench/%: tests/bench/%.c tests/bench/measure.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  BENCH $*")
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. $(WARN) -O2 -static -o $@ $<
$(O)/bench/decide: tests/bench/decide.c tests/bench/measure.h $(call objs,common) $(comp_o) $(eval_o)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  BENCH decide")
	$(Q)$(CC) $(filter-out -MMD -MP,$(CF)) $(LINK) -o $@ $(filter-out %.h,$^) -lyaml -lcjson $(LIBS_all)
