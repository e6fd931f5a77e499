/* SPDX-License-Identifier: Apache-2.0 */
/* Which variables a command is given. */
#include <string.h>

#include "policy/image.h"

/* Secrets, and variables that make a program load or run something. Sorted by nothing: looked through only when no glob denied. */
static const char *const builtin[] = {
	"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS",
		"GCP_SERVICE_ACCOUNT",
	"AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "SSH_AUTH_SOCK", "SSH_AGENT_PID",
		"DOCKER_HOST",
	"DOCKER_TLS_VERIFY", "KUBECONFIG", "GITHUB_TOKEN", "GH_TOKEN", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG",
		"LD_DEBUG_OUTPUT",
	"LD_DYNAMIC_WEAK", "LD_HWCAP_MASK", "LD_ORIGIN_PATH", "LD_PROFILE", "LD_PROFILE_OUTPUT", "LD_SHOW_AUXV",
		"LD_TRACE_LOADED_OBJECTS", "DYLD_*",
	"PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONUSERBASE", "RUBYLIB", "RUBYOPT",
	"PERL5LIB", "PERL5OPT", "PERLLIB", "NODE_PATH", "NODE_OPTIONS", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "CDPATH", "GLOBIGNORE",
	"MAILPATH", "PROMPT_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_SSH_COMMAND", "OPENAI_API_KEY", "ANTHROPIC_API_KEY",
		"GEMINI_API_KEY",
	"GOOGLE_API_KEY", "GITLAB_TOKEN", "NPM_TOKEN", "NODE_AUTH_TOKEN", "PYPI_TOKEN", "HF_TOKEN", "SLACK_TOKEN", "SLACK_BOT_TOKEN",
	"STRIPE_API_KEY", "DIGITALOCEAN_TOKEN", "CLOUDFLARE_API_TOKEN", "VAULT_TOKEN", "DATABASE_URL", "PGPASSWORD", "MYSQL_PWD",
		"REDISCLI_AUTH",
	"SSH_PRIVATE_KEY", "AZURE_OPENAI_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY", "DEEPSEEK_API_KEY", "XAI_API_KEY", "COHERE_API_KEY",
	"OPENROUTER_API_KEY", "GIT_CONFIG_*", "GIT_EXTERNAL_DIFF", "GIT_SSH", "GIT_EXEC_PATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS",
	"JDK_JAVA_OPTIONS", "GCONV_PATH", "BASH_FUNC_*", "GLIBC_TUNABLES", "MALLOC_*", "LOCPATH", "NLSPATH", "RESOLV_HOST_CONF",
		"HOSTALIASES",
};

static bool is_builtin(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
		size_t n = strlen(builtin[i]);

		if (builtin[i][n - 1] == '*' ? !strncmp(name, builtin[i], n - 1) : !strcmp(name, builtin[i]))
			return true;
	}
	return false;
}

static const struct img_env *env_of(const struct policy *p, uint32_t rule_no)
{
	uint32_t at = rule_no < p->n[SEC_EXEC] ? p->rules[SEC_EXEC][rule_no].env : 0;

	return at ? &p->envs[at - 1] : NULL;
}

/* An entry that is the name itself: somebody meant this variable. */
static bool written_out(const struct policy *p, list_ref l, const char *name)
{
	uint32_t n;
	const uint32_t *v = list_at(p, l, &n);

	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(p->pool + v[i], name))
			return true;
	return false;
}

static enum pol_decision say(enum pol_decision d, const char *why, const char **ret_why)
{
	if (ret_why)
		*ret_why = why;
	return d;
}

enum pol_decision policy_env(const struct policy *p, uint32_t rule_no, const char *name, const char **ret_why)
{
	const struct img_env *rule = env_of(p, rule_no), *all = &p->h->env;
	bool own_allow = rule && (rule->flags & ENV_ALLOW), own_deny = rule && (rule->flags & ENV_DENY);
	list_ref allow = own_allow ? rule->allow : all->allow, deny = own_deny ? rule->deny : all->deny;
	const char *allow_word = own_allow ? "env_allow" : "env_policy.allow";

	if (!strncmp(name, "AGENTSH_", 8))
		return say(POL_ALLOW, "agentsh", ret_why);
	if (list_wild(p, deny, name, WILD_EXACT))
		return say(POL_DENY, own_deny ? "env_deny" : "env_policy.deny", ret_why);
	if (is_builtin(name) && !written_out(p, allow, name))
		return say(POL_DENY, "built-in", ret_why);
	if (p->words[allow])
		return say(list_wild(p, allow, name, WILD_EXACT) ? POL_ALLOW : POL_DENY, allow_word, ret_why);
	return say(POL_ALLOW, "default", ret_why);
}

/* What a rule does not say, or says as 0, is the policy's: a rule makes no limit go away. */
struct pol_env policy_env_limits(const struct policy *p, uint32_t rule_no)
{
	const struct img_env *rule = env_of(p, rule_no), *all = &p->h->env;
	struct pol_env e = { all->max_bytes, all->max_keys, all->flags & ENV_BLOCK };

	if (rule && (rule->flags & ENV_LIMITS)) {
		e.max_bytes = rule->max_bytes ? rule->max_bytes : e.max_bytes;
		e.max_keys = rule->max_keys ? rule->max_keys : e.max_keys;
		e.block_iteration |= (rule->flags & ENV_BLOCK) != 0;
	}
	return e;
}

size_t policy_env_inject(const struct policy *p, const char *const **ret)
{
	*ret = p->inject;
	return p->words[p->h->inject];
}
