/* SPDX-License-Identifier: MIT */
/*
 * Pages from templates: see spout/web.h. The set belongs to the worker; it is filled when
 * that starts, so that no request waits for a disk.
 *
 * A module of this folder that has something for every template adds its table of
 * functions to the list in render.c. Their subject is the request. They may wait and
 * leave.
 */
#ifndef SPOUT_WEB_RENDER_H
#define SPOUT_WEB_RENDER_H

#include <spout/template.h>
#include <spout/web.h>

/**
 * Read and compile the templates of an application. Returns owned, NULL with errno and
 * `why`. May block.
 */
struct spout_templates *spout__render_open(
    const struct spout_app *app, char why[SPOUT_TEMPLATE_WHY_SIZE]);

/** What every page has, ended by a NULL name. page_names.c */
extern const struct spout_template_function spout__page_functions[];

#endif
