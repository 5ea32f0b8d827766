# SPDX-License-Identifier: MIT
spoutinclude_HEADERS += lib/include/spout/web.h
