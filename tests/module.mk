# SPDX-License-Identifier: MIT
include tests/unit/module.mk
include tests/checks/module.mk
