/* SPDX-License-Identifier: Apache-2.0 */
/* Variables by which who starts a program puts code of its own into it: what such a program is called says nothing about what it does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "execd/execd.h"

#define NAME_BYTES 64 /* longer than any of these */

/* A star: whatever begins so. */
static const char *const names[] = {
	/* the loader, the C library, and libraries that load modules */
	"LD_*", "GCONV_PATH", "LOCPATH", "GLIBC_TUNABLES", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "GTK_MODULES",
	"GTK_PATH", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GST_PLUGIN_*", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH",
	/* shells */
	"BASH_ENV", "ENV", "BASH_FUNC_*", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "ZDOTDIR", "FPATH",
	/* interpreters and virtual machines */
	"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX", "PYTHONBREAKPOINT",
	"PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONEXECUTABLE", "PERL5*", "PERLLIB", "PERLIO", "RUBYLIB", "RUBYOPT",
	"RUBYGEMS_GEMDEPS", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE", "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE",
	"BUN_INSPECT_PRELOAD", "CLASSPATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JAVA_OPTS", "MAVEN_OPTS",
	"GRADLE_OPTS", "ANT_OPTS", "SBT_OPTS", "DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "CORECLR_*",
	"COR_*", "LUA_INIT*", "LUA_PATH*", "LUA_CPATH*", "PHPRC", "PHP_INI_SCAN_DIR", "R_PROFILE*", "R_ENVIRON*", "R_LIBS*",
	"JULIA_LOAD_PATH", "JULIA_DEPOT_PATH", "GUILE_LOAD_*", "ERL_LIBS", "ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS",
	"ELIXIR_ERL_OPTIONS", "TCLLIBPATH", "TCL_LIBRARY", "EMACSLOADPATH", "VIMINIT", "EXINIT", "VIMRUNTIME",
};

static bool listed(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);

		if (names[i][n - 1] == '*' ? !strncmp(name, names[i], n - 1) : !strcmp(name, names[i]))
			return true;
	}
	return false;
}

bool inject_any(pid_t pid)
{
	char path[64], text[16384], name[NAME_BYTES];
	size_t at = 0;         /* bytes of the name that is being read */
	bool value = false;    /* behind its "=" */
	auto_fd fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	/* It is as long as the kernel lets it be. Of a name, no more is needed than the longest of ours. */
	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (!text[i]) {
				at = 0;
				value = false;
			} else if (!value && text[i] == '=') {
				name[at] = 0;
				if (listed(name))
					return true;
				value = true;
			} else if (!value && at < sizeof(name) - 1) {
				name[at++] = text[i];
			}
		}
	return n < 0;
}
