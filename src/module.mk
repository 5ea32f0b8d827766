# SPDX-License-Identifier: MIT
include src/spoutc/module.mk
include src/ctl/module.mk
include src/demo/module.mk
include src/examples/module.mk
