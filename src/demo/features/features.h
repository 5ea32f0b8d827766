/* SPDX-License-Identifier: MIT */
/*
 * The page /features: one file per feature, shown on that page beside its live part. Each
 * ends with its rows of the table of routes, which main.c mounts below /features.
 */
#ifndef DEMO_FEATURES_H
#define DEMO_FEATURES_H

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <spout/spout.h>

extern const struct spout_route features_arguments[], features_auth[],
    features_compression[], features_cookies[], features_cors[], features_errors[],
    features_files[], features_form[], features_json[], features_languages[],
    features_middleware[], features_rate[], features_routes[], features_stream[],
    features_template[], features_together[], features_unchanged[], features_upload[];

/** cors.c: for the whole application, which looks at its paths only. */
extern const struct spout_cors features_cors_rules;

/** languages.c: the language that ?lang= asks for, or NULL. */
const char *features_locale(struct spout_request *req);

#endif
