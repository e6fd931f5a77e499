/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: the keys that mean something here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/trash.h"
#include "cli/trust.h"
#include "policy/compile.h"

#define CONFIG_MAX (1u << 20)

static struct config config = { .trust_store = "/etc/agentsh/trust", .policy = "default", .allow_files = true,
				.trash_bytes = 10ull << 30, .trash_entries = 1000000, .trash_age_ms = 30ull * 24 * 3600 * 1000 };

static const struct pol_setting known[] = {
	{ "policies.dir", SETTING_TEXT }, { "policies.default", SETTING_TEXT }, { "policies.allowed", SETTING_LIST },
	{ "policies.allow_files", SETTING_TEXT }, { "policies.manifest_path", SETTING_TEXT }, { "policies.signing.mode", SETTING_TEXT },
	{ "policies.signing.trust_store", SETTING_TEXT },
	{ "trash.max_bytes", SETTING_TEXT }, { "trash.max_entries", SETTING_TEXT }, { "trash.max_age", SETTING_TEXT },
	/* The Go version's. */
	{ "policies.env_policy", SETTING_IGNORED }, { "policies.env_shim_path", SETTING_IGNORED },
	{ "policies.reload_interval", SETTING_IGNORED }, { "policies.detect_project_root", SETTING_IGNORED },
	{ "policies.project_markers", SETTING_IGNORED }, { "policies.symlink_escape", SETTING_IGNORED }, { "platform", SETTING_IGNORED },
	{ "server", SETTING_IGNORED }, { "auth", SETTING_IGNORED }, { "logging", SETTING_IGNORED }, { "audit", SETTING_IGNORED },
	{ "sessions", SETTING_IGNORED }, { "sandbox", SETTING_IGNORED }, { "mount_profiles", SETTING_IGNORED },
	{ "approvals", SETTING_IGNORED }, { "metrics", SETTING_IGNORED }, { "health", SETTING_IGNORED }, { "development", SETTING_IGNORED },
	{ "proxy", SETTING_IGNORED }, { "dlp", SETTING_IGNORED }, { "llm_storage", SETTING_IGNORED }, { "security", SETTING_IGNORED },
	{ "landlock", SETTING_IGNORED }, { "capabilities", SETTING_IGNORED }, { "threat_feeds", SETTING_IGNORED },
	{ "tor", SETTING_IGNORED }, { "package_checks", SETTING_IGNORED }, { "skillcheck", SETTING_IGNORED },
};

static int set_path(char *out, size_t cap, const char *value, char *why, size_t why_cap)
{
	const char *slash = strrchr(config.file, '/');

	if (value[0] && (value[0] == '/' ? str_format(out, cap, "%s", value) :
			 str_format(out, cap, "%.*s%s", slash ? (int)(slash - config.file) + 1 : 0, config.file, value)) == 0)
		return 0;
	snprintf(why, why_cap, value[0] ? "the path is too long" : "a path is expected");
	return -EINVAL;
}

/* One that is not there would leave names to be looked for elsewhere, without a word. */
static int set_dir(const char *value, char *why, size_t cap)
{
	struct stat st;
	int r = set_path(config.dir, sizeof(config.dir), value, why, cap);

	if (r == 0 && (stat(config.dir, &st) < 0 || !S_ISDIR(st.st_mode))) {
		r = -ENOTDIR;
		snprintf(why, cap, "%.200s is no directory: make it, or leave policies.dir out", config.dir);
	}
	return r;
}

static int set_mode(const char *value, char *why, size_t cap)
{
	static const char *const words[] = { "off", "warn", "enforce" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(value, words[i])) {
			config.mode = (enum trust_mode)i;
			return 0;
		}
	snprintf(why, cap, "\"%s\" is none of off, warn, enforce", value);
	return -EINVAL;
}

static int set_allowed(const char *value, char *why, size_t cap)
{
	if (!value[0] || config.n_allowed == ALLOWED_MAX) {
		snprintf(why, cap, "%s", value[0] ? "too many entries" : "an empty entry allows nothing");
		return -EINVAL;
	}
	config.allowed[config.n_allowed] = strdup(value);
	if (!config.allowed[config.n_allowed])
		return -ENOMEM;
	config.n_allowed++;
	return 0;
}

static int set_trash(const char *key, const char *value, char *why, size_t cap)
{
	if (!strcmp(key, "max_bytes") ? trash_size(value, &config.trash_bytes) == 0 :
	    !strcmp(key, "max_entries") ? str_to_u64(value, UINT32_MAX, &config.trash_entries) == 0 :
	    str_to_ms(value, &config.trash_age_ms) == 0)
		return 0;
	snprintf(why, cap, "\"%s\" is no %s", value, !strcmp(key, "max_bytes") ? "size such as 500M or 10GiB" :
		 !strcmp(key, "max_entries") ? "number" : "duration such as 12h or 30d");
	return -EINVAL;
}

static int set(void *arg UNUSED, const char *key, const char *value, char *why, size_t cap)
{
	const char *k = key + strlen("policies.");

	if (!strncmp(key, "trash.", 6))
		return set_trash(key + 6, value, why, cap);
	if (!strcmp(k, "dir"))
		return set_dir(value, why, cap);
	if (!strcmp(k, "manifest_path"))
		return set_path(config.manifest, sizeof(config.manifest), value, why, cap);
	if (!strcmp(k, "signing.trust_store"))
		return set_path(config.trust_store, sizeof(config.trust_store), value, why, cap);
	if (!strcmp(k, "signing.mode"))
		return set_mode(value, why, cap);
	if (!strcmp(k, "allowed"))
		return set_allowed(value, why, cap);
	if (!strcmp(k, "default")) {
		if (id_valid(value) && str_format(config.policy, sizeof(config.policy), "%s", value) == 0)
			return 0;
		snprintf(why, cap, "policy name \"%s\" is not [A-Za-z0-9_-]+", value);
		return -EINVAL;
	}
	config.allow_files = !strcmp(value, "true");
	if (config.allow_files || !strcmp(value, "false"))
		return 0;
	snprintf(why, cap, "\"%s\" is neither true nor false", value);
	return -EINVAL;
}

static bool absent(const char *path)
{
	return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* The file that counts, or "" when there is none. One that was named must be there; one that is there must be readable. */
static int find(char *path, size_t cap, struct err *err)
{
	const char *named = getenv("AGENTSH_CONFIG"), *home = getenv("HOME");

	if (named && named[0])
		return str_format(path, cap, "%s", named) < 0 ? err_set(err, -ENAMETOOLONG, "AGENTSH_CONFIG is too long") : 0;
	if (home && home[0] && str_format(path, cap, "%s/.config/agentsh/config.yaml", home) == 0 && !absent(path))
		return 0;
	snprintf(path, cap, "/etc/agentsh/config.yaml");
	if (absent(path))
		path[0] = 0;
	return 0;
}

static int load(struct err *err)
{
	struct buf text = { 0 }, diag = BUF_INIT(1u << 16);
	struct pol_source src = { .file = config.file };
	int r = find(config.file, sizeof(config.file), err);
	auto_fd fd = -1;

	if (r < 0 || !config.file[0])
		return r;
	fd = trust_open(config.file, 0, err);
	r = fd < 0 ? fd : file_read_fd(fd, config.file, CONFIG_MAX, &text, err);
	src.text = (const char *)text.data;
	src.len = text.len;
	if (r == 0) {
		r = policy_settings(&src, known, ARRAY_LEN(known), set, NULL, &diag);
		if (diag.len)
			fprintf(stderr, "%s", (const char *)diag.data);
		if (r < 0)
			err_set(err, r, "configuration %s was refused", config.file);
	}
	buf_fini(&text);
	buf_fini(&diag);
	return r;
}

const struct config *config_get(struct err *err)
{
	static struct err first;
	static bool done;
	static int r;

	if (!done)
		r = load(&first);
	done = true;
	if (r < 0)
		err_set(err, r, "%s", first.msg);
	return r < 0 ? NULL : &config;
}
