/* SPDX-License-Identifier: Apache-2.0 */
/* The daemons and the policy packs, carried inside agentsh: one installed file is a whole installation. Files beside it, or in the usual
 * directories, come first. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "cli/cmd.h"

#define CARRY(name, file) \
	__asm__(".section .rodata\n.balign 16\n" #name ":\n.incbin \"" file "\"\n" #name "_end:\n.byte 0\n.previous\n"); \
	/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name takes none */ \
	extern const char name[], name##_end[];

#ifdef EMBED_BIN /* the analyzers read this file before there is a build */
CARRY(embed_execd, EMBED_BIN "/agentsh-execd")
CARRY(embed_fsd, EMBED_BIN "/agentsh-fsd")
CARRY(embed_netd, EMBED_BIN "/agentsh-netd")
#endif
CARRY(embed_default, "policies/default.yaml")
CARRY(embed_dev_safe, "policies/dev-safe.yaml")
CARRY(embed_ci_strict, "policies/ci-strict.yaml")
CARRY(embed_sandbox, "policies/agent-sandbox.yaml")
CARRY(embed_observe, "policies/agent-observe.yaml")
CARRY(embed_gateway, "policies/llm-gateway.yaml")

static const struct { const char *name, *from, *to; } carried[] = {
#ifdef EMBED_BIN
	{ "agentsh-execd", embed_execd, embed_execd_end },
	{ "agentsh-fsd", embed_fsd, embed_fsd_end },
	{ "agentsh-netd", embed_netd, embed_netd_end },
#endif
	{ "default.yaml", embed_default, embed_default_end },
	{ "dev-safe.yaml", embed_dev_safe, embed_dev_safe_end },
	{ "ci-strict.yaml", embed_ci_strict, embed_ci_strict_end },
	{ "agent-sandbox.yaml", embed_sandbox, embed_sandbox_end },
	{ "agent-observe.yaml", embed_observe, embed_observe_end },
	{ "llm-gateway.yaml", embed_gateway, embed_gateway_end },
};

const char *embed_find(const char *name, size_t *ret_len)
{
	for (size_t i = 0; i < ARRAY_LEN(carried); i++)
		if (!strcmp(carried[i].name, name)) {
			*ret_len = (size_t)(carried[i].to - carried[i].from);
			return carried[i].from;
		}
	return NULL;
}

const char *embed_pack(size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(carried); k++) {
		const char *dot = strchr(carried[k].name, '.');

		if (dot && !strcmp(dot, ".yaml") && i-- == 0)
			return carried[k].name;
	}
	return NULL;
}

int embed_exec(const char *name)
{
	char *const argv[] = { (char *)(uintptr_t)name, NULL };
	extern char **environ;
	size_t len;
	const char *at = embed_find(name, &len);
	int fd;

	if (!at)
		return -ENOENT;
	if (memfd_sealed(name, at, len, &fd) < 0)
		return -ENOMEM;
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return -errno;
}
