# SPDX-License-Identifier: MIT
include tests/unit/module.mk
