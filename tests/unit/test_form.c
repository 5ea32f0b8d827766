/* SPDX-License-Identifier: MIT */
/* Multipart forms in a handler: fields and files in memory, parts as they come, files. */
#include "config.h"

#include "unit.h"
#include "web_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spout/executor.h>
#include <spout/form.h>

static char folder[64], saved_path[128];
static uint64_t save_max;

static void
show_file(struct spout_request *req, const struct spout_file *file)
{
	spout_printf(req, "%s[%s;%s]=", file->name, file->filename, file->content_type);
	spout_write(req, file->data, file->len);
	spout_write_text(req, "|");
}

static void
buffered(struct spout_request *req)
{
	const struct spout_file *const *files = spout_files(req, "f");
	const char *const *values = spout_args(req, "a");

	for (; *values != NULL; values++)
		spout_printf(req, "a=%s|", *values);
	for (; *files != NULL; files++)
		show_file(req, *files);
	if (spout_file(req, "f") != NULL)
		spout_printf(req, "last %s", spout_file(req, "f")->filename);
}

static void
streamed(struct spout_request *req)
{
	struct spout_multipart *form = spout_multipart_open(req);
	const struct spout_part *part;

	while ((part = spout_multipart_next(form)) != NULL) {
		if (part->filename == NULL)
			spout_printf(req, "%s=%s|", part->name,
			    spout_multipart_text(form, 8));
		else if (strcmp(part->filename, "skipped") != 0)
			spout_printf(req, "%s: %llu|", part->filename,
			    (unsigned long long)spout_multipart_save(
				form, saved_path, save_max));
	}
}

static const struct spout_route routes[] = {
	SPOUT_POST("/buffered", buffered),
	SPOUT_POST("/streamed", streamed, .stream_body = true, .max_body_bytes = 1 << 20),
	SPOUT_END,
};

static struct spout_app app = { .name = "test", .routes = routes };

#define TYPE "Content-Type: multipart/form-data; boundary=XX\r\n"
#define PART "--XX\r\nContent-Disposition: form-data; name="

static void
start(void)
{
	strcpy(folder, "/tmp/spout-form-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(saved_path, sizeof(saved_path), "%s/saved", folder);
	save_max = 1 << 20;
	begin(&app, NO_ACCESS_LOG);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spout_pool_new("blocking", .max_threads = 1));
}

static void
stop(void)
{
	CU_ASSERT_EQUAL(spout_pool_close(spout_pool_get("blocking"), 10000), 0);
	end();
	unlink(saved_path);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void
fields_are_arguments_and_files_are_files(void)
{
	start();
	request("POST /buffered?a=q", TYPE,
	    PART "a\r\n\r\n1\r\n" PART "f; filename=\"x.txt\"\r\n\r\ndata\r\n" PART
		 "a\r\n\r\n\r\n" PART "f; filename=\"\"\r\n"
		 "Content-Type: image/png\r\n\r\n\r\n--XX--\r\n");
	CU_ASSERT_STRING_EQUAL(body(),
	    "a=q|a=1|a=|f[x.txt;application/octet-stream]=data|f[;image/png]=|last ");
	request("POST /buffered", "", "a=1");
	CU_ASSERT_STRING_EQUAL(body(), "");
	stop();
}

static void
bad_forms_are_refused(void)
{
	start();
	request("POST /buffered", "Content-Type: multipart/form-data\r\n", "--XX--\r\n");
	CU_ASSERT(status_is(400) && has("without a proper boundary"));
	request("POST /buffered", TYPE, PART "a\r\n\r\n1\r\n--XX");
	CU_ASSERT(status_is(400) && has("malformed multipart form"));
	request("POST /buffered", TYPE, PART "a\r\n\r\n\xff\r\n--XX--");
	CU_ASSERT(status_is(400) && has("not UTF-8"));
	request("POST /streamed", TYPE, PART "a\r\n\r\n1\r\n--XX");
	CU_ASSERT(status_is(400) && has("ends too early"));
	request("POST /streamed", "Content-Type: text/plain\r\n", "x");
	CU_ASSERT(status_is(415));
	request("POST /streamed", TYPE, PART "\r\n\r\n");
	CU_ASSERT(status_is(400));
	stop();
}

/* A form of n parts, and one with a head of n bytes. */
static const char *
many_parts(unsigned n)
{
	static char text[8192];
	char *at = text;

	while (n-- > 0)
		at += sprintf(at, PART "a\r\n\r\n\r\n");
	strcpy(at, "--XX--\r\n");
	return text;
}

static void
post(const char *path, const char *form)
{
	static char text[32768];

	say(text, (size_t)snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: x\r\n"
	    "Connection: close\r\n" TYPE "Content-Length: %zu\r\n\r\n%s", path,
	    strlen(form), form));
}

static const char *
long_head(size_t n)
{
	static char text[16384];
	int head = snprintf(text, sizeof(text), PART "a\r\nX: ");
	size_t fill = n - ((size_t)head - strlen("--XX\r\n")) - 4;

	memset(text + head, 'x', fill);
	strcpy(text + (size_t)head + fill, "\r\n\r\n\r\n--XX--\r\n");
	return text;
}

static void
parts_and_their_heads_have_limits(void)
{
	start();
	post("/buffered", many_parts(100));
	CU_ASSERT(status_is(200));
	post("/buffered", many_parts(101));
	CU_ASSERT(status_is(400) && has("more than 100 parts"));
	post("/streamed", many_parts(100));
	CU_ASSERT(status_is(200));
	post("/streamed", many_parts(101));
	CU_ASSERT(status_is(400) && has("more than 100 parts"));
	post("/buffered", long_head(10240));
	CU_ASSERT(status_is(200));
	post("/buffered", long_head(10241));
	CU_ASSERT(status_is(400) && has("more than 10240 bytes"));
	stop();
}

static void
parts_come_one_after_another(void)
{
	start();
	request("POST /streamed", TYPE,
	    PART "a\r\n\r\n12345678\r\n" PART "f; filename=skipped\r\n\r\nxyz\r\n" PART
		 "f; filename=kept\r\n\r\ndata\r\n--XX--\r\n");
	CU_ASSERT_STRING_EQUAL(body(), "a=12345678|kept: 4|");
	request("POST /streamed", TYPE, PART "a\r\n\r\n123456789\r\n--XX--\r\n");
	CU_ASSERT(status_is(413));
	stop();
}

static void
files_are_written_whole_or_not_at_all(void)
{
	static char form[300000], text[200001];
	struct stat st;
	size_t i;

	for (i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 50 == 0 ? '\r' : 'x';
	snprintf(form, sizeof(form), "POST /streamed HTTP/1.1\r\nHost: x\r\n" TYPE
	    "Connection: close\r\nContent-Length: %zu\r\n\r\n" PART
	    "f; filename=f\r\n\r\n%s\r\n--XX--\r\n",
	    strlen(PART "f; filename=f\r\n\r\n\r\n--XX--\r\n") + sizeof(text) - 1, text);
	start();
	save_max = sizeof(text) - 1;
	say(form, strlen(form));
	CU_ASSERT(has("f: 200000|"));
	CU_ASSERT(stat(saved_path, &st) == 0 && st.st_size == 200000 &&
	    (st.st_mode & 0777) == 0600);
	say(form, strlen(form));
	CU_ASSERT(status_is(500) && stat(saved_path, &st) == 0);
	unlink(saved_path);
	save_max--;
	say(form, strlen(form));
	CU_ASSERT(status_is(413));
	stop(); /* the folder is empty again */
}

static const struct unit_test form_tests[] = {
	UNIT_TEST(fields_are_arguments_and_files_are_files),
	UNIT_TEST(bad_forms_are_refused),
	UNIT_TEST(parts_and_their_heads_have_limits),
	UNIT_TEST(parts_come_one_after_another),
	UNIT_TEST(files_are_written_whole_or_not_at_all),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "form", form_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
