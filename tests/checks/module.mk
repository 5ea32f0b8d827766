# SPDX-License-Identifier: MIT
# Checks on the source itself, run by make check like any test.
dist_check_SCRIPTS += %D%/layers %D%/headers %D%/manuals %D%/readme %D%/style %D%/tornado
dist_noinst_SCRIPTS += %D%/install
AM_TESTS_ENVIRONMENT += \
	CC='$(CC)' CXX='$(CXX)' \
	CHECK_CPPFLAGS='$(AM_CPPFLAGS)'; \
	export CC CXX CHECK_CPPFLAGS;
