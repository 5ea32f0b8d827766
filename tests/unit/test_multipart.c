/* SPDX-License-Identifier: MIT */
/* The cutting of multipart bodies: any body in any pieces, every way to be malformed. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "web/multipart.h"

static const char type[] = "multipart/form-data; boundary=XX";

/* What came of a body: "name[filename;type]=data|…", or the error. */
struct outcome {
	int error;
	bool ended;
	size_t len;
	char text[4096];
};

static void
note(struct outcome *out, struct spout_slice data)
{
	memcpy(out->text + out->len, data.data, data.len);
	out->len += data.len;
	out->text[out->len] = '\0';
}

static void
note_part(struct outcome *out, struct spout__multipart *mp)
{
	struct spout__part part;

	out->error = spout__multipart_part(mp, &part);
	if (out->error != 0)
		return;
	note(out, part.name);
	if (part.filename.data != NULL) {
		note(out, spout_slice("["));
		note(out, part.filename);
		if (part.content_type.data != NULL) {
			note(out, spout_slice(";"));
			note(out, part.content_type);
		}
		note(out, spout_slice("]"));
	}
	note(out, spout_slice("="));
}

static void
feed(struct outcome *out, struct spout__multipart *mp, struct spout_slice input)
{
	struct spout_slice data;

	while (out->error == 0 && !out->ended) {
		switch (out->error = spout__multipart_next(mp, &input, &data)) {
		case SPOUT__MULTIPART_MORE:
			CU_ASSERT_EQUAL(input.len, 0);
			return;
		case SPOUT__MULTIPART_PART:
			note_part(out, mp);
			break;
		case SPOUT__MULTIPART_DATA:
			CU_ASSERT(data.len > 0);
			note(out, data);
			out->error = 0;
			break;
		case SPOUT__MULTIPART_PART_END:
			note(out, spout_slice("|"));
			out->error = 0;
			break;
		case SPOUT__MULTIPART_END:
			out->ended = true;
			out->error = 0;
			break;
		default:
			return;
		}
	}
}

/* The body in pieces of `step` bytes. */
static struct outcome
cut(const char *body, size_t len, size_t step, size_t head_max)
{
	struct outcome out = { .error = 0 };
	struct spout__multipart mp;
	char head[1024];
	size_t at;

	out.error = spout__multipart_init(&mp, spout_slice(type), head, head_max);
	for (at = 0; at < len && out.error == 0; at += step)
		feed(&out, &mp,
		    spout_slice_of(body + at, len - at < step ? len - at : step));
	return out;
}

/* The same whatever the pieces are; "" if the body does not end. */
static const char *
parts(const char *body)
{
	static struct outcome whole;
	size_t len = strlen(body), step;

	whole = cut(body, len, len, 1024);
	for (step = 1; step < len; step++) {
		struct outcome pieces = cut(body, len, step, 1024);

		CU_ASSERT_EQUAL(pieces.error, whole.error);
		CU_ASSERT_EQUAL(pieces.ended, whole.ended);
		if (whole.error == 0)
			CU_ASSERT_STRING_EQUAL(pieces.text, whole.text);
	}
	if (whole.error != 0)
		return whole.error == -EBADMSG ? "bad" : "other";
	return whole.ended ? whole.text : "";
}

#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define END "\r\n--XX--\r\n"

static void
fields_and_files_are_cut(void)
{
	CU_ASSERT_STRING_EQUAL(parts("--XX\r\n" FIELD("a") "1" END), "a=1|");
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\n" FIELD("a") "1\r\n--XX\r\n" FIELD("b") "2" END), "a=1|b=2|");
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\nContent-Type: image/png\r\ncontent-disposition: Form-Data; "
		  "name=f; filename=\"x.png\"\r\n\r\ndata" END),
	    "f[x.png;image/png]=data|");
	CU_ASSERT_STRING_EQUAL(parts("--XX--\r\n"), "");
	CU_ASSERT_TRUE(cut("--XX--", 6, 6, 1024).ended);
	CU_ASSERT_STRING_EQUAL(parts("\r\n\r\n--XX\r\n" FIELD("a") "1" END), "a=1|");
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\n" FIELD("a") "1" END "what follows is ignored"), "a=1|");
}

static void
data_may_look_like_a_boundary(void)
{
	CU_ASSERT_STRING_EQUAL(parts("--XX\r\n" FIELD("a") END), "a=|");
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\n" FIELD("a") "--XX--\r\n-\r\r\n--X\r\n--\r\r" END),
	    "a=--XX--\r\n-\r\r\n--X\r\n--\r\r|");
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\n" FIELD("a") "\r\n\r\n--XY\n--XX" END),
	    "a=\r\n\r\n--XY\n--XX|");
}

static void
names_are_unescaped_and_without_folders(void)
{
#define FILE(name) \
	"--XX\r\nContent-Disposition: form-data; name=f; filename=\"" name \
	"\"\r\n\r\n" END
	CU_ASSERT_STRING_EQUAL(parts(FILE("a\\\"b")), "f[a\"b]=|");
	CU_ASSERT_STRING_EQUAL(parts(FILE("C:\\\\temp\\\\x.txt")), "f[x.txt]=|");
	CU_ASSERT_STRING_EQUAL(parts(FILE("C:\\temp\\x.txt")), "f[x.txt]=|");
	CU_ASSERT_STRING_EQUAL(parts(FILE("../../etc/passwd")), "f[passwd]=|");
	CU_ASSERT_STRING_EQUAL(parts(FILE("a;b=c")), "f[a;b=c]=|");
	CU_ASSERT_STRING_EQUAL(parts(FILE("")), "f[]=|");
}

static void
malformed_bodies_are_refused(void)
{
	static const char *const bodies[] = {
		"preamble\r\n--XX\r\n" FIELD("a") END,
		"\r\n\n--XX\r\n" FIELD("a") END,
		"--XXX\r\n" FIELD("a") END,
		"--XX \r\n" FIELD("a") END,
		"--XX\n" FIELD("a") END,
		"--XX\r\n" FIELD("a") "1\r\n--XX-\r\n",
		"--XX\r\n" FIELD("a") "1\r\n--XXY",
		"--XX\r\n\r\n\r\n" END,
		"--XX\r\nContent-Type: text/plain\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data\r\n\r\n" END,
		"--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name=\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name=a b\r\n\r\n" END,
		"--XX\r\nContent-Disposition : form-data; name=a\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n" END,
		"--XX\r\nContent-Disposition: form-data; name=\"a\nb\"\r\n\r\n" END,
		"--XX\r\nno colon\r\n" FIELD("a") END,
		"--XX\r\n: no name\r\n" FIELD("a") END,
		"--XX\r\nContent-Disposition: form-data; name=a\r\n" FIELD("a") END,
		"--XX\r\nContent-Transfer-Encoding: base64\r\n" FIELD("a") END,
		"--XX\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n" FIELD("a") END,
	};
	size_t i;

	for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		CU_ASSERT_STRING_EQUAL(parts(bodies[i]), "bad");
		if (strcmp(parts(bodies[i]), "bad") != 0)
			fprintf(stderr, "taken: %s\n", bodies[i]);
	}
	CU_ASSERT_STRING_EQUAL(
	    parts("--XX\r\nContent-Transfer-Encoding: 8bit\r\n" FIELD("a") END), "a=|");
}

static void
bodies_that_stop_early_do_not_end(void)
{
	static const char body[] = "--XX\r\n" FIELD("a") "1\r\n--XX--";
	size_t len;

	for (len = 0; len < sizeof(body) - 1; len++) {
		struct outcome out = cut(body, len, len + 1, 1024);

		CU_ASSERT_EQUAL(out.error, 0);
		CU_ASSERT_FALSE(out.ended);
	}
	CU_ASSERT_TRUE(cut(body, len, len, 1024).ended);
}

static void
heads_of_parts_have_a_limit(void)
{
	static const char body[] = "--XX\r\n" FIELD("a") "1" END;
	size_t head = sizeof(FIELD("a")) - 1;

	CU_ASSERT_EQUAL(cut(body, sizeof(body) - 1, 7, head).error, 0);
	CU_ASSERT_EQUAL(cut(body, sizeof(body) - 1, 7, head - 1).error, -EMSGSIZE);
}

static int
begin_with(const char *content_type)
{
	struct spout__multipart mp;
	char head[16];

	return spout__multipart_init(&mp,
	    content_type != NULL ? spout_slice(content_type) : (struct spout_slice){ 0 },
	    head, sizeof(head));
}

static void
boundaries_are_taken_by_the_letter(void)
{
	char longest[128];

	CU_ASSERT_EQUAL(begin_with("multipart/form-data; boundary=a"), 0);
	CU_ASSERT_EQUAL(
	    begin_with("Multipart/Form-Data;charset=x ; BOUNDARY=\"a'?\""), 0);
	CU_ASSERT_EQUAL(begin_with(NULL), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data"), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/mixed; boundary=a"), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data2; boundary=a"), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data; boundary="), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data; boundary=\"\""), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data; boundary=\"a b\""), -EBADMSG);
	CU_ASSERT_EQUAL(begin_with("multipart/form-data; boundary=\"a"), -EBADMSG);
	CU_ASSERT_EQUAL(
	    begin_with("multipart/form-data; boundary=a; boundary=b"), -EBADMSG);
	snprintf(longest, sizeof(longest), "multipart/form-data; boundary=%070d", 1);
	CU_ASSERT_EQUAL(begin_with(longest), 0);
	snprintf(longest, sizeof(longest), "multipart/form-data; boundary=%071d", 1);
	CU_ASSERT_EQUAL(begin_with(longest), -EBADMSG);
}

static const struct unit_test multipart_tests[] = {
	UNIT_TEST(fields_and_files_are_cut),
	UNIT_TEST(data_may_look_like_a_boundary),
	UNIT_TEST(names_are_unescaped_and_without_folders),
	UNIT_TEST(malformed_bodies_are_refused),
	UNIT_TEST(bodies_that_stop_early_do_not_end),
	UNIT_TEST(heads_of_parts_have_a_limit),
	UNIT_TEST(boundaries_are_taken_by_the_letter),
	UNIT_END,
};

int
main(int argc, char **argv)
{
	static const struct unit_suite suites[] = {
		{ "multipart", multipart_tests },
		{ NULL, NULL },
	};

	return unit_run(argc, argv, suites);
}
