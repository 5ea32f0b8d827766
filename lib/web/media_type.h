/* SPDX-License-Identifier: MIT */
/* The media type of a file by the end of its name. Pure. */
#ifndef SPOUT_WEB_MEDIA_TYPE_H
#define SPOUT_WEB_MEDIA_TYPE_H

#include <spout/types.h>

/** "text/css; charset=UTF-8"; "application/octet-stream" for what is not known.
 * Static. */
struct spout_slice spout__media_type(const char *path);

#endif
