/* SPDX-License-Identifier: Apache-2.0 */
/*
 * styrmin.yaml: found, decoded by schemas/configuration.json, and turned into what the stages take. Relative paths in
 * it are relative to its folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli_internal.h"

enum { LARGEST = 1 << 20 };

static const char *find(struct sty_arena *arena, const char *given)
{
    const char *home = getenv("HOME"), *environment = getenv("STYRMIN_CONFIG");
    if (given || (environment && *environment))
        return given ? given : environment;
    const char *candidates[] = {"./styrmin.yaml",
                                home ? sty_arena_printf(arena, "%s/.config/styrmin/styrmin.yaml", home) : NULL,
                                "/etc/styrmin/styrmin.yaml"};
    for (size_t i = 0; i < STY_COUNT(candidates); i++)
        if (candidates[i] && access(candidates[i], R_OK) == 0)
            return candidates[i];
    return NULL;
}

/* Absolute, relative to the folder the configuration stands in. NULL stays NULL. */
static const char *located(struct sty_arena *arena, const char *folder, const char *path)
{
    if (!path || path[0] == '/')
        return path;
    while (sty_starts_with(path, "./"))
        path += 2;
    return sty_streq(path, ".") ? folder : sty_arena_printf(arena, "%s/%s", folder, path);
}

static const char *folder_of(struct sty_arena *arena, const char *file, struct sty_error *err)
{
    char *full = realpath(file, NULL);
    if (!full) {
        sty_error_set(err, STY_USAGE, "%s: %m", file);
        return NULL;
    }
    char *slash = strrchr(full, '/');
    const char *folder = slash == full ? "/" : sty_arena_strndup(arena, full, (size_t)(slash - full));
    free(full);
    return folder;
}

static int64_t milliseconds(const json_t *object, const char *key)
{
    int64_t ms = 0;
    struct sty_error ignored;
    const char *text = sty_json_text(object, key, NULL);
    return text && sty_duration_parse(&ms, text, &ignored) == 0 ? ms : 0;
}

static enum sty_verify_mode verify_mode(const char *text)
{
    return sty_streq(text, "every") ? STY_VERIFY_EVERY : sty_streq(text, "head") ? STY_VERIFY_HEAD : STY_VERIFY_NONE;
}

static void read_source(struct sty_configuration *out, struct sty_arena *arena, const char *folder)
{
    const json_t *source = json_object_get(out->value, "source"), *auth = json_object_get(source, "auth");
    const json_t *verify = json_object_get(source, "verify");
    const char *url = sty_json_text(source, "url", "");
    bool local = !strstr(url, "://") && !strchr(url, ':');
    out->source = (struct sty_source_config){
        .url = local ? located(arena, folder, url) : url,
        .branch = sty_json_text(source, "branch", "main"),
        .path = sty_json_text(source, "path", "."),
        .name = sty_json_text(out->value, "name", ""),
        .username = sty_json_text(auth, "username", NULL),
        .password_file = located(arena, folder, sty_json_text(auth, "password_file", NULL)),
        .ssh_key_file = located(arena, folder, sty_json_text(auth, "ssh_key_file", NULL)),
        .known_hosts_file = located(arena, folder, sty_json_text(auth, "known_hosts_file", NULL)),
        .ca_file = located(arena, folder, sty_json_text(source, "ca_file", NULL)),
        .proxy = sty_json_text(source, "proxy", NULL),
        .connect_timeout_ms = milliseconds(source, "connect_timeout"),
        .stall_timeout_ms = milliseconds(source, "stall_timeout"),
        .total_timeout_ms = milliseconds(source, "total_timeout"),
        .accept_rewind = sty_streq(sty_json_text(source, "rewind", "refuse"), "accept"),
        .verify = verify_mode(sty_json_text(verify, "mode", "none")),
        .signers_file = located(arena, folder, sty_json_text(verify, "signers_file", NULL)),
        .keyring_file = located(arena, folder, sty_json_text(verify, "keyring_file", NULL)),
    };
}

static void read_allow(struct sty_configuration *out, struct sty_arena *arena, const char *folder)
{
    const json_t *allow = json_object_get(json_object_get(out->value, "host"), "allow");
    size_t count = json_array_size(allow);
    const char **roots = sty_arena_alloc(arena, (count + 1) * sizeof *roots);
    for (size_t i = 0; i < count; i++)
        roots[i] = located(arena, folder, json_string_value(json_array_get(allow, i)));
    out->allow = roots;
}

/* Names of programs without a '/' are looked up in PATH and stay as they are. */
static void read_secrets(struct sty_configuration *out, struct sty_arena *arena, const char *folder)
{
    static const char *const lists[] = {"files", "commands"};
    json_t *secrets = json_deep_copy(json_object_get(out->value, "secrets"));
    for (size_t l = 0; l < STY_COUNT(lists); l++) {
        json_t *list = json_object_get(secrets, lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *path = json_string_value(json_array_get(list, i));
            if (l == 0 || strchr(path, '/'))
                json_array_set_new(list, i, json_string(located(arena, folder, path)));
        }
    }
    sty_json_own(arena, secrets);
    out->secrets = secrets;
}

static int decode(const json_t **value, struct sty_arena *arena, const char *file, struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    if (sty_file_read(&text, file, LARGEST, err) < 0)
        return err->code = STY_USAGE, sty_error_wrap(err, "configuration");
    struct sty_problems problems;
    struct sty_stream_document *documents = NULL;
    size_t count = 0;
    sty_problems_init(&problems, arena);
    struct sty_stream stream = {file, sty_arena_memdup(arena, text.data, text.length), text.length};
    sty_stream_decode(&documents, &count, &stream, "configuration", &problems);
    if (problems.errors) {
        sty_print_problems(&problems);
        return sty_error_set(err, STY_USAGE, "configuration %s has %zu mistake%s", file, problems.errors,
                             problems.errors == 1 ? "" : "s");
    }
    if (count != 1)
        return sty_error_set(err, STY_USAGE, "configuration %s: wanted one document, found %zu", file, count);
    *value = documents[0].decoded.value;
    return 0;
}

int sty_configuration_load(struct sty_configuration *out, struct sty_arena *arena, const char *file,
                           const char *state_dir, struct sty_error *err)
{
    struct sty_configuration found = {.file = find(arena, file)};
    if (!found.file)
        return sty_error_set(err, STY_USAGE,
                             "no configuration: name one with -c or $STYRMIN_CONFIG, or put it at ./styrmin.yaml,"
                             " ~/.config/styrmin/styrmin.yaml or /etc/styrmin/styrmin.yaml");
    const char *folder = folder_of(arena, found.file, err);
    if (!folder || decode(&found.value, arena, found.file, err) < 0)
        return -1;
    found.state_dir =
        state_dir ? state_dir : located(arena, folder, sty_json_text(found.value, "state_dir", "/var/lib/styrmin"));
    read_source(&found, arena, folder);
    read_allow(&found, arena, folder);
    read_secrets(&found, arena, folder);
    *out = found;
    return 0;
}
