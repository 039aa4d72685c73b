/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets, read at the moment of use and only where the local configuration allows it: a reference comes from git, and
 * git may not choose which of this machine's files, variables and programs to look into. One line feed at the end is
 * not part of a secret: editors and `echo` put it there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/file.h"
#include "base/process.h"
#include "run/run_internal.h"

#define SECRET_LIMIT (1 << 20)
#define COMMAND_MS 30000

/* The allowed folder above `path`, and what is left of the path below it. */
static const char *folder_of(const char **rest, const json_t *folders, const char *path)
{
    size_t i;
    json_t *entry;
    json_array_foreach (folders, i, entry) {
        const char *folder = json_string_value(entry);
        size_t length = folder ? strlen(folder) : 0;
        while (length > 1 && folder[length - 1] == '/')
            length--;
        if (length < 2 || strncmp(path, folder, length) != 0 || path[length] != '/')
            continue;
        *rest = path + length + 1;
        return folder;
    }
    return NULL;
}

static int deny(const char *what, const char *name, const char *key, struct sty_error *err)
{
    return sty_error_set(err, STY_DENIED,
                         "secret %s '%s' is not allowed here; the configuration's secrets.%s says what is", what, name,
                         key);
}

static int file_allowed(const char **folder, const char **rest, struct sty_str *path, const json_t *allowed,
                        const char *name, struct sty_error *err)
{
    if (sty_path_normalise(path, name, err) < 0)
        return sty_error_wrap(err, "from_file");
    *folder = folder_of(rest, json_object_get(allowed, "files"), path->data);
    return *folder ? 0 : deny("file", name, "files", err);
}

int sty_secret_allowed(const json_t *allowed, const json_t *reference, struct sty_error *err)
{
    const char *file = sty_json_text(reference, "from_file", NULL), *name = sty_json_text(reference, "from_env", NULL);
    const char *command = json_string_value(json_array_get(json_object_get(reference, "from_command"), 0));
    const char *folder, *rest;
    sty_auto(str) path = STY_STR_INIT;
    if (file)
        return file_allowed(&folder, &rest, &path, allowed, file, err);
    if (name)
        return sty_json_has(json_object_get(allowed, "env"), name) ? 0 : deny("variable", name, "env", err);
    if (command)
        return sty_json_has(json_object_get(allowed, "commands"), command) ? 0
                                                                           : deny("command", command, "commands", err);
    return sty_error_set(err, STY_INVALID, "a secret is from_file, from_env or from_command");
}

/* Symlinks are followed as long as they stay in the folder (volumes of secrets are made of them). */
static int open_below(const char *folder, const char *rest)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    sty_auto_fd directory = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? -1 : (int)syscall(SYS_openat2, directory, rest, &how, sizeof(how));
}

static int read_file(struct sty_str *out, const json_t *allowed, const char *name, struct sty_error *err)
{
    const char *folder, *rest;
    sty_auto(str) path = STY_STR_INIT;
    if (file_allowed(&folder, &rest, &path, allowed, name, err) < 0)
        return -1;
    sty_auto_fd fd = open_below(folder, rest);
    if (fd < 0)
        return errno == EXDEV ? sty_error_set(err, STY_DENIED, "secret file '%s' leads out of '%s'", name, folder)
                              : sty_error_errno(err, errno == ENOENT ? STY_NOT_FOUND : STY_DENIED, errno,
                                                "secret file '%s'", name);
    for (;;) {
        char buffer[4096];
        ssize_t got = read(fd, buffer, sizeof(buffer));
        if (got > 0)
            sty_str_append_bytes(out, buffer, (size_t)got);
        explicit_bzero(buffer, sizeof(buffer));
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return sty_error_errno(err, STY_IO, errno, "secret file '%s'", name);
        if (out->length > SECRET_LIMIT)
            return sty_error_set(err, STY_LIMIT, "secret file '%s' is over %d bytes", name, SECRET_LIMIT);
    }
}

static int read_variable(struct sty_str *out, const char *name, struct sty_error *err)
{
    const char *value = getenv(name);
    if (!value)
        return sty_error_set(err, STY_NOT_FOUND, "secret variable '%s' is not set", name);
    sty_str_append(out, value);
    return 0;
}

static int read_command(struct sty_str *out, const json_t *command, struct sty_error *err)
{
    sty_auto_ptr(arena) arena = sty_arena_new();
    struct sty_process_spec spec = {.argv = (const char *const *)sty_json_argv(arena, command),
                                    .output_limit = SECRET_LIMIT,
                                    .timeout_ms = COMMAND_MS};
    sty_auto(process_result) result = {0, false, STY_STR_INIT, STY_STR_INIT};
    if (sty_process_run(&result, &spec, err) < 0)
        return sty_error_wrap(err, "secret command '%s'", spec.argv[0]);
    if (result.status != 0)
        sty_error_set(err, STY_FAILED, "secret command '%s' ended with %d", spec.argv[0], result.status);
    else
        sty_str_append_bytes(out, result.output.data, result.output.length);
    explicit_bzero(result.output.data, result.output.length);
    return result.status == 0 ? 0 : -1;
}

int sty_secret_read(char **bytes, size_t *length, const json_t *allowed, const json_t *reference, struct sty_error *err)
{
    const char *file = sty_json_text(reference, "from_file", NULL), *name = sty_json_text(reference, "from_env", NULL);
    struct sty_str value = STY_STR_INIT;
    if (sty_secret_allowed(allowed, reference, err) < 0)
        return -1;
    int result = file   ? read_file(&value, allowed, file, err)
                 : name ? read_variable(&value, name, err)
                        : read_command(&value, json_object_get(reference, "from_command"), err);
    if (result < 0) {
        explicit_bzero(value.data, value.length);
        sty_str_clear(&value);
        return -1;
    }
    if (value.length > 0 && value.data[value.length - 1] == '\n')
        value.data[--value.length] = '\0';
    *length = value.length;
    *bytes = sty_str_take(&value);
    return 0;
}
