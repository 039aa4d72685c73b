/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a process is. A pid alone is reused; a pid with its start time and the boot it belongs to is not, so that a file
 * written before a crash can be trusted after it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "run/launcher_internal.h"

bool sty_process_stat(struct sty_process_stat *out, pid_t pid)
{
    char path[64];
    sty_auto(str) text = STY_STR_INIT;
    struct sty_error err;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (sty_file_read(&text, path, 8192, &err) < 0)
        return false;
    /* The name stands in parentheses and may hold anything, also ')'. */
    const char *behind = strrchr(text.data, ')');
    int parent = 0, session = 0;
    char state = 0;
    long long started = 0;
    if (!behind || sscanf(behind + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
                          &state, &parent, &session, &started) != 4)
        return false;
    *out = (struct sty_process_stat){pid, parent, session, started, state};
    return true;
}

bool sty_identity_alive(const struct sty_identity *identity)
{
    struct sty_process_stat stat;
    return identity->pid > 0 && sty_process_stat(&stat, identity->pid) && stat.started == identity->started &&
           stat.state != 'Z' && stat.state != 'X';
}

void sty_boot_id(char out[64])
{
    sty_auto(str) text = STY_STR_INIT;
    struct sty_error err;
    out[0] = '\0';
    if (sty_file_read(&text, "/proc/sys/kernel/random/boot_id", 128, &err) < 0)
        return;
    size_t length = strcspn(text.data, "\n");
    snprintf(out, 64, "%.*s", (int)(length < 63 ? length : 63), text.data);
}

char *sty_launcher_path(const char *directory, const char *token, const char *suffix)
{
    return sty_sprintf("%s/%s.%s", directory, token, suffix);
}

bool sty_token_valid(const char *token)
{
    return token && strlen(token) == STY_ID_SIZE - 1 && strspn(token, "0123456789abcdef") == STY_ID_SIZE - 1;
}

static json_t *identity_json(const struct sty_identity *identity)
{
    json_t *out = json_object();
    json_object_set_new(out, "pid", json_integer(identity->pid));
    json_object_set_new(out, "started", json_integer(identity->started));
    return out;
}

static struct sty_identity identity_from(const json_t *json)
{
    return (struct sty_identity){(pid_t)sty_json_int(json, "pid", 0), sty_json_int(json, "started", 0)};
}

int sty_launched_write(const char *path, const struct sty_launched *launched, struct sty_error *err)
{
    char boot[64];
    sty_boot_id(boot);
    json_auto_t *json = json_object();
    json_object_set_new(json, "boot", sty_json_string(boot));
    json_object_set_new(json, "launcher", identity_json(&launched->launcher));
    json_object_set_new(json, "program", identity_json(&launched->program));
    sty_auto_free char *text = sty_json_canonical_text(json);
    return sty_file_replace(path, text, strlen(text), 0600, err);
}

static int read_json(json_t **out, const char *path, struct sty_error *err)
{
    sty_auto(str) text = STY_STR_INIT;
    if (sty_file_read(&text, path, 65536, err) < 0) {
        if (err->code == STY_NOT_FOUND) {
            *out = NULL;
            return 0;
        }
        return -1;
    }
    if (sty_json_parse(out, text.data, text.length, err) == 0)
        return 0;
    err->code = STY_CORRUPT;
    return sty_error_wrap(err, "%s", path);
}

int sty_launched_read(struct sty_launched *out, bool *found, const char *path, struct sty_error *err)
{
    char boot[64];
    json_auto_t *json = NULL;
    if (read_json(&json, path, err) < 0)
        return -1;
    *found = json != NULL;
    if (!json)
        return 0;
    sty_boot_id(boot);
    out->launcher = identity_from(json_object_get(json, "launcher"));
    out->program = identity_from(json_object_get(json, "program"));
    out->this_boot = boot[0] && strcmp(boot, sty_json_text(json, "boot", "")) == 0;
    return 0;
}

int sty_exit_read(int *status, bool *found, const char *path, struct sty_error *err)
{
    json_auto_t *json = NULL;
    if (read_json(&json, path, err) < 0)
        return -1;
    *found = json != NULL;
    if (json)
        *status = (int)sty_json_int(json, "status", -1);
    return 0;
}

int64_t sty_launch_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sty_launch_sleep(int64_t ms)
{
    struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}
