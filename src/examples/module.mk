# SPDX-License-Identifier: MIT
noinst_PROGRAMS += src/examples/blog/blog src/examples/chat/chat src/examples/fetch_all \
	src/examples/file_upload src/examples/hello src/examples/login \
	src/examples/tcp_echo src/examples/users \
	src/examples/webspider src/examples/whoami
src_examples_blog_blog_SOURCES = %D%/blog/blog.c
src_examples_blog_blog_CPPFLAGS = $(AM_CPPFLAGS) \
	-DBLOG_FOLDER='"$(abs_top_srcdir)/%D%/blog"'
src_examples_blog_blog_LDADD = lib/libspout.la $(JANSSON_LIBS)
EXTRA_DIST += %D%/blog/migrations %D%/blog/static %D%/blog/templates
src_examples_chat_chat_SOURCES = %D%/chat/chat.c %D%/chat/room.c %D%/chat/room.h
src_examples_chat_chat_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/src \
	-DCHAT_FOLDER='"$(abs_top_srcdir)/%D%/chat"'
src_examples_chat_chat_LDADD = lib/libspout.la $(JANSSON_LIBS)
EXTRA_DIST += %D%/chat/templates
src_examples_fetch_all_SOURCES = %D%/fetch_all.c
src_examples_fetch_all_LDADD = lib/libspout.la
src_examples_file_upload_SOURCES = %D%/file_upload.c
src_examples_file_upload_LDADD = lib/libspout.la
src_examples_hello_SOURCES = %D%/hello.c
src_examples_hello_LDADD = lib/libspout.la
src_examples_login_SOURCES = %D%/login.c
src_examples_login_CPPFLAGS = $(AM_CPPFLAGS) -DEXAMPLES_FOLDER='"$(abs_top_srcdir)/%D%"'
src_examples_login_LDADD = lib/libspout.la
EXTRA_DIST += %D%/login/page.html
src_examples_tcp_echo_SOURCES = %D%/tcp_echo.c
src_examples_tcp_echo_LDADD = lib/libspout.la
src_examples_users_SOURCES = %D%/users.c
src_examples_users_LDADD = lib/libspout.la
src_examples_webspider_SOURCES = %D%/links.c %D%/links.h %D%/webspider.c
src_examples_webspider_LDADD = lib/libspout.la
src_examples_whoami_SOURCES = %D%/whoami.c
src_examples_whoami_LDADD = lib/libspout.la
if HAVE_CUNIT
check_PROGRAMS += src/examples/test_hello
src_examples_test_hello_SOURCES = %D%/test_hello.c
src_examples_test_hello_LDADD = lib/libspout-testing.la lib/libspout.la $(CUNIT_LIBS)
endif
