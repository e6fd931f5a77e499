# SPDX-License-Identifier: Apache-2.0
demo: build ## an agent's afternoon, governed: builds this project in a session and tries what an agent should not do
	$(Q)tests/demo/demo.sh
