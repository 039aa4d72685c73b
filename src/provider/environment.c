/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program that Styrmin starts is given: a clean environment and an argv. Nothing of our own environment goes
 * through, so that a run does not depend on who started Styrmin, and no token of ours leaks.
 */
#include "provider/provider_internal.h"
#include <stdlib.h>
#include <string.h>
#include "base/process.h"

static void wipe(void *text)
{
    explicit_bzero(text, strlen(text));
}

static bool name_valid(const char *name)
{
    return *name && !strchr(name, '=');
}

static int fill_entry(char **out, struct sty_arena *arena, const struct sty_host *host, const char *name,
                      const json_t *text, struct sty_error *err)
{
    sty_auto(filled) value = STY_FILLED_INIT;
    if (!name_valid(name))
        return sty_error_set(err, STY_INVALID, "'%s' is no name of a variable", name);
    if (sty_text_fill(&value.bytes, host, text, err) < 0)
        return sty_error_wrap(err, "variable %s", name);
    value.length = strlen(value.bytes);
    *out = sty_arena_alloc(arena, strlen(name) + value.length + 2);
    memcpy(mempcpy(mempcpy(*out, name, strlen(name)), "=", 1), value.bytes, value.length);
    sty_arena_own(arena, *out, wipe);
    return 0;
}

/* Not our own HOME: cron, a shell and sudo have different ones. */
static const char *home_of(struct sty_arena *arena, const char *user)
{
    struct sty_user found;
    struct sty_error ignored;
    return sty_user_find(&found, user, &ignored) < 0 ? "/" : sty_arena_strdup(arena, found.home);
}

json_t *sty_environment_of(struct sty_arena *arena, const json_t *env, const char *user)
{
    json_t *out = env ? json_copy((json_t *)env) : json_object();
    if (user && !json_object_get(out, "HOME"))
        json_object_set_new(out, "HOME", sty_json_string(home_of(arena, user)));
    return out;
}

int sty_environment_make(char ***out, struct sty_arena *arena, const struct sty_host *host, const json_t *env,
                         struct sty_error *err)
{
    const struct {
        const char *name, *value;
    } given[] = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                 {"HOME", home_of(arena, NULL)},
                 {"LANG", "C.UTF-8"}};
    size_t count = 0;
    const char **names = sty_json_keys(arena, env);
    char **made = sty_arena_alloc(arena, (STY_COUNT(given) + json_object_size(env) + 1) * sizeof(*made));
    for (size_t i = 0; i < STY_COUNT(given); i++)
        if (!json_object_get(env, given[i].name))
            made[count++] = sty_arena_printf(arena, "%s=%s", given[i].name, given[i].value);
    for (; *names; names++)
        if (fill_entry(&made[count++], arena, host, *names, json_object_get(env, *names), err) < 0)
            return -1;
    *out = made;
    return 0;
}

/* Of the driver: "./x" anywhere, and a first word with a slash that is no absolute path. */
static bool of_driver(const char *word, bool first)
{
    return sty_starts_with(word, "./") || (first && word[0] != '/' && strchr(word, '/'));
}

int sty_argv_make(char ***out, struct sty_arena *arena, const struct sty_provider_call *call, const json_t *argv,
                  struct sty_error *err)
{
    const char *folder = NULL;
    char **words = sty_json_argv(arena, argv);
    if (!words[0] || !words[0][0])
        return sty_error_set(err, STY_INVALID, "a command has no words");
    for (size_t i = 0; words[i]; i++) {
        if (!of_driver(words[i], i == 0))
            continue;
        if (!folder && call->host->driver_files(call->host->self, &folder, call->driver_files, err) < 0)
            return sty_error_wrap(err, "files of the driver");
        words[i] = sty_arena_printf(arena, "%s/%s", folder, words[i] + (sty_starts_with(words[i], "./") ? 2 : 0));
    }
    *out = words;
    return 0;
}
