# SPDX-License-Identifier: MIT
dist_noinst_SCRIPTS += %D%/pg-cluster
