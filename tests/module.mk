# SPDX-License-Identifier: MIT
include tests/bench/module.mk
include tests/unit/module.mk
include tests/conformance/module.mk
include tests/fuzz/module.mk
include tests/integration/module.mk
include tests/checks/module.mk

# Whole folders: what runs against a build, and what tests read.
dist_noinst_SCRIPTS += tests/run
EXTRA_DIST += tests/browser tests/quickstart tests/valgrind.supp
