/* SPDX-License-Identifier: MIT */
/* Files of this folder, put into the program as they are by the assembler. */
#ifndef DEMO_EMBED_H
#define DEMO_EMBED_H

/* DEMO_EMBED(page_html, "page.html"): a char array of that name, with a NUL behind it. */
#define DEMO_EMBED(symbol, file) \
	__asm__(".section .rodata\n" \
		"demo_" #symbol ":\n" \
		".incbin \"" DEMO_FOLDER "/" file "\"\n" \
		".byte 0\n" \
		".previous\n"); \
	extern const char symbol[] __asm__("demo_" #symbol)

#endif
