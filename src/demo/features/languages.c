/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* `get_user_locale` of the application: what somebody chose wins over the browser. */
const char *
features_locale(struct spout_request *req)
{
	return spout_query_arg(req, "lang");
}

static void
languages_get(struct spout_request *req)
{
	const struct spout_locale *locale = spout_locale(req);
	int64_t n = spout_arg_int(req, "n", .max = 1000000, .otherwise = 3);
	const char *things[] = { spout_translate(locale, "wind"),
		spout_translate(locale, "water"), spout_translate(locale, "light") };

	spout_json_pack(req, "{s:s, s:s, s:s, s:s, s:s}",
	    "locale", spout_locale_code(locale),
	    "greeting", spout_translate(locale, "Good to see you."),
	    "files", spout_sprintf("%s %s", spout_format_number(locale, n),
		spout_translate_plural(locale, "file", "files", (uint64_t)n)),
	    "list", spout_format_list(locale, things, 3),
	    "date", spout_format_date(locale, spout_now(), .full = true));
}

const struct spout_route features_languages[] = {
	SPOUT_GET("/languages", languages_get),
	SPOUT_END,
};
