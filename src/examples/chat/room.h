/* SPDX-License-Identifier: MIT */
/*
 * A room where people talk: the handlers. Whoever mounts them has a .current_user, which
 * is a name, and the template room.html. With a database messages are kept there, else
 * the last 200 of a room are, in memory.
 */
#ifndef CHAT_ROOM_H
#define CHAT_ROOM_H

#include <spout/spout.h>

void room_page(struct spout_request *req);
void room_history(struct spout_request *req);
void room_poll(struct spout_request *req);
void room_say(struct spout_request *req);
extern const struct spout_websocket_handler room_socket;

/** Make the table, if there is a database; for on_worker_start. Does not fail. */
void room_start(void);

#define ROOM_ROUTES \
	SPOUT_GET("/chat", room_page, .login_required = true), \
	    SPOUT_GET("/chat/history", room_history, .login_required = true), \
	    SPOUT_GET("/chat/poll", room_poll, .login_required = true), \
	    SPOUT_POST("/chat/say", room_say, .login_required = true), \
	    SPOUT_WEBSOCKET("/chat/ws", &room_socket)

#endif
