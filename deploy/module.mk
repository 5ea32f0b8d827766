# SPDX-License-Identifier: MIT
dist_noinst_SCRIPTS += %D%/packages %D%/pg-cluster %D%/quickstart
EXTRA_DIST += %D%/nginx.conf %D%/haproxy.cfg %D%/spout-demo.service %D%/spout-demo.conf
EXTRA_DIST += %D%/nginx.md %D%/haproxy.md %D%/systemd.md %D%/logrotate.md \
	%D%/spout-demo.logrotate
