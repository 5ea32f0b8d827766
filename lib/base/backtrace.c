/* SPDX-License-Identifier: MIT */
/* Where are we: see backtrace.h. */
#include "config.h"

#include "base/backtrace.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#endif

/* --- without libdw ------------------------------------------------------------------ */

static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Return addresses: the call is before them. */
static void
name_frame(struct spout__frame *frame, void *address)
{
	Dl_info info;

	memset(frame, 0, sizeof(*frame));
	if (dladdr(address, &info) == 0)
		snprintf(frame->function, sizeof(frame->function), "%p", address);
	else if (info.dli_sname != NULL)
		snprintf(frame->function, sizeof(frame->function), "%.*s",
		    (int)sizeof(frame->function) - 1, info.dli_sname);
	else
		snprintf(frame->function, sizeof(frame->function), "%.60s+0x%llx",
		    last_part(info.dli_fname),
		    (unsigned long long)((char *)address - (char *)info.dli_fbase));
}

/* --- with libdw --------------------------------------------------------------------- */

#ifdef HAVE_LIBDW

/* Not linked: a program that serves shall not load it. */
static struct {
	__typeof__(&dwfl_begin) begin;
	__typeof__(&dwfl_end) end;
	__typeof__(&dwfl_linux_proc_report) proc_report;
	__typeof__(&dwfl_report_end) report_end;
	__typeof__(&dwfl_linux_proc_find_elf) find_elf;
	__typeof__(&dwfl_addrmodule) addrmodule;
	__typeof__(&dwfl_module_addrname) addrname;
	__typeof__(&dwfl_module_nextcu) nextcu;
	__typeof__(&dwarf_haspc) haspc;
	__typeof__(&dwarf_getsrc_die) getsrc_die;
	__typeof__(&dwarf_linesrc) linesrc;
	__typeof__(&dwarf_attr) attr;
	__typeof__(&dwarf_formstring) formstring;
	__typeof__(&dwarf_lineno) lineno;
} dw;

static bool
load(void)
{
	static const struct {
		const char *name;
		void *into;
	} symbols[] = {
		{ "dwfl_begin", &dw.begin },
		{ "dwfl_end", &dw.end },
		{ "dwfl_linux_proc_report", &dw.proc_report },
		{ "dwfl_report_end", &dw.report_end },
		{ "dwfl_linux_proc_find_elf", &dw.find_elf },
		{ "dwfl_addrmodule", &dw.addrmodule },
		{ "dwfl_module_addrname", &dw.addrname },
		{ "dwfl_module_nextcu", &dw.nextcu },
		{ "dwarf_haspc", &dw.haspc },
		{ "dwarf_getsrc_die", &dw.getsrc_die },
		{ "dwarf_linesrc", &dw.linesrc },
		{ "dwarf_attr", &dw.attr },
		{ "dwarf_formstring", &dw.formstring },
		{ "dwarf_lineno", &dw.lineno },
	};
	void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = library != NULL ? dlsym(library, symbols[i].name) : NULL;

		if (symbol == NULL)
			return false;
		memcpy(symbols[i].into, &symbol, sizeof(symbol));
	}
	return true;
}

/* Only what is in the program itself: no search elsewhere, nor in the network. */
static int
find_no_debuginfo(Dwfl_Module *module, void **data, const char *name,
    Dwarf_Addr base, const char *file, const char *link, GElf_Word crc, char **ret_file)
{
	(void)module;
	(void)data;
	(void)name;
	(void)base;
	(void)file;
	(void)link;
	(void)crc;
	(void)ret_file;
	return -1;
}

/* The path from the root; nothing if there is no room for it. */
static void
name_file(Dwarf_Die *unit, const char *name, char file[SPOUT__FRAME_FILE_SIZE])
{
	Dwarf_Attribute attribute;
	const char *folder = NULL;
	int n;

	if (name[0] != '/')
		folder = dw.formstring(dw.attr(unit, DW_AT_comp_dir, &attribute));
	n = snprintf(file, SPOUT__FRAME_FILE_SIZE, "%s%s%s",
	    folder != NULL ? folder : "", folder != NULL ? "/" : "", name);
	if (n < 0 || n >= SPOUT__FRAME_FILE_SIZE)
		file[0] = '\0';
}

/* The unit is looked for one by one: clang makes no index of them. */
static void
find_line(Dwfl_Module *module, uintptr_t address, struct spout__frame *frame)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = NULL;
	Dwarf_Line *line;
	const char *name;
	int number;

	do
		unit = dw.nextcu(module, unit, &bias);
	while (unit != NULL && dw.haspc(unit, address - bias) != 1);
	line = unit != NULL ? dw.getsrc_die(unit, address - bias) : NULL;
	name = line != NULL ? dw.linesrc(line, NULL, NULL) : NULL;
	if (name == NULL || dw.lineno(line, &number) != 0 || number <= 0)
		return;
	name_file(unit, name, frame->file);
	frame->line = frame->file[0] != '\0' ? (unsigned)number : 0;
}

static void
find_frame(Dwfl *dwfl, uintptr_t address, struct spout__frame *frame)
{
	Dwfl_Module *module = dw.addrmodule(dwfl, address);
	const char *name = module != NULL ? dw.addrname(module, address) : NULL;

	if (name != NULL)
		snprintf(frame->function, sizeof(frame->function), "%.*s",
		    (int)sizeof(frame->function) - 1, name);
	if (module != NULL)
		find_line(module, address, frame);
}

static void
find_frames(void *const *addresses, unsigned n, struct spout__frame *frames)
{
	const Dwfl_Callbacks callbacks = { .find_elf = dw.find_elf,
		.find_debuginfo = find_no_debuginfo };
	Dwfl *dwfl = dw.begin(&callbacks);
	unsigned i;

	if (dwfl == NULL)
		return;
	if (dw.proc_report(dwfl, getpid()) == 0 &&
	    dw.report_end(dwfl, NULL, NULL) == 0)
		for (i = 0; i < n; i++)
			find_frame(dwfl, (uintptr_t)addresses[i], &frames[i]);
	dw.end(dwfl);
}

#endif

/* --- both --------------------------------------------------------------------------- */

/*
 * Ours is what was compiled in the tree of this very file, whose name is that of the
 * first frame; or what is in our shared object.
 */
static void
find_library(void *const *addresses, unsigned n, struct spout__frame *frames)
{
	static const char here[] = "base/backtrace.c";
	size_t root = strlen(frames[0].file);
	Dl_info ours, info;
	bool shared;
	unsigned i;

	shared = dladdr(addresses[0], &ours) != 0 && ours.dli_fname != NULL &&
	    strstr(last_part(ours.dli_fname), "libspout") != NULL;
	root = root > strlen(here) ? root - strlen(here) : 0;
	if (root > 0 && strcmp(frames[0].file + root, here) != 0)
		root = 0;
	for (i = 0; i < n; i++) {
		bool in_tree = root > 0 && frames[i].line > 0 &&
		    strncmp(frames[i].file, frames[0].file, root) == 0;
		bool in_object = shared && dladdr(addresses[i], &info) != 0 &&
		    info.dli_fbase == ours.dli_fbase;

		frames[i].library = in_tree || in_object;
	}
}

/* The first one is of this file, and left out. Return addresses: the call is before. */
static unsigned
name_all(void **addresses, unsigned n, struct spout__frame *frames)
{
	for (unsigned i = 0; i < n; i++) {
		addresses[i] = (char *)addresses[i] - 1;
		name_frame(&frames[i], addresses[i]);
	}
#ifdef HAVE_LIBDW
	if (dw.lineno != NULL || load())
		find_frames(addresses, n, frames);
#endif
	find_library(addresses, n, frames);
	memmove(frames, frames + 1, (n - 1) * sizeof(*frames));
	return n - 1;
}

/* Not inlined: its own frame is one of them, behind those of a sanitizer. */
unsigned __attribute__((noinline))
spout__backtrace(struct spout__frame frames[SPOUT__FRAMES_MAX])
{
	void *all[SPOUT__FRAMES_MAX], **addresses = all;
	int n = backtrace(all, SPOUT__FRAMES_MAX);

	while (n > 1 && addresses[1] != __builtin_return_address(0)) {
		addresses++;
		n--;
	}
	return n > 1 ? name_all(addresses, (unsigned)n, frames) : 0;
}

unsigned
spout__frames_name(
    void *const *addresses, unsigned n, struct spout__frame frames[SPOUT__FRAMES_MAX])
{
	void *all[SPOUT__FRAMES_MAX] = { (char *)(uintptr_t)spout__frames_name + 1 };

	if (n > SPOUT__FRAMES_MAX - 1)
		n = SPOUT__FRAMES_MAX - 1;
	memcpy(all + 1, addresses, n * sizeof(all[0]));
	return name_all(all, n + 1, frames);
}
