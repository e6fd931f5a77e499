# SPDX-License-Identifier: Apache-2.0
# Tests, demo, benches, fuzzing and lint; included by the Makefile. Each kind's own rules lie in its folder.
test: build ## all tests; the last line is "N passed, N failed"
	$(Q)tests/run
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/unit/%,$(UNIT_SRC))
# tests/unit/FOLDER/test_x.c links common and policy; tests of netd, execd and cli link what they test too
pure_o := $(addprefix $(O)/netd/,pkt.o dns_wire.o hello.o dns_map.o)
$(patsubst %,$(O)/unit/%,$(basename $(patsubst tests/unit/%,%,$(wildcard tests/unit/netd/test_*.c)))): $(pure_o)
$(O)/unit/policy/test_nomem: private LINK += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
$(O)/unit/policy/test_open: private LINK += $(foreach f,malloc calloc realloc mmap,-Wl,--wrap=$(f))
$(O)/unit/policy/test_compile: private LINK += $(foreach f,malloc calloc realloc strdup strndup asprintf memfd_create fcntl \
	write mdb_env_create mdb_env_set_mapsize mdb_env_open mdb_txn_begin mdb_dbi_open mdb_put mdb_txn_commit,-Wl,--wrap=$(f))
# one file of execd, whose neighbours the test plays itself
$(O)/unit/execd/test_settle: $(O)/execd/settle.o
$(O)/unit/execd/test_settle: private LINK += -Wl,--wrap=policy_settled
$(O)/unit/execd/test_chain: $(O)/execd/chain.o
$(O)/unit/execd/test_inject: $(O)/execd/inject.o
$(O)/unit/cli/test_keyfile: $(O)/cli/keyfile.o
$(O)/unit/fsd/test_names: $(O)/fsd/names.o
$(O)/unit/policy/test_parse_nomem: private LINK += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=yaml_parser_initialize
$(O)/unit/fsd/test_links: $(O)/fsd/links.o
$(O)/unit/fsd/test_xattr: $(O)/fsd/xattr.o
$(O)/unit/%: tests/unit/%.c $(call objs,common) $(comp_o) $(eval_o)
	@mkdir -p $(@D)
	$(call say,UNIT $*)
	$(Q)$(CC) $(CF) $(LINK) -o $@ $(filter %.c %.o,$^) -lcmocka -lyaml -lcjson $(LIBS_all)
unit: $(UNIT_BIN)
.PHONY: coverage
coverage: ## how much of policy/ its units reach, as a table; fails below 95 % of the evaluator
	$(Q)$(MAKE) --no-print-directory B=cov CC=gcc EXTRA_CFLAGS='--coverage -U_FORTIFY_SOURCE -O0' $(patsubst $(O)/%,build/cov/%,$(filter $(O)/unit/policy/%,$(UNIT_BIN)))
	$(Q)tests/coverage build/cov $(patsubst $(O)/%.o,%.c,$(eval_o))
include tests/demo/demo.mk tests/bench/bench.mk tests/fuzz/fuzz.mk tests/lint/lint.mk
