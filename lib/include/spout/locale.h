/* SPDX-License-Identifier: MIT */
/*
 * Languages: catalogues of gettext, the language of a request, dates.
 *
 * Catalogues are read once, before the fork (the application's preload hook), and are
 * read-only afterwards; nothing here uses setlocale(), so requests of many languages run
 * side by side. Messages are UTF-8. What is returned is borrowed: it lives as long as the
 * catalogues or, where a text is composed, in the running scope.
 *
 *     static int
 *     preload(struct spout_app *app)
 *     {
 *             app->locales = spout_locales_load("locale", "shop");
 *             return app->locales != NULL ? 0 : -errno;
 *     }
 */
#ifndef SPOUT_LOCALE_H
#define SPOUT_LOCALE_H

#include <spout/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spout_request;
struct spout_locale;
struct spout_locales;

/**
 * Read DIR/LANGUAGE/LC_MESSAGES/DOMAIN.mo of every LANGUAGE ("de", "pt_BR") there is.
 * Blocks. NULL with errno, the reason logged: ENOENT (no such folder), EBADMSG (a file is
 * no catalogue, or not in UTF-8), EMSGSIZE (more than 16 MiB, or 256 languages).
 * (Tornado: load_gettext_translations)
 */
SPOUT_API struct spout_locales *spout_locales_load(const char *dir, const char *domain);
SPOUT_API void spout_locales_free(struct spout_locales *locales);
/** The i-th language, in the order of the codes; NULL behind the last. */
SPOUT_API const struct spout_locale *spout_locales_at(
    const struct spout_locales *locales, unsigned i);

/**
 * The language of that code or, for "de-AT", of "de" (any case, '-' or '_'). NULL: there
 * is none. (Tornado: Locale.get_closest)
 */
SPOUT_API const struct spout_locale *spout_locale_get(
    const struct spout_locales *locales, const char *code);
/**
 * The best language for an Accept-Language header (RFC 9110 12.5.4, NULL: none came): the
 * first of the highest weight that there is a catalogue for. NULL: none.
 */
SPOUT_API const struct spout_locale *spout_locale_accepted(
    const struct spout_locales *locales, const char *accept_language);
/**
 * The language of the request: what the application's get_user_locale says, else the
 * browser's, else the application's default_locale, else English without a catalogue.
 * Never NULL. (Tornado: RequestHandler.locale)
 */
SPOUT_API const struct spout_locale *spout_locale(struct spout_request *req);

/** "de", "pt_BR"; "en_US" for English without a catalogue. */
SPOUT_API const char *spout_locale_code(const struct spout_locale *locale);
/** The message in that language, or as it is if the catalogue does not have it. */
SPOUT_API const char *spout_translate(const struct spout_locale *locale,
    const char *message);
/** The same for `count` of something, by the plural rule of the language. */
SPOUT_API const char *spout_translate_plural(const struct spout_locale *locale,
    const char *message, const char *plural, uint64_t count);
/** A message that means this only in a context. (pgettext) */
SPOUT_API const char *spout_translate_in(const struct spout_locale *locale,
    const char *context, const char *message);

struct spout_date_format {
	int offset_minutes; /* of the reader's clock from UTC, eastwards */
	bool relative;      /* "5 minutes ago", where that says more */
	bool shorter;       /* without the time of day */
	bool full;          /* the date in any case */
	int64_t now;        /* for `relative` [the time it is] */
};

/**
 * A time (seconds since 1970) for people: spout_format_date(locale, t, .relative = true).
 * In the running scope. The words are messages too: "{month} {day}, {year} at {time}".
 * (Tornado: format_date)
 */
#define spout_format_date(locale, when, ...) \
	spout_format_date_with((locale), (when), \
	    &(struct spout_date_format){ __VA_ARGS__ })
SPOUT_API const char *spout_format_date_with(const struct spout_locale *locale,
    int64_t when, const struct spout_date_format *format);
/** "Tuesday, January 22". In the running scope. (Tornado: format_day) */
SPOUT_API const char *spout_format_day(const struct spout_locale *locale, int64_t when,
    int offset_minutes);
/** "A, B and C" of `n` texts. In the running scope. (Tornado: Locale.list) */
SPOUT_API const char *spout_format_list(const struct spout_locale *locale,
    const char *const *texts, size_t n);
/** "1,234,567" in English, in other languages "1234567". (Tornado: friendly_number) */
SPOUT_API const char *spout_format_number(const struct spout_locale *locale, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
