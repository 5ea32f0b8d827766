# SPDX-License-Identifier: MIT
# One CUnit program per module.
UNIT_LIBS = lib/libspout-testing-all.la lib/libspout-all.la $(CUNIT_LIBS)
UNIT_SOURCES = tests/unit/unit.c tests/unit/unit.h

if HAVE_CUNIT
check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c $(UNIT_SOURCES)
tests_unit_test_base_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c $(UNIT_SOURCES)
tests_unit_test_log_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_quarantine
tests_unit_test_quarantine_SOURCES = tests/unit/test_quarantine.c $(UNIT_SOURCES)
tests_unit_test_quarantine_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_loop
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c $(UNIT_SOURCES)
tests_unit_test_loop_LDADD = $(UNIT_LIBS)

CO_SOURCES = tests/unit/co_help.c tests/unit/co_help.h $(UNIT_SOURCES)
check_PROGRAMS += tests/unit/test_async
tests_unit_test_async_SOURCES = tests/unit/test_async.c $(CO_SOURCES)
tests_unit_test_async_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_combinators
tests_unit_test_combinators_SOURCES = tests/unit/test_combinators.c $(CO_SOURCES)
tests_unit_test_combinators_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_group
tests_unit_test_group_SOURCES = tests/unit/test_group.c $(CO_SOURCES)
tests_unit_test_group_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_locks
tests_unit_test_locks_SOURCES = tests/unit/test_locks.c $(CO_SOURCES)
tests_unit_test_locks_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_queue
tests_unit_test_queue_SOURCES = tests/unit/test_queue.c $(CO_SOURCES)
tests_unit_test_queue_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_sync
tests_unit_test_sync_SOURCES = tests/unit/test_sync.c $(CO_SOURCES)
tests_unit_test_sync_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_topic
tests_unit_test_topic_SOURCES = tests/unit/test_topic.c $(CO_SOURCES)
tests_unit_test_topic_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_topic_mesh
tests_unit_test_topic_mesh_SOURCES = tests/unit/test_topic_mesh.c $(CO_SOURCES)
tests_unit_test_topic_mesh_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_head
tests_unit_test_head_SOURCES = tests/unit/test_head.c $(UNIT_SOURCES)
tests_unit_test_head_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_head_find
tests_unit_test_head_find_SOURCES = tests/unit/test_head_find.c $(UNIT_SOURCES)
tests_unit_test_head_find_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_body
tests_unit_test_body_SOURCES = tests/unit/test_body.c $(UNIT_SOURCES)
tests_unit_test_body_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_options
tests_unit_test_options_SOURCES = tests/unit/test_options.c $(UNIT_SOURCES)
tests_unit_test_options_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_crypto
tests_unit_test_crypto_SOURCES = tests/unit/test_crypto.c $(UNIT_SOURCES)
tests_unit_test_crypto_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_cookie
tests_unit_test_cookie_SOURCES = tests/unit/test_cookie.c $(UNIT_SOURCES)
tests_unit_test_cookie_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_forwarded
tests_unit_test_forwarded_SOURCES = tests/unit/test_forwarded.c $(UNIT_SOURCES)
tests_unit_test_forwarded_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_proxy
tests_unit_test_proxy_SOURCES = tests/unit/test_proxy.c $(UNIT_SOURCES)
tests_unit_test_proxy_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_websocket
WS_HELP = tests/unit/ws_help.c tests/unit/ws_help.h $(UNIT_SOURCES)
tests_unit_test_websocket_SOURCES = tests/unit/test_websocket.c $(WS_HELP)
tests_unit_test_websocket_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_ws_deflate
tests_unit_test_ws_deflate_SOURCES = tests/unit/test_ws_deflate.c $(WS_HELP)
tests_unit_test_ws_deflate_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_ws_client
tests_unit_test_ws_client_SOURCES = tests/unit/test_ws_client.c $(UNIT_SOURCES)
tests_unit_test_ws_client_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_ws_message
tests_unit_test_ws_message_SOURCES = tests/unit/test_ws_message.c $(WS_HELP)
tests_unit_test_ws_message_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_ws_frame
tests_unit_test_ws_frame_SOURCES = tests/unit/test_ws_frame.c $(UNIT_SOURCES)
tests_unit_test_ws_frame_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_rate
tests_unit_test_rate_SOURCES = tests/unit/test_rate.c $(UNIT_SOURCES)
tests_unit_test_rate_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_metrics
tests_unit_test_metrics_SOURCES = tests/unit/test_metrics.c $(UNIT_SOURCES)
tests_unit_test_metrics_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_executor
tests_unit_test_executor_SOURCES = tests/unit/test_executor.c \
	tests/unit/executor_help.c tests/unit/executor_help.h $(UNIT_SOURCES)
tests_unit_test_executor_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_pool
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c \
	tests/unit/executor_help.c tests/unit/executor_help.h $(UNIT_SOURCES)
tests_unit_test_pool_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_password
tests_unit_test_password_SOURCES = tests/unit/test_password.c \
	tests/unit/executor_help.c tests/unit/executor_help.h $(UNIT_SOURCES)
tests_unit_test_password_LDADD = $(UNIT_LIBS)

HTTP_CLIENT = tests/unit/http_client.c tests/unit/http_client.h

check_PROGRAMS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c $(HTTP_CLIENT) $(UNIT_SOURCES)
tests_unit_test_http_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_http_ends
tests_unit_test_http_ends_SOURCES = tests/unit/test_http_ends.c $(HTTP_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_http_ends_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_http_upgrade
tests_unit_test_http_upgrade_SOURCES = tests/unit/test_http_upgrade.c $(HTTP_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_http_upgrade_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_http_edges
tests_unit_test_http_edges_SOURCES = tests/unit/test_http_edges.c $(HTTP_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_http_edges_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_listeners
tests_unit_test_listeners_SOURCES = tests/unit/test_listeners.c $(UNIT_SOURCES)
tests_unit_test_listeners_LDADD = $(UNIT_LIBS)

SUPERVISOR_HELP = tests/unit/supervisor_help.c tests/unit/supervisor_help.h \
	$(UNIT_SOURCES)
check_PROGRAMS += tests/unit/test_supervisor
tests_unit_test_supervisor_SOURCES = tests/unit/test_supervisor.c $(SUPERVISOR_HELP)
tests_unit_test_supervisor_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_supervisor_life
tests_unit_test_supervisor_life_SOURCES = tests/unit/test_supervisor_life.c \
	$(SUPERVISOR_HELP)
tests_unit_test_supervisor_life_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_supervisor_reload
tests_unit_test_supervisor_reload_SOURCES = tests/unit/test_supervisor_reload.c \
	$(SUPERVISOR_HELP)
tests_unit_test_supervisor_reload_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_supervisor_recycle
tests_unit_test_supervisor_recycle_SOURCES = tests/unit/test_supervisor_recycle.c \
	$(SUPERVISOR_HELP)
tests_unit_test_supervisor_recycle_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_supervisor_scale
tests_unit_test_supervisor_scale_SOURCES = tests/unit/test_supervisor_scale.c \
	$(SUPERVISOR_HELP)
tests_unit_test_supervisor_scale_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_supervisor_peers
tests_unit_test_supervisor_peers_SOURCES = tests/unit/test_supervisor_peers.c \
	$(SUPERVISOR_HELP)
tests_unit_test_supervisor_peers_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_pg
tests_unit_test_pg_SOURCES = tests/unit/test_pg.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_pool
tests_unit_test_pg_pool_SOURCES = tests/unit/test_pg_pool.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_pool_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_pool_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_migrate
tests_unit_test_pg_migrate_SOURCES = tests/unit/test_pg_migrate.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_migrate_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_migrate_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_listen
tests_unit_test_pg_listen_SOURCES = tests/unit/test_pg_listen.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_listen_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_listen_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_sweep
tests_unit_test_pg_sweep_SOURCES = tests/unit/test_pg_sweep.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_sweep_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_sweep_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_stream
tests_unit_test_pg_stream_SOURCES = tests/unit/test_pg_stream.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_stream_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_stream_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_driver
tests_unit_test_pg_driver_SOURCES = tests/unit/test_pg_driver.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_driver_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_driver_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_lease
tests_unit_test_pg_lease_SOURCES = tests/unit/test_pg_lease.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_lease_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_lease_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_batch
tests_unit_test_pg_batch_SOURCES = tests/unit/test_pg_batch.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_batch_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_batch_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_lock
tests_unit_test_pg_lock_SOURCES = tests/unit/test_pg_lock.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_lock_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_lock_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_storm
tests_unit_test_pg_storm_SOURCES = tests/unit/test_pg_storm.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_storm_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_storm_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_tx_sweep
tests_unit_test_pg_tx_sweep_SOURCES = tests/unit/test_pg_tx_sweep.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_tx_sweep_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_tx_sweep_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_transaction
tests_unit_test_pg_transaction_SOURCES = tests/unit/test_pg_transaction.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_transaction_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_transaction_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_away
tests_unit_test_pg_away_SOURCES = tests/unit/test_pg_away.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_away_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_away_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_care
tests_unit_test_pg_care_SOURCES = tests/unit/test_pg_care.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_care_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_care_LDADD = $(UNIT_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_hosts
tests_unit_test_pg_hosts_SOURCES = tests/unit/test_pg_hosts.c \
	tests/unit/black_hole.c tests/unit/black_hole.h \
	tests/unit/fake_resolver.c tests/unit/fake_resolver.h \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_pg_hosts_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_hosts_LDADD = $(UNIT_LIBS) $(PQ_LIBS)

check_PROGRAMS += tests/unit/test_json_dump
tests_unit_test_json_dump_SOURCES = tests/unit/test_json_dump.c $(UNIT_SOURCES)
tests_unit_test_json_dump_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_rows_json
tests_unit_test_rows_json_SOURCES = tests/unit/test_rows_json.c \
	tests/unit/pg_help.c tests/unit/pg_help.h $(UNIT_SOURCES)
tests_unit_test_rows_json_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_rows_json_LDADD = $(UNIT_LIBS) $(PQ_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_router
tests_unit_test_router_SOURCES = tests/unit/test_router.c $(UNIT_SOURCES)
tests_unit_test_router_LDADD = $(UNIT_LIBS)

WEB_CLIENT = tests/unit/web_client.c tests/unit/web_client.h
check_PROGRAMS += tests/unit/test_web
tests_unit_test_web_SOURCES = tests/unit/test_web.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_web_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_web_answers
tests_unit_test_web_answers_SOURCES = tests/unit/test_web_answers.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_web_answers_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_web_failure
tests_unit_test_web_failure_SOURCES = tests/unit/test_web_failure.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_web_failure_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_static
tests_unit_test_static_SOURCES = tests/unit/test_static.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_static_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_transform
tests_unit_test_transform_SOURCES = tests/unit/test_transform.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_transform_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_inflate
tests_unit_test_inflate_SOURCES = tests/unit/test_inflate.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_inflate_LDADD = $(UNIT_LIBS) $(CURL_LIBS)

check_PROGRAMS += tests/unit/test_sse
tests_unit_test_sse_SOURCES = tests/unit/test_sse.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_sse_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_condition
tests_unit_test_condition_SOURCES = tests/unit/test_condition.c $(UNIT_SOURCES)
tests_unit_test_condition_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_form
tests_unit_test_form_SOURCES = tests/unit/test_form.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_form_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_multipart
tests_unit_test_multipart_SOURCES = tests/unit/test_multipart.c $(UNIT_SOURCES)
tests_unit_test_multipart_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_web_cookie
tests_unit_test_web_cookie_SOURCES = tests/unit/test_web_cookie.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_web_cookie_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_security
tests_unit_test_security_SOURCES = tests/unit/test_security.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_security_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_locale
tests_unit_test_locale_SOURCES = tests/unit/test_locale.c $(CO_SOURCES)
tests_unit_test_locale_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c $(WEB_CLIENT) $(UNIT_SOURCES)
tests_unit_test_schema_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_web_life
tests_unit_test_web_life_SOURCES = tests/unit/test_web_life.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_web_life_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_session_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_web_parts
tests_unit_test_web_parts_SOURCES = tests/unit/test_web_parts.c $(UNIT_SOURCES)
tests_unit_test_web_parts_LDADD = $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c $(CO_SOURCES)
tests_unit_test_stream_LDADD = $(UNIT_LIBS)
BLACK_HOLE = tests/unit/black_hole.c tests/unit/black_hole.h
check_PROGRAMS += tests/unit/test_tcp
tests_unit_test_tcp_SOURCES = tests/unit/test_tcp.c tests/unit/fake_resolver.c \
	tests/unit/fake_resolver.h $(BLACK_HOLE) $(CO_SOURCES)
tests_unit_test_tcp_LDADD = $(UNIT_LIBS)
UPSTREAM = tests/unit/upstream.c tests/unit/upstream.h $(UNIT_SOURCES)
check_PROGRAMS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c $(UPSTREAM)
tests_unit_test_client_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_client_faults
tests_unit_test_client_faults_SOURCES = tests/unit/test_client_faults.c \
	tests/unit/fake_resolver.c tests/unit/fake_resolver.h $(BLACK_HOLE) $(UPSTREAM)
tests_unit_test_client_faults_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_links
tests_unit_test_links_SOURCES = tests/unit/test_links.c \
	src/examples/links.c src/examples/links.h $(UNIT_SOURCES)
tests_unit_test_links_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src
tests_unit_test_links_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_client_hops
tests_unit_test_client_hops_SOURCES = tests/unit/test_client_hops.c \
	tests/unit/tls_help.c tests/unit/tls_help.h $(UPSTREAM)
tests_unit_test_client_hops_LDADD = $(UNIT_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_client_hostile
tests_unit_test_client_hostile_SOURCES = tests/unit/test_client_hostile.c \
	tests/unit/tls_help.c tests/unit/tls_help.h $(UPSTREAM)
tests_unit_test_client_hostile_LDADD = $(UNIT_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_client_siege
tests_unit_test_client_siege_SOURCES = tests/unit/test_client_siege.c \
	tests/unit/tls_help.c tests/unit/tls_help.h \
	tests/unit/black_hole.c tests/unit/black_hole.h \
	tests/unit/fake_resolver.c tests/unit/fake_resolver.h $(UPSTREAM)
tests_unit_test_client_siege_LDADD = $(UNIT_LIBS) $(CURL_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_client_bodies
tests_unit_test_client_bodies_SOURCES = tests/unit/test_client_bodies.c $(UPSTREAM)
tests_unit_test_client_bodies_LDADD = $(UNIT_LIBS) $(CURL_LIBS) -lbrotlienc
PROCESS_HELP = tests/unit/process_help.c tests/unit/process_help.h $(CO_SOURCES)
check_PROGRAMS += tests/unit/test_process
tests_unit_test_process_SOURCES = tests/unit/test_process.c $(PROCESS_HELP)
tests_unit_test_process_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_process_ends
tests_unit_test_process_ends_SOURCES = tests/unit/test_process_ends.c $(PROCESS_HELP)
tests_unit_test_process_ends_LDADD = $(UNIT_LIBS)
TLS_HELP = tests/unit/tls_help.c tests/unit/tls_help.h
TLS_TALK = tests/unit/tls_talk.c tests/unit/tls_talk.h $(TLS_HELP) $(CO_SOURCES)
check_PROGRAMS += tests/unit/test_tls
tests_unit_test_tls_SOURCES = tests/unit/test_tls.c $(TLS_TALK)
tests_unit_test_tls_LDADD = $(UNIT_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_tls_records
tests_unit_test_tls_records_SOURCES = tests/unit/test_tls_records.c $(TLS_TALK)
tests_unit_test_tls_records_LDADD = $(UNIT_LIBS) $(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_tls_stream
tests_unit_test_tls_stream_SOURCES = tests/unit/test_tls_stream.c $(TLS_TALK)
tests_unit_test_tls_stream_LDADD = $(UNIT_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test_testing
tests_unit_test_testing_SOURCES = tests/unit/test_testing.c $(UNIT_SOURCES)
tests_unit_test_testing_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_testing_web
tests_unit_test_testing_web_SOURCES = tests/unit/test_testing_web.c $(UNIT_SOURCES)
tests_unit_test_testing_web_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_testing_sweep
tests_unit_test_testing_sweep_SOURCES = tests/unit/test_testing_sweep.c $(UNIT_SOURCES)
tests_unit_test_testing_sweep_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_web_render
tests_unit_test_web_render_SOURCES = tests/unit/test_web_render.c $(WEB_CLIENT) \
	$(UNIT_SOURCES)
tests_unit_test_web_render_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

TEMPLATE_HELP = tests/unit/template_help.c tests/unit/template_help.h $(UNIT_SOURCES)
check_PROGRAMS += tests/unit/test_template
tests_unit_test_template_SOURCES = tests/unit/test_template.c $(TEMPLATE_HELP)
tests_unit_test_template_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_template_escape
tests_unit_test_template_escape_SOURCES = tests/unit/test_template_escape.c \
	$(TEMPLATE_HELP)
tests_unit_test_template_escape_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_template_escape_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_template_set
tests_unit_test_template_set_SOURCES = tests/unit/test_template_set.c $(TEMPLATE_HELP)
tests_unit_test_template_set_LDADD = $(UNIT_LIBS) $(JANSSON_LIBS)

# The linker puts tests/unit/torture.c between the library and what can fail.
TORTURE_WRAP = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc \
	-Wl,--wrap=realloc,--wrap=free,--wrap=strdup,--wrap=mmap,--wrap=munmap \
	-Wl,--wrap=mmap64 \
	-Wl,--wrap=eventfd,--wrap=pthread_create \
	-Wl,--wrap=asprintf,--wrap=__asprintf_chk
check_PROGRAMS += tests/unit/test_torture
tests_unit_test_torture_SOURCES = tests/unit/test_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_pg_stream_torture
tests_unit_test_pg_stream_torture_SOURCES = tests/unit/test_pg_stream_torture.c \
	tests/unit/pg_help.c tests/unit/pg_help.h \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_pg_stream_torture_CPPFLAGS = $(AM_CPPFLAGS) \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_stream_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_pg_stream_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) \
	$(PQ_LIBS)
check_PROGRAMS += tests/unit/test_pg_torture
tests_unit_test_pg_torture_SOURCES = tests/unit/test_pg_torture.c \
	tests/unit/pg_help.c tests/unit/pg_help.h \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_pg_torture_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pg_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_pg_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) $(PQ_LIBS)
check_PROGRAMS += tests/unit/test_cancel_sweep
tests_unit_test_cancel_sweep_SOURCES = tests/unit/test_cancel_sweep.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_cancel_sweep_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_cancel_sweep_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_tls_torture
tests_unit_test_tls_torture_SOURCES = tests/unit/test_tls_torture.c $(TLS_TALK) \
	tests/unit/torture.c tests/unit/torture.h
tests_unit_test_tls_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_tls_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) \
	$(CRYPTO_LIBS)
check_PROGRAMS += tests/unit/test_sync_torture
tests_unit_test_sync_torture_SOURCES = tests/unit/test_sync_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_sync_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_sync_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_process_torture
tests_unit_test_process_torture_SOURCES = tests/unit/test_process_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_process_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_process_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_template_torture
tests_unit_test_template_torture_SOURCES = tests/unit/test_template_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_template_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_template_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/unit/test_web_torture
tests_unit_test_web_torture_SOURCES = tests/unit/test_web_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_web_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_web_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_websocket_torture
tests_unit_test_websocket_torture_SOURCES = tests/unit/test_websocket_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UNIT_SOURCES)
tests_unit_test_websocket_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_websocket_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/test_client_torture
tests_unit_test_client_torture_SOURCES = tests/unit/test_client_torture.c \
	tests/unit/torture.c tests/unit/torture.h $(UPSTREAM)
tests_unit_test_client_torture_LDFLAGS = $(TORTURE_WRAP)
tests_unit_test_client_torture_LDADD = $(UNIT_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS)
endif
