# SPDX-License-Identifier: MIT
dist_noinst_SCRIPTS += %D%/packages %D%/pg-cluster
