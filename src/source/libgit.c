/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libgit: libgit2 made ours. The machine's git configuration is not read: an insteadOf, a proxy or a hook path in
 * somebody's home must not change what is deployed. Owner checks are off because nothing that git would run from a
 * repository's config is ever run here.
 */
#include "source/source_internal.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_BYTES ((ssize_t)32 << 20)
#define PACK_OBJECTS ((size_t)20000000)
#define OBJECT_BYTES ((size_t)1 << 30)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool starting;

/*
 * A libgit2 made with mbedTLS reads every certificate of the machine when it starts, which is half of what a sync
 * without news costs. All https here is libcurl's, so while it starts there are none; every other caller gets the real
 * function.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);
int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
    if (starting)
        return 0;
    int (*real)(void *, const char *) = dlsym(RTLD_NEXT, "mbedtls_x509_crt_parse_file");
    return real ? real(chain, path) : -1;
}

static void start(void)
{
    starting = true;
    if (git_libgit2_init() < 0)
        abort();
    starting = false;
    const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
                          GIT_CONFIG_LEVEL_GLOBAL};
    for (size_t i = 0; i < STY_COUNT(levels); i++)
        git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
    git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "");
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, CACHE_BYTES);
    git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, PACK_OBJECTS);
    git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, OBJECT_BYTES);
}

void sty_git_start(void)
{
    pthread_once(&once, start);
}

int sty_git_error(struct sty_error *err, enum sty_code code, const char *format, ...)
{
    const git_error *reason = git_error_last();
    if (reason && reason->klass == GIT_ERROR_NOMEMORY)
        abort();
    sty_auto(str) visible = STY_STR_INIT;
    const char *text = reason && reason->message ? reason->message : "git gives no reason";
    sty_str_append_visible(&visible, text, strlen(text), false);
    char where[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(where, sizeof(where), format, arguments);
    va_end(arguments);
    if (reason && reason->klass == GIT_ERROR_OS)
        code = STY_IO;
    return sty_error_set(err, code, "%s: %s", where, visible.data);
}

int sty_oid_parse(git_oid *out, const char *hex, struct sty_error *err)
{
    if (!hex || strspn(hex, "0123456789abcdef") != GIT_OID_HEXSZ || hex[GIT_OID_HEXSZ] || git_oid_fromstr(out, hex) < 0)
        return sty_error_set(err, STY_INVALID, "'%.64s' is no object id: 40 hex digits", hex ? hex : "");
    return 0;
}

void sty_oid_text(char out[STY_OID_SIZE], const git_oid *oid)
{
    git_oid_tostr(out, STY_OID_SIZE, oid);
}
