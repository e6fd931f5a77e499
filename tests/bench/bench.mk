# SPDX-License-Identifier: Apache-2.0
bench: ## not built yet: says so
	@echo "make bench is not built yet: see the table in README.md" >&2; exit 1
