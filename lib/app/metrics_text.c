/* SPDX-License-Identifier: MIT */
/* Labels and histograms of /metrics: see metrics_text.h. */
#include "config.h"

#include "app/metrics_text.h"

#include <inttypes.h>

#define US_PER_SECOND 1e6

int
spout__metrics_head(
    struct spout__buffer *to, const char *name, const char *help, const char *type)
{
	return spout__buffer_printf(
	    to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

const char *
spout__label_text(const char *name, char text[SPOUT__LABEL_SIZE])
{
	char *to = text;

	for (; *name != '\0'; name++) {
		if (*name == '\\' || *name == '"' || *name == '\n')
			*to++ = '\\';
		*to++ = *name == '\n' ? 'n' : *name;
	}
	*to = '\0';
	return text;
}

void
spout__sums_add(struct spout__sums *sums, const struct spout__cells *cells)
{
	sums->sum += spout__figure(&cells->sum);
	for (unsigned b = 0; b < SPOUT__HISTOGRAM_BUCKETS; b++)
		sums->buckets[b] += spout__figure(&cells->buckets[b]);
}

int
spout__sums_write(struct spout__buffer *to, const char *name, const char *label,
    const struct spout__sums *sums)
{
	size_t len = strlen(label);
	uint64_t count = 0;
	int error = 0;

	for (unsigned b = 0; b + 1 < SPOUT__HISTOGRAM_BUCKETS && error == 0; b++) {
		count += sums->buckets[b];
		error = spout__buffer_printf(to,
		    "%s_bucket{%sle=\"%.6f\"} %" PRIu64 "\n", name, label,
		    (double)((uint64_t)1 << b) / US_PER_SECOND, count);
	}
	count += sums->buckets[SPOUT__HISTOGRAM_BUCKETS - 1];
	if (error == 0)
		error = spout__buffer_printf(to,
		    "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, label, count);
	/* Without the comma, and without braces around nothing. */
	if (error == 0)
		error = spout__buffer_printf(to,
		    "%s_sum%s%.*s%s %.6f\n%s_count%s%.*s%s %" PRIu64 "\n", name,
		    len ? "{" : "", (int)(len ? len - 1 : 0), label, len ? "}" : "",
		    (double)sums->sum / US_PER_SECOND, name, len ? "{" : "",
		    (int)(len ? len - 1 : 0), label, len ? "}" : "", count);
	return error;
}
