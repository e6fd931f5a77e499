# SPDX-License-Identifier: Apache-2.0
# agentsh: one non-recursive makefile. `make help` lists the targets. B=release|asan chooses the build, CC the compiler, V=1 shows commands.
SHELL := /bin/bash
B     ?= release
CC    := $(if $(filter default,$(origin CC)),gcc,$(CC))
O     := build/$(B)
Q     := $(if $(V),,@)
PKGS  := libnetfilter_queue libnftnl libmnl libcares fuse3 libseccomp yaml-0.1 lmdb libcap nettle libcjson
WARN  := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wvla \
         -Wpointer-arith -Wundef -Wimplicit-fallthrough -Wno-missing-field-initializers
# clang 14 and 15 want a second word before they zero automatic variables; gcc alone knows -Wno-format-truncation.
CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
ZERO  := -ftrivial-auto-var-init=zero
ifneq ($(CLANG),)
ZERO  += $(if $(shell $(CC) $(ZERO) -fsyntax-only -x c /dev/null 2>&1),-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
endif
HARD  := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection $(ZERO)
SAN   := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined $(if $(CLANG),,-Wno-format-truncation)
OPT   := $(if $(filter asan,$(B)),$(SAN),$(HARD))
SANL  := -fsanitize=address,undefined
LINK  := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,shstk -Wl,--as-needed $(if $(filter asan,$(B)),$(SANL))
CF    := -std=gnu17 -g -fPIE -D_GNU_SOURCE -I. -I/usr/include/fuse3 $(WARN) $(OPT) -MMD -MP $(EXTRA_CFLAGS)

say    = $(if $(V)$(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS)))),,@echo "  $(1)")
src    = $(wildcard $(1)/*.c)
main  := netd/netd.c fsd/fsd.c execd/execd.c cli/main.c cli/shim.c
objs   = $(patsubst %.c,$(O)/%.o,$(filter-out $(main),$(call src,$(1))))
COMPILER := policy/yaml.c policy/parse.c policy/compile.c policy/dfa.c policy/dfa_sets.c policy/nfa.c policy/pack.c policy/split.c \
            policy/names_make.c policy/regex_make.c policy/regex_class.c policy/store.c policy/image_make.c policy/image_index.c \
            policy/image_settings.c policy/parse_*.c policy/schema.c policy/cases.c policy/question.c policy/ask.c policy/lint*.c \
            policy/explain*.c policy/yaml_*.c policy/keep.c \
            policy/diff*.c policy/example.c
comp_o := $(patsubst %.c,$(O)/%.o,$(wildcard $(COMPILER)))
eval_o := $(filter-out $(comp_o),$(call objs,policy))
LIBS_netd  := -lnetfilter_queue -lnftnl -lmnl -lcares
LIBS_fsd   := -lfuse3 -lpthread
LIBS_execd :=
LIBS_all   := -llmdb -lseccomp -lcap -lnettle -lm
out := $(if $(filter asan,$(B)),$(O)/bin,bin)
BINS := $(addprefix $(out)/,agentsh agentsh-netd agentsh-fsd agentsh-execd agentsh-shell-shim)
DEPS := gcc make pkg-config libc6-dev libnetfilter-queue-dev libnftnl-dev libmnl-dev libc-ares-dev libnghttp2-dev libssl-dev libfuse3-dev \
        libseccomp-dev libyaml-dev liblmdb-dev libcap-dev nettle-dev libcjson-dev libcmocka-dev \
        jq curl git python3 strace openssl iproute2 nftables procps busybox libcap2-bin util-linux ca-certificates

.PHONY: help deps build demo test bench lint fuzz install clean bins unit integration
.DEFAULT_GOAL := build
help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n",$$1,$$2}' $(MAKEFILE_LIST)
deps: ## install the Debian packages that building and testing need
	$(Q)tests/lib/deps.sh $(DEPS)
build: deps ## agentsh, its daemons and agentsh-shell-shim in bin/
	$(Q)$(MAKE) --no-print-directory bins
bins: $(BINS)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CF) -c -o $@ $<
$(O)/cli/embed.o: private CF += -DEMBED_BIN='"$(out)"'
$(O)/cli/embed.o: $(addprefix $(out)/agentsh-,execd fsd netd) $(wildcard policies/*.yaml)
$(out)/agentsh: $(O)/cli/main.o $(call objs,cli) $(comp_o) $(eval_o) $(call objs,common)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ -lyaml -lcjson $(LIBS_all)
$(out)/agentsh-netd: $(O)/netd/netd.o $(call objs,netd) $(eval_o) $(call objs,common)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LIBS_netd) $(LIBS_all)
$(out)/agentsh-fsd: $(O)/fsd/fsd.o $(call objs,fsd) $(eval_o) $(call objs,common)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LIBS_fsd) $(LIBS_all)
$(out)/agentsh-execd: $(O)/execd/execd.o $(call objs,execd) $(eval_o) $(call objs,common)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^ $(LIBS_execd) $(LIBS_all)
$(out)/agentsh-shell-shim: $(O)/cli/shim.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LINK) -o $@ $^
-include $(shell find build -name '*.d' 2>/dev/null)
include tests/tests.mk

install: ## into $(DESTDIR)$(PREFIX) (default /usr/local)
	install -d $(DESTDIR)$(or $(PREFIX),/usr/local)/bin $(DESTDIR)/etc/agentsh/policies
	install -m 0755 $(BINS) $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/
	install -m 0644 policies/*.yaml $(DESTDIR)/etc/agentsh/policies/
	install -d $(DESTDIR)$(or $(PREFIX),/usr/local)/share/man/man5
	install -m 0644 docs/agentsh-policy.5 $(DESTDIR)$(or $(PREFIX),/usr/local)/share/man/man5/
clean: ## remove what was built
	rm -rf build bin
