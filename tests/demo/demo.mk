# SPDX-License-Identifier: Apache-2.0
demo: ## not built yet: says so
	@echo "make demo is not built yet: see the table in README.md" >&2; exit 1
