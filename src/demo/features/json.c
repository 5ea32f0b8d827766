/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "features/features.h"

/* Malformed JSON, or a name twice in one object, has answered 400 already. */
static void
json_post(struct spout_request *req)
{
	json_t *numbers = json_object_get(spout_body_json(req), "numbers"), *number;
	double sum = 0;
	size_t i;

	if (!json_is_array(numbers))
		spout_fail(req, 400, "numbers: is not an array");
	json_array_foreach (numbers, i, number) {
		if (!json_is_number(number))
			spout_fail(req, 400, "numbers[%zu]: is not a number", i);
		sum += json_number_value(number);
	}
	spout_json_pack(req, "{s:i, s:f}", "count", (int)i, "sum", sum);
}

const struct spout_route features_json[] = {
	SPOUT_POST("/json", json_post, .max_body_bytes = 65536),
	SPOUT_END,
};
