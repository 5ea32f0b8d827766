/* SPDX-License-Identifier: MIT */
/* One request to the admin listener of the server. */
#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define ANSWER_MAX (64u << 20)

struct answer {
	char *text;
	size_t len;
};

static size_t
take(char *data, size_t one, size_t n, void *arg)
{
	struct answer *answer = arg;
	char *text;

	if (answer->len + n > ANSWER_MAX)
		return 0;
	text = realloc(answer->text, answer->len + n + 1);
	if (text == NULL)
		return 0;
	memcpy(text + answer->len, data, n);
	answer->len += n;
	text[answer->len] = '\0';
	answer->text = text;
	return one * n;
}

/* "unix:PATH" is a socket; "HOST:PORT" means http. Returns 0 or -1. */
static int
set_url(CURL *curl, const struct ctl *ctl, const char *path)
{
	static const char unix_prefix[] = "unix:";
	size_t len = sizeof(unix_prefix) - 1;
	bool is_unix = strncmp(ctl->admin, unix_prefix, len) == 0;
	const char *scheme = strstr(ctl->admin, "://") != NULL ? "" : "http://";
	char url[512];
	int n = snprintf(url, sizeof(url), "%s%s%s", scheme,
	    is_unix ? "localhost" : ctl->admin, path);

	if (n < 0 || (size_t)n >= sizeof(url))
		return -1;
	if (is_unix)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->admin + len);
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK ? 0 : -1;
}

/* What the server says of its refusal: {"error":{"message":…}}, or nothing. */
static const char *
refusal(const json_t *json)
{
	const json_t *error = json_object_get(json, "error");
	const char *text = json_string_value(json_object_get(error, "message"));

	return text != NULL ? text : "";
}

static json_t *
read_answer(CURL *curl, const struct answer *answer)
{
	const char *text = answer->text != NULL ? answer->text : "";
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	long status = 0;

	if (json == NULL)
		json = json_string(text);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300 && json != NULL)
		return json;
	ctl_complain(CTL_FAILED, "the server answered %ld%s%s", status,
	    *refusal(json) != '\0' ? ": " : "", refusal(json));
	json_decref(json);
	return NULL;
}

static json_t *
transfer(CURL *curl, const struct ctl *ctl, const char *path, const char *form)
{
	struct curl_slist *fields = curl_slist_append(NULL, "Accept: application/json");
	struct answer answer = { NULL, 0 };
	json_t *json = NULL;
	CURLcode rc;

	if (set_url(curl, ctl, path) != 0) {
		ctl_complain(CTL_FAILED, "no address: %s", ctl->admin);
		curl_slist_free_all(fields);
		return NULL;
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ctl->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (ctl->ca_file != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, ctl->ca_file);
	if (form != NULL)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
	rc = curl_easy_perform(curl);
	if (rc == CURLE_OK)
		json = read_answer(curl, &answer);
	else
		ctl_complain(
		    CTL_FAILED, "%s: %s", ctl->admin, curl_easy_strerror(rc));
	free(answer.text);
	curl_slist_free_all(fields);
	return json;
}

json_t *
ctl_ask(const struct ctl *ctl, const char *path, const char *form)
{
	CURL *curl = curl_easy_init();
	json_t *json;

	if (curl == NULL) {
		ctl_complain(CTL_FAILED, "out of memory");
		return NULL;
	}
	json = transfer(curl, ctl, path, form);
	curl_easy_cleanup(curl);
	return json;
}
