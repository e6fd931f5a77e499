# SPDX-License-Identifier: Apache-2.0
lint: ## layers, library homes, sizes
	$(Q)tests/lint/layers.sh
	$(Q)tests/lint/sizes.sh
