/* SPDX-License-Identifier: Apache-2.0 */
/* dns_redirects and connect_redirects. */
#include <stdio.h>
#include <string.h>

#include "common/str.h"
#include "policy/image.h"

static bool turned(const struct policy *p, enum section s, uint32_t first, const char *text, struct pol_redirect *ret)
{
	for (uint32_t i = 0; i < p->n[s]; i++) {
		const struct img_turn *u = &p->turns[first + i];
		const struct img_rule *r = &p->rules[s][i];

		/* What could not be looked at is turned away: that is the safe side of a redirect. */
		if (regex_match(p->regex + u->regex, text, strlen(text)) == 0)
			continue;
		*ret = (struct pol_redirect){ .rule = p->pool + r->name, .message = str_at(p, r->message), .addr_len = u->addr_len,
					      .host = str_at(p, u->host), .port = (uint16_t)u->port, .unix_path = str_at(p, u->unix_path),
					      .sni = str_at(p, u->sni), .visibility = (enum pol_visibility)u->visibility,
					      .on_failure = (enum pol_on_failure)u->on_failure };
		memcpy(ret->addr, u->addr, sizeof(ret->addr));
		return true;
	}
	return false;
}

bool policy_dns_redirect(const struct policy *p, const char *host, struct pol_redirect *ret)
{
	return turned(p, SEC_DNS, 0, host, ret);
}

bool policy_connect_redirect(const struct policy *p, const char *host, uint16_t port, struct pol_redirect *ret)
{
	char text[512];

	/* No host's name is this long; one that is has nowhere to be sent. */
	if (!p->n[SEC_CONNECT] || str_format(text, sizeof(text), "%s:%u", host, port) < 0)
		return false;
	return turned(p, SEC_CONNECT, p->n[SEC_DNS], text, ret);
}
