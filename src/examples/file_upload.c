/* SPDX-License-Identifier: MIT */
/*
 * Uploads of files, in both ways: small forms in memory, large files straight to disk.
 *
 *     file_upload --listen 127.0.0.1:8888 --folder /var/tmp
 *     curl -F files=@README.md -F files=@LICENSE http://127.0.0.1:8888/memory
 *     curl -F files=@debian.iso http://127.0.0.1:8888/disk
 *
 * Both answer with a line for each file: SHA-256, size, name; browsers get a page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <spout/spout.h>

#define MEMORY_BYTES (16u << 20) /* of a whole form that is kept in memory */

static const char *folder;
static uint64_t max_file_bytes;

#define CHOOSE_FILES \
	"<input type=\"file\" name=\"files\" multiple required aria-label=\"Files\"> " \
	"<button>Send</button></form>\n"

static const char page_head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Uploads</title>\n"
    "<link rel=\"icon\" href=\"data:,\"><style>\n"
    ":root{color-scheme:light dark;--page:#eef3f6;--card:#fff;--ink:#10202e;"
    "--soft:#55697a;--line:#d5dfe7;--accent:#0e7490;--on-accent:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#0b141b;--card:#121f29;"
    "--ink:#e5eef5;--soft:#93a7b7;--line:#2a3b49;--accent:#22b8cf;"
    "--on-accent:#04222b}}\n"
    "body{margin:0 auto;max-width:44rem;padding:3.5rem 1.2rem;background:var(--page);"
    "color:var(--ink);font:16px/1.5 system-ui,\"DejaVu Sans\",sans-serif}\n"
    "h1{margin:0 0 1.4rem;font-size:2rem;letter-spacing:-.02em}\n"
    "h2{margin:0;font-size:1.2rem}p{margin:.2rem 0 1.1rem;color:var(--soft)}\n"
    "form,section{background:var(--card);border:1px solid var(--line);"
    "border-radius:14px;padding:1.3rem 1.5rem;margin:0 0 1.2rem;"
    "box-shadow:0 6px 24px #0b253a0f;overflow:auto}\n"
    "input{font:inherit;font-size:.92rem;max-width:100%}"
    "input::file-selector-button{font:inherit;padding:.4rem .9rem;margin-right:.8rem;"
    "color:inherit;background:var(--page);border:1px solid var(--line);"
    "border-radius:8px}\n"
    "button{font:inherit;font-weight:600;padding:.45rem 1.3rem;border:0;"
    "border-radius:8px;color:var(--on-accent);background:var(--accent);cursor:pointer}"
    "\n:focus-visible{outline:3px solid #22b8cf80;outline-offset:1px}\n"
    "dt{font-weight:600;overflow-wrap:anywhere}dd{margin:0 0 1rem;color:var(--soft);"
    "font-size:.92rem}code{font-size:.82rem;overflow-wrap:anywhere}"
    "a{color:var(--accent)}</style>\n<h1>Uploads</h1>\n";

static const char page_forms[] =
    "<form action=\"/memory\" method=\"post\" enctype=\"multipart/form-data\">"
    "<h2>In memory</h2><p>The handler starts when the form is there: 16 MiB at most.</p>"
    CHOOSE_FILES
    "<form action=\"/disk\" method=\"post\" enctype=\"multipart/form-data\">"
    "<h2>To disk</h2><p>The handler writes as it comes: as large as you like.</p>"
    CHOOSE_FILES;

static void
show_page(struct spout_request *req)
{
	spout_write_text(req, page_head);
	spout_write_text(req, page_forms);
}

/* --- the answer: a page for browsers, lines for programs --------------------------- */

static bool
is_browser(struct spout_request *req)
{
	const char *accept = spout_header(req, "Accept");

	return accept != NULL && strstr(accept, "text/html") != NULL;
}

static void
begin(struct spout_request *req)
{
	spout_set_header(req, "X-Content-Type-Options", "nosniff");
	if (!is_browser(req)) {
		spout_set_header(req, "Content-Type", "text/plain; charset=UTF-8");
		return;
	}
	spout_write_text(req, page_head);
	spout_write_text(req, "<section><h2>What has come</h2><dl>\n");
}

static void
report(struct spout_request *req, const char *hex, uint64_t size, const char *name)
{
	if (is_browser(req))
		spout_printf(req,
		    "<dt>%s</dt><dd>%" PRIu64 " bytes<br><code>%s</code></dd>\n",
		    spout_html_escape(name), size, hex);
	else
		spout_printf(req, "%s %10" PRIu64 "  %s\n", hex, size, name);
}

static void
end(struct spout_request *req)
{
	if (is_browser(req))
		spout_write_text(req, "</dl><a href=\"/\">More files</a></section>\n");
}

/* --- the digest: work for another thread ------------------------------------------ */

struct digest {
	const char *path; /* of a file, or NULL: these bytes */
	struct spout_slice bytes;
	char hex[2 * SPOUT_SHA256_SIZE + 1];
};

static int
add_file(struct spout_sha256 *sha256, const char *path)
{
	char piece[65536];
	FILE *file = fopen(path, "rbe");
	int r = file != NULL ? 0 : -errno;
	size_t n;

	while (r == 0 && (n = fread(piece, 1, sizeof(piece), file)) > 0)
		r = spout_sha256_update(sha256, piece, n);
	if (r == 0 && ferror(file))
		r = -EIO;
	if (file != NULL)
		fclose(file);
	return r;
}

static int
digest(void *arg)
{
	struct digest *digest = arg;
	struct spout_sha256 *sha256 = spout_sha256_new();
	unsigned char sum[SPOUT_SHA256_SIZE];
	int r;

	if (sha256 == NULL)
		return -ENOMEM;
	r = digest->path != NULL
	    ? add_file(sha256, digest->path)
	    : spout_sha256_update(sha256, digest->bytes.data, digest->bytes.len);
	if (r == 0)
		r = spout_sha256_final(sha256, sum);
	if (r == 0)
		spout_hex(sum, sizeof(sum), digest->hex);
	spout_sha256_free(sha256);
	return r;
}

/* --- the two ways ----------------------------------------------------------------- */

static void
in_memory(struct spout_request *req)
{
	const struct spout_file *const *file = spout_files(req, "files");

	if (*file == NULL)
		spout_fail(req, 400, "there is no file in the field \"files\"");
	begin(req);
	for (; *file != NULL; file++) {
		struct digest job = { .bytes = { (*file)->data, (*file)->len } };

		spout_run_on(SPOUT_POOL_CPU, digest, &job);
		report(req, job.hex, (*file)->len, (*file)->filename);
	}
	end(req);
}

/* The client names the file for people; on disk it has a name of ours. */
static char *
new_path(void)
{
	unsigned char random[8];
	char name[2 * sizeof(random) + 1];

	spout_random(random, sizeof(random));
	spout_hex(random, sizeof(random), name);
	return spout_sprintf("%s/upload-%s", folder, name);
}

struct saved {
	const char *path;
	const bool *whole; /* the form that it came with */
};

/* Half a form counts as none: however the handler ends, its files do not stay. */
static void
forget(void *arg)
{
	struct saved *saved = arg;

	if (!*saved->whole)
		unlink(saved->path);
}

static void
to_disk(struct spout_request *req)
{
	struct spout_multipart *form = spout_multipart_open(req);
	bool *whole = spout_zalloc(1, sizeof(*whole));
	const struct spout_part *part;

	begin(req);
	while ((part = spout_multipart_next(form)) != NULL) {
		struct saved *saved = spout_alloc(sizeof(*saved));
		struct digest job = { 0 };
		const char *name;
		uint64_t size;

		if (part->filename == NULL || part->filename[0] == '\0')
			continue; /* another field, or no file was chosen */
		name = spout_strdup(part->filename);
		job.path = new_path();
		size = spout_multipart_save(form, job.path, max_file_bytes);
		*saved = (struct saved){ job.path, whole };
		spout_defer(forget, saved);
		spout_run(digest, &job);
		report(req, job.hex, size, name);
	}
	*whole = true;
	end(req);
}

static const struct spout_option options[] = {
	{ .name = "folder",
	    .type = SPOUT_OPTION_TEXT,
	    .into = &folder,
	    .otherwise = "/tmp",
	    .value_name = "DIR",
	    .help = "Where /disk keeps the files.",
	    .group = "Uploads" },
	{ .name = "max-file-size",
	    .type = SPOUT_OPTION_SIZE,
	    .into = &max_file_bytes,
	    .otherwise = "8g",
	    .value_name = "SIZE",
	    .help = "Largest file that /disk takes." },
	SPOUT_OPTIONS_END,
};

static const struct spout_route routes[] = {
	SPOUT_GET("/", show_page),
	SPOUT_POST("/memory", in_memory, .max_body_bytes = MEMORY_BYTES),
	SPOUT_POST("/disk", to_disk, .stream_body = true, .max_body_bytes = UINT64_MAX,
	    .timeout_ms = 3600000),
	SPOUT_END,
};

int
main(int argc, char **argv)
{
	return spout_main(argc, argv,
	    &(struct spout_app){ .name = "file_upload",
		.description = "Takes uploads of files.",
		.routes = routes,
		.options = options });
}
