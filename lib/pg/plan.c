/* SPDX-License-Identifier: MIT */
/*
 * Statements that were seen before: what they are and how long they take. Loop thread.
 *
 * A table of SPOUT__PG_PLANS places, the statement that was not used for longest makes
 * room. Each connection notes by place which statement it has prepared there (its hash,
 * which also makes its name), so that a place that changed hands is noticed when the
 * connection meets it, and only then costs a DEALLOCATE.
 */
#include "config.h"

#include "pg/driver.h"

#include <stdio.h>
#include <stdlib.h>

/* Longer texts are not remembered: they are written by machines, each for one use. */
#define MAX_SQL_BYTES 16384u

void
spout__pg_plans_init(struct spout__pg_plans *plans, uint64_t fast_us)
{
	memset(plans, 0, sizeof(*plans));
	plans->fast_us = fast_us;
	spout__list_init(&plans->used);
}

void
spout__pg_plans_release(struct spout__pg_plans *plans)
{
	struct spout__list *node;

	while ((node = spout__list_pop(&plans->used)) != NULL)
		free(spout__container_of(node, struct spout__pg_plan, link));
}

/* FNV-1a; odd, see spout__pg_conn.prepared. */
static uint64_t
hash_of(const char *sql, size_t *ret_len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const char *at;

	for (at = sql; *at != '\0'; at++)
		hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
	*ret_len = (size_t)(at - sql);
	return (hash ^ hash >> 32) | 1;
}

static struct spout__pg_plan **
bucket(struct spout__pg_plans *plans, uint64_t hash)
{
	return &plans->buckets[(hash >> 1) % SPOUT__PG_PLANS];
}

static void
forget(struct spout__pg_plans *plans, struct spout__pg_plan *plan)
{
	struct spout__pg_plan **at = bucket(plans, plan->hash);

	while (*at != plan)
		at = &(*at)->next;
	*at = plan->next;
	spout__list_remove(&plan->link);
	free(plan);
}

void
spout__pg_plan_name(uint64_t hash, char ret_name[SPOUT__PG_NAME])
{
	snprintf(
	    ret_name, SPOUT__PG_NAME, "spout_%016llx", (unsigned long long)(hash | 1));
}

/* A place in the table, or -1 when all are in use at this moment. */
static int
free_place(struct spout__pg_plans *plans)
{
	struct spout__list *it;
	int place;

	if (plans->n < SPOUT__PG_PLANS)
		return (int)plans->n++;
	for (it = plans->used.prev; it != &plans->used; it = it->prev) {
		struct spout__pg_plan *plan =
		    spout__container_of(it, struct spout__pg_plan, link);

		if (plan->queries > 0)
			continue;
		place = (int)plan->place;
		forget(plans, plan);
		return place;
	}
	return -1;
}

static struct spout__pg_plan *
plan_new(struct spout__pg_plans *plans, const char *sql, size_t len, uint64_t hash)
{
	struct spout__pg_plan *plan = malloc(sizeof(*plan) + len + 1);
	int place = plan != NULL ? free_place(plans) : -1;

	if (place < 0) {
		free(plan);
		return NULL;
	}
	*plan = (struct spout__pg_plan){ .hash = hash, .place = (unsigned)place };
	spout__pg_plan_name(hash, plan->name);
	memcpy(plan->sql, sql, len + 1);
	plan->class = spout__pg_classify(sql);
	plan->next = *bucket(plans, hash);
	*bucket(plans, hash) = plan;
	spout__list_push_front(&plans->used, &plan->link);
	return plan;
}

struct spout__pg_plan *
spout__pg_plan_of(struct spout__pg_plans *plans, const char *sql)
{
	struct spout__pg_plan *plan;
	size_t len;
	uint64_t hash = hash_of(sql, &len);

	for (plan = *bucket(plans, hash); plan != NULL; plan = plan->next) {
		if (plan->hash != hash)
			continue;
		/* Two texts of one hash would have one name on the server. */
		if (strcmp(plan->sql, sql) != 0)
			return NULL;
		spout__list_remove(&plan->link);
		spout__list_push_front(&plans->used, &plan->link);
		return plan;
	}
	return len > MAX_SQL_BYTES ? NULL : plan_new(plans, sql, len, hash);
}

/*
 * A mean that fades. One long run may be the fault of a busy machine: it counts for no
 * more than four that are too long by a hair. But what took long once more, alone, after
 * it was in the way of others, does take long.
 */
void
spout__pg_plan_took(
    struct spout__pg_plans *plans, struct spout__pg_plan *plan, uint64_t us, bool suspect)
{
	uint64_t most = suspect ? UINT64_MAX : 4 * plans->fast_us;

	if (plan->runs == 0 || (suspect && us > plan->cost_us))
		plan->cost_us = us;
	else
		plan->cost_us =
		    plan->cost_us - plan->cost_us / 8 + (us < most ? us : most) / 8;
	if (plan->runs < UINT32_MAX)
		plan->runs++;
}

bool
spout__pg_plan_fast(
    const struct spout__pg_plans *plans, const struct spout__pg_plan *plan)
{
	return plan->class == SPOUT__PG_SHARED && plan->runs >= 2 &&
	    plan->cost_us <= plans->fast_us;
}
