/* SPDX-License-Identifier: MIT */
/* C as HTML: comments, strings, keywords and the names of the library in colours. */
#include "config.h"

#include "demo.h"

#include <ctype.h>
#include <stdio.h>

static const char *const keywords[] = { "bool", "break", "case", "char", "const",
	"continue", "default", "do", "double", "else", "enum", "extern", "false", "for",
	"if", "int", "int64_t", "json_int_t", "json_t", "long", "NULL", "return",
	"sizeof", "size_t", "static", "struct", "switch", "true", "uint64_t", "unsigned",
	"void", "while" };

/* How far a token goes that begins here, and what it is; class NULL: nothing special. */
struct token {
	size_t len;
	const char *class;
};

static size_t
quoted_length(const char *text)
{
	size_t n = 1;

	while (text[n] != '\0' && text[n] != text[0])
		n += text[n] == '\\' && text[n + 1] != '\0' ? 2 : 1;
	return n + (text[n] != '\0');
}

static size_t
comment_length(const char *text)
{
	const char *end = strstr(text + 2, "*/");

	return end != NULL ? (size_t)(end + 2 - text) : strlen(text);
}

static size_t
word_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n;
}

static const char *
word_class(const char *word, size_t len)
{
	if (isdigit((unsigned char)word[0]))
		return "n";
	if (len > 6 && strncasecmp(word, "spout_", 6) == 0)
		return "f";
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strlen(keywords[i]) == len && memcmp(keywords[i], word, len) == 0)
			return "k";
	return NULL;
}

static struct token
token_at(const char *text, bool line_begins)
{
	size_t len = word_length(text);

	if (text[0] == '/' && text[1] == '*')
		return (struct token){ comment_length(text), "c" };
	if (text[0] == '"' || text[0] == '\'')
		return (struct token){ quoted_length(text), "s" };
	if (text[0] == '#' && line_begins)
		return (struct token){ strcspn(text, "\n"), "p" };
	if (len > 0)
		return (struct token){ len, word_class(text, len) };
	return (struct token){ 1, NULL };
}

static char *
put_escaped(char *to, const char *text, size_t len)
{
	for (; len > 0; text++, len--) {
		switch (*text) {
		case '&':
			to = stpcpy(to, "&amp;");
			break;
		case '<':
			to = stpcpy(to, "&lt;");
			break;
		case '>':
			to = stpcpy(to, "&gt;");
			break;
		default:
			*to++ = *text;
		}
	}
	return to;
}

const char *
highlight(const char *text)
{
	static const char open[] = "<i class=\"c\">", close[] = "</i>";
	/* A token of one character needs the most room. */
	char *html = spout_alloc(strlen(text) * (sizeof(open) + sizeof(close) + 5) + 1);
	char *to = html;
	bool line_begins = true;

	while (*text != '\0') {
		struct token token = token_at(text, line_begins);

		if (token.class != NULL)
			to += sprintf(to, "<i class=\"%s\">", token.class);
		to = put_escaped(to, text, token.len);
		if (token.class != NULL)
			to = stpcpy(to, close);
		line_begins = text[token.len - 1] == '\n';
		text += token.len;
	}
	*to = '\0';
	return html;
}
