# SPDX-License-Identifier: MIT
# Operating a program: upgrades, systemd, load balancers.
EXTRA_DIST += \
	%D%/test_balancers.py \
	%D%/test_spread.py \
	%D%/test_systemd.py \
	%D%/test_upgrade.py \
	%D%/upgraded.py

# Programs that the integration tests run besides those of src/.
noinst_PROGRAMS += %D%/children %D%/site %D%/topics
%C%_children_SOURCES = %D%/children.c
%C%_children_LDADD = lib/libspout.la
%C%_site_SOURCES = %D%/site.c
%C%_site_LDADD = lib/libspout.la
%C%_topics_SOURCES = %D%/topics.c
%C%_topics_LDADD = lib/libspout.la

noinst_PROGRAMS += %D%/pooled
%C%_pooled_SOURCES = %D%/pooled.c
%C%_pooled_LDADD = lib/libspout.la $(PQ_LIBS)

noinst_PROGRAMS += %D%/signed_values
%C%_signed_values_SOURCES = %D%/signed_values.c
%C%_signed_values_LDADD = lib/libspout-all.la

noinst_PROGRAMS += %D%/ws_client
%C%_ws_client_SOURCES = %D%/ws_client.c
%C%_ws_client_LDADD = lib/libspout.la

# By name: a folder would take along what was built in it.
EXTRA_DIST += \
	%D%/database.py \
	%D%/harness.py \
	%D%/load.py \
	%D%/proxies.py \
	%D%/rawhttp.py \
	%D%/run \
	%D%/test_app.py \
	%D%/test_ctl.py \
	%D%/test_database_faults.py \
	%D%/test_database_hosts.py \
	%D%/test_database_pooler.py \
	%D%/test_debug.py \
	%D%/test_demo.py \
	%D%/test_deploy.py \
	%D%/test_example_sites.py \
	%D%/test_examples.py \
	%D%/test_export.py \
	%D%/test_faults.py \
	%D%/test_features.py \
	%D%/test_login.py \
	%D%/test_manuals.py \
	%D%/test_process.py \
	%D%/test_reload.py \
	%D%/test_scale.py \
	%D%/test_static.py \
	%D%/test_templates.py \
	%D%/test_tls.py \
	%D%/test_topics.py \
	%D%/test_tornado.py \
	%D%/test_uploads.py \
	%D%/test_web.py \
	%D%/test_websocket.py \
	%D%/websocket_client.mjs \
	%D%/websocket_server.mjs
