/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git, spawned: the clone and the identity are the person's own, so their git with their configuration does it. What
 * happens in DIR is not to depend on a repository that a hook or a shell put into the environment.
 */
#include "base/process.h"
#include "cli/setup.h"

#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, KEPT = 1 << 20, MOST_ARGUMENTS = 24 };

/* Our environment without what points git at another repository. Strings are borrowed. */
static const char **environment(void)
{
    static const char *const misleading[] = {
        "GIT_DIR=",       "GIT_WORK_TREE=", "GIT_INDEX_FILE=", "GIT_COMMON_DIR=", "GIT_OBJECT_DIRECTORY=",
        "GIT_NAMESPACE=", "GIT_PREFIX="};
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    const char **out = sty_calloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        bool wanted = true;
        for (size_t m = 0; m < STY_COUNT(misleading); m++)
            wanted = wanted && !sty_starts_with(environ[i], misleading[m]);
        if (wanted)
            out[kept++] = environ[i];
    }
    return out;
}

static int run(struct sty_process_result *result, const char *directory, const char *const *arguments,
               struct sty_error *err)
{
    const char *argv[MOST_ARGUMENTS] = {"git"};
    sty_auto_free const char **clean = environment();
    size_t count = 1;
    for (; arguments[count - 1]; count++) {
        if (count + 1 >= MOST_ARGUMENTS)
            return sty_error_set(err, STY_INTERNAL, "too many arguments for git");
        argv[count] = arguments[count - 1];
    }
    const struct sty_process_spec spec = {
        .argv = argv, .environment = clean, .directory = directory, .output_limit = KEPT, .timeout_ms = PATIENCE_MS};
    return sty_process_run(result, &spec, err) < 0 ? sty_error_wrap(err, "git %s", arguments[0]) : 0;
}

static void keep_output(struct sty_str *output, const struct sty_process_result *result)
{
    size_t length = result->output.length;
    if (length && result->output.data[length - 1] == '\n')
        length--;
    if (output)
        sty_str_append_bytes(output, result->output.data, length);
}

int sty_git_run(struct sty_str *output, const char *directory, const char *const *arguments, struct sty_error *err)
{
    sty_auto(process_result) result = {.output = STY_STR_INIT, .error = STY_STR_INIT};
    if (run(&result, directory, arguments, err) < 0)
        return -1;
    keep_output(output, &result);
    return result.status;
}

int sty_git_must(struct sty_str *output, const char *directory, const char *const *arguments, struct sty_error *err)
{
    sty_auto(process_result) result = {.output = STY_STR_INIT, .error = STY_STR_INIT};
    if (run(&result, directory, arguments, err) < 0)
        return -1;
    if (result.status != 0) {
        result.error.data[strcspn(result.error.data, "\n")] = '\0';
        return sty_error_set(err, STY_FAILED, "git %s in %s: %s", arguments[0], directory,
                             *result.error.data ? result.error.data : "it failed without a word");
    }
    keep_output(output, &result);
    return 0;
}

/* ---- notes in `git log` ---- */

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, line, length) == 0 && (at[length] == '\n' || !at[length]))
            return true;
    return false;
}

static int add_value(json_t *changes, const char *directory, const char *key, const char *value, struct sty_error *err)
{
    sty_auto(str) there = STY_STR_INIT;
    const char *const look[] = {"config", "--local", "--get-all", key, NULL};
    const char *const add[] = {"config", "--local", "--add", key, value, NULL};
    if (sty_git_run(&there, directory, look, err) < 0)
        return -1;
    bool missing = !has_line(there.data, value);
    if (missing && sty_git_must(NULL, directory, add, err) < 0)
        return -1;
    json_array_append_new(changes, json_pack("{s:s, s:s, s:b}", "key", key, "value", value, "added", missing));
    return 0;
}

/* "origin", or else the only one; "" where none stands out. */
static int find_remote(struct sty_str *out, const char *directory, struct sty_error *err)
{
    sty_auto(str) remotes = STY_STR_INIT;
    const char *const list[] = {"remote", NULL};
    if (sty_git_must(&remotes, directory, list, err) < 0)
        return -1;
    if (has_line(remotes.data, "origin"))
        sty_str_append(out, "origin");
    else if (!strchr(remotes.data, '\n'))
        sty_str_append(out, remotes.data);
    return 0;
}

int sty_git_show_notes(json_t **changes, const char *directory, const char *name, struct sty_error *err)
{
    json_auto_t *made = json_array();
    sty_auto(str) remote = STY_STR_INIT;
    sty_auto_free char *shown = sty_sprintf("refs/notes/styrmin/%s", name ? name : "*");
    if (find_remote(&remote, directory, err) < 0 || add_value(made, directory, "notes.displayRef", shown, err) < 0)
        return -1;
    sty_auto_free char *key = sty_sprintf("remote.%s.fetch", remote.data);
    if (remote.length && add_value(made, directory, key, "+refs/notes/styrmin/*:refs/notes/styrmin/*", err) < 0)
        return -1;
    *changes = sty_take(made);
    return 0;
}
