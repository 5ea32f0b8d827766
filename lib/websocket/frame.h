/* SPDX-License-Identifier: MIT */
/*
 * Frames of the WebSocket protocol (RFC 6455 5). Pure: fed with whatever bytes have
 * arrived, in any split. Any thread, one reader by one thread at a time.
 *
 * A server reads frames that are masked, a client those that are not; anything else is
 * an error. The payload of a compressed message (RFC 7692) is gathered as it is.
 *
 * A message gathers, unmasked, in a buffer of the caller's; each byte is looked at once,
 * however it was cut into frames and reads. A control frame may stand between two frames
 * of a message; it is used only when it has arrived whole, and so is the head of a frame:
 * at most SPOUT__WS_AHEAD bytes are left to the caller to be given again.
 */
#ifndef SPOUT_WEBSOCKET_FRAME_H
#define SPOUT_WEBSOCKET_FRAME_H

#include <spout/types.h>

#include "base/buffer.h"

/* RFC 6455 11.8; the reader gives back no CONTINUATION. */
enum spout__ws_opcode {
	SPOUT__WS_CONTINUATION = 0,
	SPOUT__WS_TEXT = 1,
	SPOUT__WS_BINARY = 2,
	SPOUT__WS_CLOSE = 8,
	SPOUT__WS_PING = 9,
	SPOUT__WS_PONG = 10,
	SPOUT__WS_MORE = 16, /* no frame: the bytes are used up */
};

/* RFC 6455 7.4.1, and IANA's registry of close codes. */
enum {
	SPOUT__WS_NORMAL = 1000,
	SPOUT__WS_GOING_AWAY = 1001,
	SPOUT__WS_PROTOCOL_ERROR = 1002,
	SPOUT__WS_NO_STATUS = 1005,
	SPOUT__WS_ABNORMAL = 1006,
	SPOUT__WS_BAD_DATA = 1007,
	SPOUT__WS_POLICY = 1008,
	SPOUT__WS_TOO_BIG = 1009,
	SPOUT__WS_INTERNAL_ERROR = 1011,
	SPOUT__WS_RESTART = 1012,
};

#define SPOUT__WS_CONTROL_MAX 125u
#define SPOUT__WS_REASON_MAX (SPOUT__WS_CONTROL_MAX - 2)
#define SPOUT__WS_HEAD_MAX 14u
/* In the place of an opcode: the message is compressed (RSV1, RFC 7692 6). */
#define SPOUT__WS_PACKED 0x40u
#define SPOUT__WS_AHEAD (2 + 4 + SPOUT__WS_CONTROL_MAX)

struct spout__ws_reader {
	uint64_t left;         /* payload of the frame of data that is still to come */
	size_t max;            /* bytes of a message; more: 1009 */
	size_t checked;        /* bytes of a text that are whole characters */
	unsigned char mask[4]; /* of that frame, from its next byte on */
	unsigned char opcode;  /* TEXT or BINARY inside a message, else 0 */
	bool fin;              /* the frame is the last of its message */
	bool in_frame;
	bool client;           /* reads a server's frames */
	bool may_pack;         /* compression was agreed on */
	bool packed;           /* the message is compressed */
};

/** What was read. */
struct spout__ws_item {
	enum spout__ws_opcode opcode;
	size_t len;            /* of `control` */
	bool packed;           /* a message, still compressed and not looked at */
	int code;              /* of a CLOSE; SPOUT__WS_NO_STATUS if it had none */
	/* Payload of a control frame; of a CLOSE the reason alone. */
	char control[SPOUT__WS_CONTROL_MAX];
};

/** How many bytes a message of at most `max` may take while it is compressed. */
static inline size_t
spout__ws_packed_max(size_t max)
{
	return max + max / 1024 + 64;
}

/** A server's reader without compression; the fields tell how to make it another. */
void spout__ws_reader_init(struct spout__ws_reader *reader, size_t max);
/**
 * Use bytes until a message is whole, a control frame has been read, or there are no
 * more. `message` holds what has come of the message so far, and all of it when
 * `ret_item` says TEXT or BINARY: the caller takes it then and gives an empty buffer with
 * the next bytes. Its maximum is at least that of the reader, spout__ws_packed_max() of
 * that if messages may be compressed. Returns 0, or the close
 * code for what was wrong (RFC 6455 7.1.7): 1002, 1007, 1009; 1011 when out of memory.
 */
int spout__ws_read(struct spout__ws_reader *reader, const char *data, size_t len,
    struct spout__buffer *message, size_t *ret_used, struct spout__ws_item *ret_item);

/** Copy `len` bytes, each xor the byte of the mask whose turn it is (RFC 6455 5.3). */
void spout__ws_unmask(
    char *to, const char *from, size_t len, const unsigned char mask[4]);
/** Write the head of an unfragmented frame, with a mask unless that is NULL. `opcode` may
 * have SPOUT__WS_PACKED. Returns its length. */
size_t spout__ws_put_head(char to[SPOUT__WS_HEAD_MAX], unsigned opcode, uint64_t len,
    const unsigned char *mask);
/** May this code stand in a Close frame? */
bool spout__ws_code_valid(int code);

#endif
