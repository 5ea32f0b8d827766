/* SPDX-License-Identifier: MIT */
/* Running a program: see program.h, render.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/render.h"

/* --- failures --------------------------------------------------------------------- */

static uint32_t
line_at(const struct spout__program *p, uint32_t pc)
{
	const struct spout__program_line *lines =
	    (const void *)spout__program_words(p, p->lines);
	uint32_t low = 0, high = p->n_lines;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (lines[middle].pc <= pc)
			low = middle;
		else
			high = middle;
	}
	return p->n_lines > 0 ? lines[low].line : 0;
}

void
spout__vm_where(const struct spout__vm *vm, char *to, size_t size)
{
	const struct spout__program *p = vm->p;
	uint32_t line = line_at(p, (uint32_t)(vm->at - vm->code - 1));
	uint32_t file = spout__program_words(p, p->files)[line >> 24];

	snprintf(to, size, "%s:%u", spout__program_string(p, file).data, line & 0xffffff);
}

bool
spout__vm_fail(struct spout__vm *vm, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	if (vm->error != 0)
		return false;
	vm->error = -EINVAL;
	spout__vm_where(vm, vm->why, SPOUT_TEMPLATE_WHY_SIZE - 3);
	n = strlen(vm->why);
	memcpy(vm->why + n, ": ", 3);
	n += 2;
	va_start(ap, fmt);
	vsnprintf(vm->why + n, SPOUT_TEMPLATE_WHY_SIZE - n, fmt, ap);
	va_end(ap);
	return false;
}

/* NULL is no failure. */
static bool
check(struct spout__vm *vm, const char *wrong)
{
	if (wrong == NULL)
		return true;
	spout__vm_fail(vm, "%s", wrong);
	if (wrong == spout__wrong_memory)
		vm->error = -ENOMEM;
	else if (wrong == spout__wrong_size)
		vm->error = -EMSGSIZE;
	return false;
}

static bool
must_be_defined(struct spout__vm *vm, const struct spout__value *v)
{
	return v->kind != SPOUT__UNDEFINED ||
	    spout__vm_fail(vm, "no value named \"%.*s\"",
		v->text.len > 100 ? 100 : (int)v->text.len, v->text.data);
}

/* --- names ------------------------------------------------------------------------ */

static struct spout_slice
external_name(const struct spout__vm *vm, uint32_t external)
{
	const struct spout__program_external *all =
	    (const void *)spout__program_words(vm->p, vm->p->externals);

	return spout__program_string(vm->p, all[external].string);
}

static bool
push_name(struct spout__vm *vm, uint32_t external, bool global)
{
	const struct spout_template_function *function =
	    vm->template->functions[external];
	struct spout_slice name = external_name(vm, external);

	*vm->top = spout__value_of(
	    global ? NULL : json_object_getn(vm->values, name.data, name.len));
	if (vm->top->kind == SPOUT__UNDEFINED && function != NULL && function->value)
		return spout__vm_call(vm, external, 0, 0);
	if (vm->top->kind == SPOUT__UNDEFINED)
		vm->top->text = name;
	vm->top++;
	return true;
}

static bool
push_variable(struct spout__vm *vm, uint32_t slot, uint32_t external)
{
	if (vm->slots[slot].kind == SPOUT__UNDEFINED)
		return push_name(vm, external & ~(1u << 31), external >> 31 != 0);
	*vm->top++ = vm->slots[slot];
	return true;
}

static bool
member(struct spout__vm *vm, uint32_t string)
{
	struct spout_slice name = spout__program_string(vm->p, string);
	struct spout__value *v = vm->top - 1;

	if (!must_be_defined(vm, v))
		return false;
	if (v->kind != SPOUT__JSON || !json_is_object(v->json))
		return spout__vm_fail(
		    vm, "%s has no member \"%s\"", spout__value_kind(v), name.data);
	*v = spout__value_of(json_object_getn(v->json, name.data, name.len));
	if (v->kind == SPOUT__UNDEFINED)
		v->text = name;
	return true;
}

/* --- operators -------------------------------------------------------------------- */

static bool
defined(struct spout__vm *vm, unsigned n)
{
	for (unsigned i = n; i > 0; i--)
		if (!must_be_defined(vm, vm->top - i))
			return false;
	return true;
}

static bool
binary(struct spout__vm *vm, enum spout__op op)
{
	struct spout__value result;

	if (!defined(vm, 2) ||
	    !check(vm,
		spout__value_binary(op, &vm->arena, vm->top - 2, vm->top - 1, &result)))
		return false;
	vm->top--;
	vm->top[-1] = result;
	return true;
}

static bool
index_or_slice(struct spout__vm *vm, unsigned n)
{
	struct spout__value result, *v = vm->top - n;
	const char *wrong;

	if (!defined(vm, n))
		return false;
	wrong = n == 2 ? spout__value_index(v, v + 1, &result)
		       : spout__value_slice(&vm->arena, v, v + 1, v + 2, &result);
	vm->top -= n - 1;
	if (wrong == NULL)
		vm->top[-1] = result;
	return check(vm, wrong);
}

static bool
unary(struct spout__vm *vm, enum spout__op op)
{
	struct spout__value *v = vm->top - 1, result;

	if (op == SPOUT__OP_DEFINED) {
		*v = spout__value_bool(v->kind != SPOUT__UNDEFINED);
		return true;
	}
	if (!defined(vm, 1))
		return false;
	if (op == SPOUT__OP_NOT) {
		*v = spout__value_bool(!spout__value_true(v));
		return true;
	}
	if (!check(vm, spout__value_negate(v, &result)))
		return false;
	*v = result;
	return true;
}

static bool
make_list(struct spout__vm *vm, uint32_t n)
{
	struct spout__value list = { .kind = SPOUT__LIST, .list = { NULL, n } };

	if (!defined(vm, n))
		return false;
	if (n > 0) {
		list.list.items = spout__arena_alloc(&vm->arena, n * sizeof(list));
		if (list.list.items == NULL)
			return check(vm, spout__wrong_memory);
		memcpy(list.list.items, vm->top - n, n * sizeof(list));
	}
	vm->top -= n;
	*vm->top++ = list;
	return true;
}

/* --- loops ------------------------------------------------------------------------ */

static bool
loop_begins(struct spout__vm *vm, struct spout__loop *loop)
{
	vm->top--;
	*loop = (struct spout__loop){ .over = *vm->top };
	if (!must_be_defined(vm, &loop->over))
		return false;
	if (spout__value_is_text(&loop->over) ||
	    !spout__value_length(&loop->over, &loop->n))
		return spout__vm_fail(
		    vm, "no loop goes over %s", spout__value_kind(&loop->over));
	if (loop->over.kind == SPOUT__JSON && json_is_object(loop->over.json))
		loop->iter = json_object_iter(loop->over.json);
	return true;
}

/* "for a, b in": the two of an item. */
static bool
unpack(struct spout__vm *vm, const struct spout__value *item)
{
	size_t n = 0;

	if (spout__value_is_text(item) ||
	    (item->kind == SPOUT__JSON && json_is_object(item->json)) ||
	    !spout__value_length(item, &n) || n != 2)
		return spout__vm_fail(vm, "two names for an item that is no list of two");
	*vm->top++ = spout__value_item(item, 0);
	*vm->top++ = spout__value_item(item, 1);
	return true;
}

static bool
loop_next(struct spout__vm *vm, struct spout__loop *loop, unsigned n)
{
	struct spout__value item;

	if (loop->over.kind == SPOUT__JSON && json_is_object(loop->over.json)) {
		const char *key = json_object_iter_key(loop->iter);

		*vm->top++ = spout__value_text(key, strlen(key));
		if (n == 2)
			*vm->top++ = spout__value_of(json_object_iter_value(loop->iter));
		loop->iter = json_object_iter_next(loop->over.json, loop->iter);
		loop->i++;
		return true;
	}
	item = spout__value_item(&loop->over, loop->i++);
	if (n == 2)
		return unpack(vm, &item);
	*vm->top++ = item;
	return true;
}

static struct spout__value
loop_info(const struct spout__loop *loop, uint32_t what)
{
	switch (what) {
	case SPOUT__LOOP_INDEX:
		return spout__value_int((int64_t)loop->i);
	case SPOUT__LOOP_INDEX0:
		return spout__value_int((int64_t)loop->i - 1);
	case SPOUT__LOOP_FIRST:
		return spout__value_bool(loop->i == 1);
	case SPOUT__LOOP_LAST:
		return spout__value_bool(loop->i == loop->n);
	default:
		return spout__value_int((int64_t)loop->n);
	}
}

/* --- output ----------------------------------------------------------------------- */

static bool
print(struct spout__vm *vm, enum spout__escape escape)
{
	vm->top--;
	return must_be_defined(vm, vm->top) &&
	    check(vm, spout__value_print(vm->out, vm->top, escape));
}

static bool
print_literal(struct spout__vm *vm, uint32_t len, uint32_t offset)
{
	const char *texts = (const char *)spout__program_words(vm->p, vm->p->texts);
	int error = spout__buffer_append(vm->out, texts + offset, len);

	return error == 0 ||
	    check(vm, error == -ENOMEM ? spout__wrong_memory : spout__wrong_size);
}

/* What was printed since, as a text; taken out of the output. */
static bool
captured(struct spout__vm *vm)
{
	size_t from = *--vm->captures, len = vm->out->len - from;
	char *text = spout__arena_alloc(&vm->arena, len + 1);

	if (text == NULL)
		return check(vm, spout__wrong_memory);
	if (len > 0)
		memcpy(text, spout__buffer_at(vm->out) + from, len);
	vm->out->len = from;
	*vm->top++ = spout__value_text(text, len);
	return true;
}

/* --- the machine ------------------------------------------------------------------ */

static void
push_number(struct spout__vm *vm, enum spout__op op)
{
	uint64_t bits = vm->at[0] | (uint64_t)vm->at[1] << 32;

	vm->at += 2;
	*vm->top = spout__value_int((int64_t)bits);
	if (op == SPOUT__OP_REAL) {
		vm->top->kind = SPOUT__REAL;
		memcpy(&vm->top->real, &bits, sizeof(bits));
	}
	vm->top++;
}

/* Jumps by the word that follows, or goes on behind it. */
static void
jump(struct spout__vm *vm, bool yes)
{
	int32_t distance = (int32_t)*vm->at++;

	if (yes)
		vm->at += distance;
}

static bool
jump_if(struct spout__vm *vm, enum spout__op op)
{
	bool yes;

	if (!defined(vm, 1))
		return false;
	yes = spout__value_true(vm->top - 1);
	if (op == SPOUT__OP_IF_NOT) {
		vm->top--;
		jump(vm, !yes);
		return true;
	}
	if (yes != (op == SPOUT__OP_OR))
		vm->top--;
	jump(vm, yes == (op == SPOUT__OP_OR));
	return true;
}

static bool
loop_step(struct spout__vm *vm, uint32_t a)
{
	struct spout__loop *loop = &vm->loops[a & 0xffff];
	bool over = loop->i == loop->n;

	jump(vm, over);
	return over || loop_next(vm, loop, a >> 16);
}

/* One instruction but END. */
static bool
step(struct spout__vm *vm, enum spout__op op, uint32_t a)
{
	struct spout_slice text;
	uint32_t word;

	switch (op) {
	case SPOUT__OP_TEXT:
		return print_literal(vm, a, *vm->at++);
	case SPOUT__OP_PRINT:
		return print(vm, a);
	case SPOUT__OP_NONE:
		*vm->top++ = (struct spout__value){ .kind = SPOUT__NONE };
		return true;
	case SPOUT__OP_BOOL:
		*vm->top++ = spout__value_bool(a != 0);
		return true;
	case SPOUT__OP_INT:
	case SPOUT__OP_REAL:
		push_number(vm, op);
		return true;
	case SPOUT__OP_STRING:
		text = spout__program_string(vm->p, a);
		*vm->top++ = spout__value_text(text.data, text.len);
		return true;
	case SPOUT__OP_NAME:
	case SPOUT__OP_GLOBAL:
		return push_name(vm, a, op == SPOUT__OP_GLOBAL);
	case SPOUT__OP_VARIABLE:
		return push_variable(vm, a, *vm->at++);
	case SPOUT__OP_STORE:
		vm->slots[a] = *--vm->top;
		return must_be_defined(vm, vm->top);
	case SPOUT__OP_FORGET:
		vm->slots[a].kind = SPOUT__UNDEFINED;
		return true;
	case SPOUT__OP_MEMBER:
		return member(vm, a);
	case SPOUT__OP_INDEX:
	case SPOUT__OP_SLICE:
		return index_or_slice(vm, op == SPOUT__OP_INDEX ? 2 : 3);
	case SPOUT__OP_LIST:
		return make_list(vm, a);
	case SPOUT__OP_NEGATE:
	case SPOUT__OP_NOT:
	case SPOUT__OP_DEFINED:
		return unary(vm, op);
	case SPOUT__OP_JUMP:
		jump(vm, true);
		return true;
	case SPOUT__OP_IF_NOT:
	case SPOUT__OP_AND:
	case SPOUT__OP_OR:
		return jump_if(vm, op);
	case SPOUT__OP_LOOP:
		return loop_begins(vm, &vm->loops[a]);
	case SPOUT__OP_NEXT:
		return loop_step(vm, a);
	case SPOUT__OP_LOOP_INFO:
		*vm->top++ = loop_info(&vm->loops[a & 0xffff], a >> 16);
		return true;
	case SPOUT__OP_CALL:
		word = *vm->at++;
		return spout__vm_call(vm, a, word & 0xffff, word >> 16);
	case SPOUT__OP_CAPTURE:
		*vm->captures++ = vm->out->len;
		return true;
	case SPOUT__OP_CAPTURED:
		return captured(vm);
	default:
		return binary(vm, op);
	}
}

static bool
run(struct spout__vm *vm)
{
	uint64_t left = vm->template->limits->max_steps;

	for (;;) {
		uint32_t word = *vm->at++;
		enum spout__op op = word & 0xff;

		if (op == SPOUT__OP_END)
			return true;
		if (left-- == 0) {
			spout__vm_fail(vm, "more than %llu steps",
			    (unsigned long long)vm->template->limits->max_steps);
			vm->error = -EMSGSIZE;
			return false;
		}
		if (!step(vm, op, word >> 8))
			return false;
	}
}

/* One piece of memory for all that the program counted. */
static bool
make_room(struct spout__vm *vm)
{
	const struct spout__program *p = vm->p;
	size_t values = (p->max_stack + 1 + p->n_slots) * sizeof(struct spout__value);
	size_t loops = p->n_loops * sizeof(struct spout__loop);
	char *room = spout__arena_alloc(
	    &vm->arena, values + loops + p->max_captures * sizeof(*vm->captures));

	if (room == NULL)
		return false;
	vm->slots = (void *)room;
	vm->top = vm->slots + p->n_slots;
	vm->loops = (void *)(room + values);
	vm->captures = (void *)(room + values + loops);
	for (uint32_t i = 0; i < p->n_slots; i++)
		vm->slots[i].kind = SPOUT__UNDEFINED;
	return true;
}

bool
spout__vm_keep(struct spout__vm *vm, json_t *json)
{
	struct spout__kept *kept =
	    json != NULL ? spout__arena_alloc(&vm->arena, sizeof(*kept)) : NULL;

	if (kept == NULL) {
		json_decref(json);
		return check(vm, spout__wrong_memory);
	}
	*kept = (struct spout__kept){ vm->kept, json };
	vm->kept = kept;
	return true;
}

void
spout__vm_open(struct spout__vm *vm, const struct spout_template *template,
    json_t *values, void *subject, struct spout__buffer *out, char *why)
{
	const struct spout__program *p = template->program;

	/* Counted although it is const for others. */
	*vm = (struct spout__vm){ .template = (struct spout_template *)template,
		.p = p,
		.values = values,
		.subject = subject,
		.out = out,
		.why = why,
		.code = spout__program_words(p, p->code) };
	vm->at = vm->code;
	vm->template->users++;
	spout__arena_init(&vm->arena, template->limits->max_memory_bytes);
}

int
spout__vm_run(struct spout__vm *vm)
{
	if (!make_room(vm)) {
		vm->at++;
		check(vm, spout__wrong_memory);
	} else {
		run(vm);
	}
	return vm->error;
}

void
spout__vm_close(struct spout__vm *vm)
{
	for (; vm->kept != NULL; vm->kept = vm->kept->next)
		json_decref(vm->kept->json);
	spout__arena_release(&vm->arena);
	if (--vm->template->users == 0 && vm->template->forgotten)
		spout__template_drop(vm->template);
}

void
spout__template_drop(struct spout_template *template)
{
	if (template == NULL)
		return;
	template->forgotten = true;
	if (template->users > 0)
		return;
	free(template->owned);
	free(template);
}

char *
spout_template_render(const struct spout_template *template, struct json_t *values,
    void *subject, size_t *ret_len, char why[SPOUT_TEMPLATE_WHY_SIZE])
{
	struct spout__buffer out;
	struct spout__vm vm;
	char *text = NULL;
	int error;

	spout__buffer_init(&out, template->limits->max_output_bytes);
	spout__vm_open(&vm, template, values, subject, &out, why);
	error = spout__vm_run(&vm);
	spout__vm_close(&vm);
	if (error == 0) {
		text = malloc(out.len + 1);
		if (text == NULL) {
			error = -ENOMEM;
			snprintf(why, SPOUT_TEMPLATE_WHY_SIZE, "%s", spout__wrong_memory);
		} else {
			if (out.len > 0)
				memcpy(text, out.data, out.len);
			text[out.len] = '\0';
			*ret_len = out.len;
		}
	}
	spout__buffer_release(&out);
	errno = -error;
	return text;
}
