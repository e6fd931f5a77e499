/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rules, with their fields. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/policy.h"

char *pol_message(const char *tmpl, const struct pol_fields *f, char *out, size_t cap)
{
	const struct { const char *name, *value; } fields[] = {
		{ "{{.Path}}", f->path }, { "{{.Args}}", f->args }, { "{{.Command}}", f->command }, { "{{.Domain}}", f->domain },
		{ "{{.RemoteAddr}}", f->remote_addr }, { "{{.RemotePort}}", f->remote_port }, { "{{.Operation}}", f->operation },
	};
	size_t at = 0;

	while (*tmpl && at + 1 < cap) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(fields); i++)
			if (!strncmp(tmpl, fields[i].name, strlen(fields[i].name)))
				break;
		if (i == ARRAY_LEN(fields)) {
			out[at++] = *tmpl++;
			continue;
		}
		tmpl += strlen(fields[i].name);
		at += (size_t)snprintf(out + at, cap - at, "%s", fields[i].value ? fields[i].value : "");
		if (at >= cap)
			at = cap - 1;
	}
	out[at] = 0;
	return out;
}
