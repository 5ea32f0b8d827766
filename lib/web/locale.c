/* SPDX-License-Identifier: MIT */
/* Languages: catalogues read from a folder, chosen for a request, asked for a message. */
#include "config.h"

#include <spout/locale.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "web/catalogue.h"
#include "web/request.h"

#define MAX_BYTES (16u << 20)
#define MAX_LANGUAGES 256u
#define CODE_SIZE 32u

struct spout_locale {
	char code[CODE_SIZE];
	struct spout__catalogue catalogue; /* data NULL: English, without one */
};

struct spout_locales {
	unsigned n;
	struct spout_locale *list; /* in the order of the codes */
};

static const struct spout_locale english = { .code = "en_US",
	.catalogue = { .plural = { .n = 2 } } };

/* --- from a folder ------------------------------------------------------------------ */

static char *
read_all(int fd, size_t size)
{
	char *data = malloc(size + 1);
	size_t len = 0;
	ssize_t n;

	while (data != NULL && len < size) {
		n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(data);
			errno = n < 0 ? errno : EBADMSG;
			return NULL;
		}
		len += (size_t)n;
	}
	return data;
}

/* 0 and a catalogue that owns its data, -ENOENT (no file), or -errno. */
static int
load_file(const char *path, struct spout__catalogue *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;
	char *data = NULL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EBADMSG;
	else if (st.st_size > MAX_BYTES)
		rc = -EMSGSIZE;
	if (rc == 0) {
		data = read_all(fd, (size_t)st.st_size);
		rc = data == NULL ? -errno
		    : spout__catalogue_open(ret, data, (size_t)st.st_size);
	}
	close(fd);
	if (rc != 0) {
		free(data);
		spout_error_log("%s: %s", path, rc == -EBADMSG ?
		    "not a catalogue of messages in UTF-8" : strerror(-rc));
	}
	return rc;
}

static bool
is_code(const char *name)
{
	return isalpha((unsigned char)name[0]) && strlen(name) < CODE_SIZE;
}

static int
add_language(struct spout_locales *locales, const char *dir, const char *code,
    const char *domain)
{
	struct spout_locale *locale = &locales->list[locales->n];
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/%s/LC_MESSAGES/%s.mo", dir, code,
	    domain);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) < 0)
		return 0;
	if (locales->n == MAX_LANGUAGES)
		return -EMSGSIZE;
	n = load_file(path, &locale->catalogue);
	if (n == 0) {
		strcpy(locale->code, code);
		locales->n++;
	}
	return n;
}

static int
by_code(const void *a, const void *b)
{
	return strcmp(((const struct spout_locale *)a)->code,
	    ((const struct spout_locale *)b)->code);
}

static int
add_languages(struct spout_locales *locales, const char *dir, const char *domain)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	int rc = 0;

	if (folder == NULL) {
		rc = -errno;
		spout_error_log("%s: %s", dir, strerror(-rc));
		return rc;
	}
	while (rc == 0 && (entry = readdir(folder)) != NULL)
		if (is_code(entry->d_name))
			rc = add_language(locales, dir, entry->d_name, domain);
	closedir(folder);
	return rc;
}

struct spout_locales *
spout_locales_load(const char *dir, const char *domain)
{
	struct spout_locales *locales = calloc(1, sizeof(*locales));
	int rc = -ENOMEM;

	if (locales != NULL)
		locales->list = calloc(MAX_LANGUAGES + 1, sizeof(*locales->list));
	if (locales != NULL && locales->list != NULL)
		rc = add_languages(locales, dir, domain);
	if (rc != 0) {
		spout_locales_free(locales);
		errno = -rc;
		return NULL;
	}
	qsort(locales->list, locales->n, sizeof(*locales->list), by_code);
	return locales;
}

void
spout_locales_free(struct spout_locales *locales)
{
	unsigned i;

	if (locales == NULL)
		return;
	for (i = 0; locales->list != NULL && i < locales->n; i++)
		free((void *)locales->list[i].catalogue.data);
	free(locales->list);
	free(locales);
}

const struct spout_locale *
spout_locales_at(const struct spout_locales *locales, unsigned i)
{
	return i < locales->n ? &locales->list[i] : NULL;
}

/* --- which one ---------------------------------------------------------------------- */

/* Any case, '-' or '_'; `len` bytes of the wanted code. */
static bool
same_code(const char *code, const char *wanted, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int a = tolower((unsigned char)code[i]);
		int b = tolower((unsigned char)wanted[i]);

		if (a != b && !(a == '_' && b == '-') && !(a == '-' && b == '_'))
			return false;
	}
	return code[len] == '\0';
}

static const struct spout_locale *
closest(const struct spout_locales *locales, const char *code, size_t len)
{
	unsigned i;

	for (;;) {
		for (i = 0; i < locales->n; i++)
			if (strlen(locales->list[i].code) == len &&
			    same_code(locales->list[i].code, code, len))
				return &locales->list[i];
		/* "zh-Hant-TW", "zh-Hant", "zh" (RFC 4647 3.4). */
		while (len > 0 && code[len - 1] != '-' && code[len - 1] != '_')
			len--;
		if (len <= 1)
			return NULL;
		len--;
	}
}

const struct spout_locale *
spout_locale_get(const struct spout_locales *locales, const char *code)
{
	return closest(locales, code, strlen(code));
}

/* The weight behind a tag, in thousandths: ";q=0.5". Malformed: 0. */
static unsigned
weight(const char *at, const char *end)
{
	unsigned value = 0, scale = 1000;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end)
		return 1000;
	if (*at++ != ';')
		return 0;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (end - at < 3 || (at[0] | 0x20) != 'q' || at[1] != '=')
		return 0;
	for (at += 2; at < end && scale > 0; at++) {
		if (*at == '.' && scale == 100)
			continue;
		if (*at < '0' || *at > '9')
			break;
		value += (unsigned)(*at - '0') * scale;
		scale /= 10;
	}
	return value > 1000 ? 1000 : value;
}

const struct spout_locale *
spout_locale_accepted(const struct spout_locales *locales, const char *header)
{
	const struct spout_locale *best = NULL, *found;
	const char *at = header != NULL ? header : "", *stop, *tag_end;
	unsigned best_weight = 0, w;

	for (; *at != '\0'; at = *stop == ',' ? stop + 1 : stop) {
		at += strspn(at, " \t");
		stop = at + strcspn(at, ",");
		tag_end = at + strcspn(at, ",; \t");
		w = weight(tag_end, stop);
		if (tag_end == at || w <= best_weight)
			continue;
		found = *at == '*' && locales->n > 0 ? &locales->list[0]
						     : closest(locales, at,
			(size_t)(tag_end - at));
		if (found != NULL) {
			best = found;
			best_weight = w;
		}
	}
	return best;
}

const struct spout_locale *
spout_locale(struct spout_request *req)
{
	const struct spout_app *app = req->web->app;
	const struct spout_locale *locale = NULL;
	const char *code;

	if (app->locales == NULL)
		return &english;
	code = app->get_user_locale != NULL ? app->get_user_locale(req) : NULL;
	if (code != NULL)
		locale = spout_locale_get(app->locales, code);
	if (locale == NULL)
		locale = spout_locale_accepted(
		    app->locales, spout_header(req, "Accept-Language"));
	if (locale == NULL && app->default_locale != NULL)
		locale = spout_locale_get(app->locales, app->default_locale);
	return locale != NULL ? locale : &english;
}

/* --- messages ----------------------------------------------------------------------- */

const char *
spout_locale_code(const struct spout_locale *locale)
{
	return locale->code;
}

static struct spout_slice
find(const struct spout_locale *locale, const char *context, const char *message)
{
	/* The translation of "" is the header of the catalogue. */
	if (locale->catalogue.data == NULL || message[0] == '\0')
		return (struct spout_slice){ NULL, 0 };
	return spout__catalogue_find(&locale->catalogue, context, message);
}

const char *
spout_translate(const struct spout_locale *locale, const char *message)
{
	return spout_translate_in(locale, NULL, message);
}

const char *
spout_translate_in(const struct spout_locale *locale, const char *context,
    const char *message)
{
	struct spout_slice found = find(locale, context, message);

	return found.len > 1 ? found.data : message;
}

const char *
spout_translate_plural(const struct spout_locale *locale, const char *message,
    const char *plural, uint64_t count)
{
	struct spout_slice found = find(locale, NULL, message);
	unsigned form = spout__plural_form(&locale->catalogue.plural, count);
	const char *at = found.data, *end = at != NULL ? at + found.len : NULL;

	while (at != NULL && at < end && form > 0) {
		at += strlen(at) + 1;
		form--;
	}
	if (at != NULL && at < end && *at != '\0')
		return at;
	return count == 1 ? message : plural;
}
