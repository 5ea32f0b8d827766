/* SPDX-License-Identifier: MIT */
/* Calls of functions by templates, and what those see of them: see spout/template.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "template/render.h"

static bool
check_arguments(struct spout__vm *vm, const struct spout_template_call *call)
{
	size_t i, first = call->function->fn == spout__template_default ? 1 : 0;

	for (i = first; i < call->n + 2 * call->n_named; i++)
		if (call->args[i].kind == SPOUT__UNDEFINED)
			return spout__vm_fail(vm, "no value named \"%.*s\"",
			    call->args[i].text.len > 100 ? 100
							 : (int)call->args[i].text.len,
			    call->args[i].text.data);
	return true;
}

static const char *
external_name(const struct spout__vm *vm, uint32_t external)
{
	const struct spout__program_external *all =
	    (const void *)spout__program_words(vm->p, vm->p->externals);

	return spout__program_string(vm->p, all[external].string).data;
}

bool
spout__vm_call(struct spout__vm *vm, uint32_t external, uint32_t n, uint32_t n_named)
{
	struct spout__value *args = vm->top - n - 2 * n_named;
	struct spout_template_call call = { .vm = vm,
		.args = args,
		.named = args + n,
		.n = n,
		.n_named = n_named,
		.function = vm->template->functions[external],
		.result = { .kind = SPOUT__NONE } };
	int error;

	if (call.function == NULL)
		return spout__vm_fail(
		    vm, "there is no function \"%s\"", external_name(vm, external));
	if (!check_arguments(vm, &call))
		return false;
	error = call.function->fn(&call);
	if (error != 0 && vm->error == 0) {
		spout__vm_fail(vm, "%s(): %s", call.function->name, strerror(-error));
		vm->error = error;
	}
	vm->top = args;
	*vm->top++ = call.result;
	return vm->error == 0;
}

/* --- what a function sees --------------------------------------------------------- */

size_t
spout_template_arg_count(const struct spout_template_call *call)
{
	return call->n;
}

static json_t *
as_json(struct spout_template_call *call, const struct spout__value *v)
{
	json_t *json;

	if (v->kind == SPOUT__JSON)
		return v->json;
	json = spout__value_json(v);
	return spout__vm_keep(call->vm, json) ? json : NULL;
}

struct json_t *
spout_template_arg(struct spout_template_call *call, size_t i)
{
	return i < call->n ? as_json(call, &call->args[i]) : NULL;
}

struct json_t *
spout_template_arg_named(struct spout_template_call *call, const char *name)
{
	for (size_t i = 0; i < call->n_named; i++)
		if (spout_slice_equal(call->named[2 * i].text, name))
			return as_json(call, &call->named[2 * i + 1]);
	return NULL;
}

struct spout_slice
spout_template_arg_text(struct spout_template_call *call, size_t i)
{
	char small[SPOUT__REAL_MAX], *copy;
	struct spout_slice text = { "", 0 };

	if (i >= call->n || !spout__value_as_text(&call->args[i], small, &text) ||
	    text.data != small)
		return text;
	copy = spout__arena_alloc(&call->vm->arena, text.len + 1);
	if (copy == NULL)
		return spout_slice("");
	memcpy(copy, small, text.len);
	return spout_slice_of(copy, text.len);
}

void *
spout_template_data(const struct spout_template_call *call)
{
	return call->function->data;
}

void *
spout_template_subject(const struct spout_template_call *call)
{
	return call->vm->subject;
}

const char *
spout_template_where(struct spout_template_call *call)
{
	char *to = spout__arena_alloc(&call->vm->arena, 256);

	if (to == NULL)
		return "";
	spout__vm_where(call->vm, to, 256);
	return to;
}

/* --- results ---------------------------------------------------------------------- */

static int
return_copy(
    struct spout_template_call *call, enum spout__kind kind, const char *text, size_t len)
{
	char *copy = spout__arena_alloc(&call->vm->arena, len + 1);

	if (copy == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(copy, text, len);
	call->result = spout__value_text(copy, len);
	call->result.kind = kind;
	return 0;
}

int
spout_template_return_text(struct spout_template_call *call, const char *text, size_t len)
{
	return return_copy(call, SPOUT__TEXT, text, len);
}

int
spout_template_return_html(struct spout_template_call *call, const char *html, size_t len)
{
	return return_copy(call, SPOUT__HTML, html, len);
}

int
spout_template_return_json(struct spout_template_call *call, struct json_t *value)
{
	if (!spout__vm_keep(call->vm, value))
		return -ENOMEM;
	call->result = spout__value_of(value);
	return 0;
}

int
spout_template_fail(struct spout_template_call *call, const char *fmt, ...)
{
	char text[SPOUT_TEMPLATE_WHY_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spout__vm_fail(call->vm, "%s", text);
	return -EINVAL;
}
