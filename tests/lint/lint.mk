# SPDX-License-Identifier: Apache-2.0
# `make lint` is its parts: lint-layers, lint-sizes, lint-words, lint-shell, lint-gcc and lint-clang (-Werror),
# lint-analyze (gcc -fanalyzer), lint-tidy. Each may be made alone, says nothing when clean and one line per finding otherwise. What is clean is remembered in
# build/lint/ until a file or one of its headers changes. LINT_DIRS="common policy" restricts the compilers' parts.
LINT_PKGS := clang clang-tidy shellcheck
LINT_DIRS ?= common policy dlp netd fsd execd cli
LINT_SRC  := $(foreach d,$(LINT_DIRS),$(wildcard $(d)/*.c))
LINT_TEST := $(filter tests/unit/%,$(UNIT_SRC))
LINT_ON   := Makefile tests/lint/lint.mk tests/lint/findings.sh
.PHONY: lint lint-deps lint-parts lint-layers lint-sizes lint-words lint-shell lint-gcc lint-clang lint-analyze lint-tidy

lint: lint-deps ## layers, sizes, words, shellcheck, gcc -fanalyzer, clang, clang-tidy: says nothing when clean
	$(Q)$(MAKE) --no-print-directory -k -Otarget $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) lint-parts
lint-deps:
	$(Q)tests/lib/deps.sh $(DEPS) $(LINT_PKGS)
lint-parts: lint-layers lint-sizes lint-words lint-shell lint-gcc lint-clang lint-analyze lint-tidy
lint-layers lint-sizes lint-words lint-shell:
	$(Q)tests/lint/$(@:lint-%=%).sh
# A make of its own for each compiler: the flags depend on CC.
lint-gcc:
	$(Q)$(MAKE) --no-print-directory B=release CC=gcc build/lint/gcc
lint-analyze:
	$(Q)$(MAKE) --no-print-directory B=release CC=gcc build/lint/analyze
lint-clang:
	$(Q)$(MAKE) --no-print-directory B=release CC=clang build/lint/clang
lint-tidy:
	$(Q)$(MAKE) --no-print-directory B=release CC=clang build/lint/tidy
.PHONY: build/lint/gcc build/lint/clang build/lint/analyze build/lint/tidy
build/lint/gcc: $(patsubst %.c,build/lint/%.gcc,$(LINT_SRC) $(LINT_TEST))
build/lint/analyze: $(LINT_SRC:%.c=build/lint/%.analyze)
build/lint/clang: $(patsubst %.c,build/lint/%.clang,$(LINT_SRC) $(LINT_TEST))
build/lint/tidy: $(LINT_SRC:%.c=build/lint/%.tidy)

build/lint/%.gcc: %.c $(LINT_ON)
	@mkdir -p $(@D)
	$(Q)tests/lint/findings.sh $@ $(CC) $(CF) -MF $@.d -MT $@ -fdiagnostics-plain-output -c -o /dev/null $<
# At -O1: inlining at -O2 takes apart what the analyzer follows; at -O0 it does not see what the optimizer knows.
build/lint/%.analyze: %.c $(LINT_ON)
	@mkdir -p $(@D)
	$(Q)tests/lint/findings.sh $@ $(CC) $(CF) -O1 -MF $@.d -MT $@ -fanalyzer -fdiagnostics-plain-output -c -o /dev/null $<
build/lint/%.clang: %.c $(LINT_ON)
	@mkdir -p $(@D)
	$(Q)tests/lint/findings.sh $@ $(CC) $(CF) -MF $@.d -MT $@ -c -o /dev/null $<
build/lint/%.tidy: %.c .clang-tidy $(LINT_ON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD,$(CF)) -MM -MF $@.d -MT $@ $<
	$(Q)tests/lint/findings.sh $@ clang-tidy --quiet $< -- $(filter-out -MMD -MP,$(CF))
