/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a name stands for what it stood for before the session, as far as file rules say. */
#include <string.h>

#include "policy/policy.h"

/* A name that the session could have made itself, by file rules or on its own tmpfs, says nothing good about the file. */
static bool could_make(const struct policy *p, const char *place)
{
	static const char *const own[] = { "/tmp/", "/dev/", "/run/", "/proc/" };
	static const enum pol_op making[] = { POL_OP_CREATE, POL_OP_SYMLINK, POL_OP_LINK, POL_OP_RENAME };
	struct pol_state st;

	if (!place[0])
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strncmp(place, own[i], strlen(own[i])))
			return true;
	st = policy_file_path(p, place);
	for (size_t i = 0; i < sizeof(making) / sizeof(making[0]); i++)
		if (policy_file_asks(p, st, making[i]) || policy_file(p, st, making[i], (struct pol_who){ 0 }).decision != POL_DENY)
			return true; /* asked who: one of its programs may be the one that can */
	return false;
}

bool policy_settled(const struct policy *p, const char *path)
{
	char part[4096];
	size_t n = strlen(path);

	if (path[0] != '/' || n >= sizeof(part) || strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../"))
		return false;
	for (size_t i = 1; i <= n; i++)
		if (path[i] == '/' || !path[i]) {
			memcpy(part, path, i);
			part[i] = 0;
			if (could_make(p, part))
				return false;
		}
	return true;
}
