# SPDX-License-Identifier: MIT
# Checks on the source itself, run by make check like any test.
dist_check_SCRIPTS += %D%/layers %D%/headers %D%/manuals %D%/readme
dist_noinst_SCRIPTS += %D%/install
EXTRA_DIST += %D%/style
AM_TESTS_ENVIRONMENT += \
	CC='$(CC)' CXX='$(CXX)' \
	CHECK_CPPFLAGS='$(AM_CPPFLAGS)'; \
	export CC CXX CHECK_CPPFLAGS;
