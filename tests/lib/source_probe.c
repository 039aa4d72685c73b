/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_probe: the source stage driven from outside, for tests against real servers.
 *
 *     source_probe MIRROR URL BRANCH [key=value ...]
 *
 * Keys of the configuration: name username password_file ssh_key_file known_hosts_file ca_file proxy connect_ms stall_ms
 * total_ms rewind. What to do: accepted=COMMIT; probe=1 (list only); repeat=N (fetch so often); text=T and records=R
 * (write notes on the tip); push=1. Prints "key=value" lines; on failure "error=CODE" and "message=TEXT", status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "source/source.h"
#include "styrmin/world.h"

struct probe {
    char **arguments;
    int count;
    struct sty_source_config config;
};

static const char *value(const struct probe *probe, const char *key)
{
    size_t length = strlen(key);
    for (int i = 4; i < probe->count; i++) {
        if (strncmp(probe->arguments[i], key, length) == 0 && probe->arguments[i][length] == '=')
            return probe->arguments[i] + length + 1;
    }
    return NULL;
}

static int64_t number(const struct probe *probe, const char *key, int64_t otherwise)
{
    struct sty_error err;
    int64_t out = otherwise;
    const char *text = value(probe, key);
    if (text && sty_number_parse(&out, text, 0, INT32_MAX, &err) < 0) {
        fprintf(stderr, "%s: %s\n", key, err.text);
        exit(2);
    }
    return out;
}

static void configure(struct probe *probe)
{
    probe->config = (struct sty_source_config){
        .url = probe->arguments[2],
        .branch = probe->arguments[3],
        .name = value(probe, "name") ? value(probe, "name") : "probe",
        .username = value(probe, "username"),
        .password_file = value(probe, "password_file"),
        .ssh_key_file = value(probe, "ssh_key_file"),
        .known_hosts_file = value(probe, "known_hosts_file"),
        .ca_file = value(probe, "ca_file"),
        .proxy = value(probe, "proxy"),
        .connect_timeout_ms = number(probe, "connect_ms", 0),
        .stall_timeout_ms = number(probe, "stall_ms", 0),
        .total_timeout_ms = number(probe, "total_ms", 0),
        .accept_rewind = number(probe, "rewind", 0) != 0,
    };
}

static int fetch(char tip[STY_OID_SIZE], const struct probe *probe, struct sty_repo *repo, struct sty_error *err)
{
    const struct sty_world *world = sty_world_real();
    for (int64_t left = number(probe, "repeat", 1); left > 0; left--) {
        struct sty_fetch_result result;
        int64_t before = world->monotonic_ms(world->self);
        if (sty_repo_fetch(&result, repo, &probe->config, value(probe, "accepted"), err) < 0)
            return -1;
        printf("tip=%s\nchanged=%d\nnotes_changed=%d\nms=%lld\n", result.tip, result.changed, result.notes_changed,
               (long long)(world->monotonic_ms(world->self) - before));
        memcpy(tip, result.tip, STY_OID_SIZE);
    }
    return 0;
}

static int notes(const struct probe *probe, struct sty_repo *repo, const char *tip, struct sty_error *err)
{
    struct sty_note note = {tip, value(probe, "text"), value(probe, "records")};
    bool unpushed = false;
    if ((note.text || note.records) && sty_notes_write(repo, probe->config.name, &note, 1, err) < 0)
        return -1;
    if (number(probe, "push", 0) && sty_notes_push(repo, &probe->config, err) < 0)
        return -1;
    if (sty_notes_unpushed(&unpushed, repo, probe->config.name, err) < 0)
        return -1;
    printf("unpushed=%d\n", unpushed);
    return 0;
}

static int run(struct probe *probe, struct sty_error *err)
{
    sty_auto_ptr(repo) repo = NULL;
    char tip[STY_OID_SIZE] = "";
    if (sty_repo_open(&repo, probe->arguments[1], false, err) < 0)
        return -1;
    if (number(probe, "probe", 0)) {
        if (sty_repo_probe(tip, repo, &probe->config, err) < 0)
            return -1;
        printf("tip=%s\n", tip);
        return 0;
    }
    return fetch(tip, probe, repo, err) < 0 ? -1 : notes(probe, repo, tip, err);
}

int main(int argc, char **argv)
{
    struct probe probe = {argv, argc, {0}};
    struct sty_error err;
    if (argc < 4) {
        fprintf(stderr, "usage: source_probe MIRROR URL BRANCH [key=value ...]\n");
        return 2;
    }
    configure(&probe);
    if (run(&probe, &err) == 0)
        return 0;
    printf("error=%s\nmessage=%s\n", sty_code_name(err.code), err.text);
    return 1;
}
