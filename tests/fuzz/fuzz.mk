# SPDX-License-Identifier: Apache-2.0
fuzz: ## not built yet: says so
	@echo "make fuzz is not built yet: see the table in README.md" >&2; exit 1
