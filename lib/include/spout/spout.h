/* SPDX-License-Identifier: MIT */
/* Everything that Spout offers, in one include. */
#ifndef SPOUT_SPOUT_H
#define SPOUT_SPOUT_H

#include <spout/app.h>
#include <spout/async.h>
#include <spout/client.h>
#include <spout/cookie.h>
#include <spout/crypto.h>
#include <spout/executor.h>
#include <spout/file.h>
#include <spout/form.h>
#include <spout/locale.h>
#include <spout/locks.h>
#include <spout/log.h>
#include <spout/loop.h>
#include <spout/option.h>
#include <spout/password.h>
#include <spout/queue.h>
#include <spout/pg.h>
#include <spout/pg_batch.h>
#include <spout/pg_pool.h>
#include <spout/pg_listen.h>
#include <spout/pg_lock.h>
#include <spout/pg_transaction.h>
#include <spout/process.h>
#include <spout/pg_stream.h>
#include <spout/security.h>
#include <spout/session.h>
#include <spout/sse.h>
#include <spout/stream.h>
#include <spout/tcp.h>
#include <spout/tls.h>
#include <spout/template.h>
#include <spout/topic.h>
#include <spout/topic_web.h>
#include <spout/types.h>
#include <spout/web.h>
#include <spout/websocket.h>

#endif
