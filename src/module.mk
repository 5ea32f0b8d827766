# SPDX-License-Identifier: MIT
include src/demo/module.mk
include src/examples/module.mk
