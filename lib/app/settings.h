/* SPDX-License-Identifier: MIT */
/*
 * The options that every program made with spout_main() has, checked and ready for use.
 * Filled once, before the fork, read-only afterwards.
 */
#ifndef SPOUT_APP_SETTINGS_H
#define SPOUT_APP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <spout/tls.h>

#include "app/options.h"
#include "app/secret.h"
#include "supervisor/identity.h"
#include "supervisor/listeners.h"
#include "web/forwarded.h"

#define SPOUT__LISTENS_MAX 32
#define SPOUT__TLS_FILES_MAX SPOUT_TLS_CERTIFICATES_MAX
#define SPOUT__SETTINGS_ROWS 64

struct spout__settings {
	const char *listens[SPOUT__LISTENS_MAX]; /* as given, maybe with ",tls" */
	unsigned n_listens;
	unsigned listen_mode; /* enum spout__listen_mode */
	const char *admin;    /* address, or NULL */
	const char *agent_check; /* the same */
	const char *tls_certs[SPOUT__TLS_FILES_MAX], *tls_keys[SPOUT__TLS_FILES_MAX];
	unsigned n_tls_certs, n_tls_keys;
	const char *tls_client_ca; /* file, or NULL: clients show no certificate */
	unsigned tls_client;       /* with one: 0 required, 1 optional */
	unsigned tls_min_version;  /* enum spout_tls_version */
	unsigned processes, max_processes;
	uint64_t max_requests, max_age_ms, max_memory_bytes; /* of a worker; 0: any */
	unsigned threads_min, threads_max; /* the blocking pool */
	unsigned cpu_threads;
	const char *database;    /* URL, or NULL */
	uint64_t db_connections; /* of each worker */
	const char *topic_url; /* "database", or NULL */
	const char *db_password_file; /* path, or NULL */
	uint64_t db_connect_timeout_ms, db_acquire_timeout_ms;
	uint64_t db_idle_timeout_ms, db_max_lifetime_ms;
	unsigned db_pooler; /* 1: behind one that shares sessions */
	uint64_t db_min_connections, db_statement_timeout_ms, db_lock_timeout_ms;
	uint64_t db_transaction_timeout_ms, db_slow_query_ms, db_leak_report_ms;
	uint64_t request_timeout_ms, drain_timeout_ms, idle_timeout_ms;
	uint64_t drain_delay_ms;
	uint64_t stall_threshold_ms; /* 0: nobody watches */
	uint64_t max_body_bytes, max_connections;
	const char *cookie_secret_file;  /* path, or NULL */
	char cookie_secret[SPOUT__SECRET_ROOM]; /* its text, or of SPOUT_COOKIE_SECRET */
	struct spout__trust trust;       /* in proxies */
	unsigned forwarded_header;       /* enum spout__forwarded_header */
	const char *user;                /* to become, or NULL */
	struct spout__identity identity; /* of `user` */
	const char *config;
	const char *pid_file;
	const char *static_path; /* directory, or NULL: what the application says */
	const char *access_log; /* path, "-", or NULL */
	unsigned log_level, log_format;
	uint64_t stack_kib;
	const char *template_path; /* or NULL */
	bool template_reload;
	bool debug, no_keep_alive;
	bool check, print_config, help, version;

	struct spout_option
	    rows[SPOUT__SETTINGS_ROWS]; /* their `into` is in this struct */
};

/** Add the rows to `options`; both live as long as the program. Returns as options_add.
 */
int spout__settings_add(struct spout__settings *s, struct spout__options *options);
/**
 * After parsing: what concerns several options at once. Returns 0, or -EINVAL with
 * options->error.
 */
int spout__settings_check(struct spout__settings *s, struct spout__options *options);
#endif
