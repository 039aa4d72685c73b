/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: starting, stopping and reloading, waited for until systemd says how they ended. A start that takes too long, or
 * is cancelled, is taken back: nobody waits for what it would have become.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include "provider/unit_internal.h"

#define SLICE_MS 200
#define LINES 64

struct waiter {
    char job[256];   /* its path; "": not known yet */
    char result[32]; /* "": not done */
};

static int removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
    struct waiter *waiter = data;
    uint32_t id;
    const char *job, *unit, *result;
    (void)error;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0 && sty_streq(job, waiter->job))
        snprintf(waiter->result, sizeof(waiter->result), "%s", result);
    return 0;
}

static int wait_for(struct waiter *waiter, struct sty_systemd *systemd, int64_t timeout_ms, struct sty_error *err)
{
    const struct sty_world *world = systemd->host->world;
    int64_t deadline = world->monotonic_ms(world->self) + timeout_ms;
    char limit[24];
    while (!waiter->result[0]) {
        int64_t left = deadline - world->monotonic_ms(world->self);
        if (sty_host_cancelled(systemd->host))
            return sty_error_set(err, STY_CANCELLED, "cancelled");
        if (left <= 0)
            return sty_error_set(err, STY_TIMEOUT, "not done after %s",
                                 sty_duration_text(limit, sizeof(limit), timeout_ms));
        int did = sd_bus_process(systemd->bus, NULL);
        if (did == 0)
            did = sd_bus_wait(systemd->bus, (uint64_t)(left < SLICE_MS ? left : SLICE_MS) * 1000);
        if (did < 0 && did != -EINTR)
            return sty_error_errno(err, STY_UNREACHABLE, -did, "systemd: waiting for a job");
    }
    return 0;
}

static int ask(struct waiter *waiter, struct sty_systemd *systemd, const char *member, const char *name,
               struct sty_error *err)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    const char *job = "";
    if (sty_systemd_call(systemd, &reply, err, member, "ss", name, "replace") < 0)
        return -1;
    int result = sd_bus_message_read(reply, "o", &job);
    if (result < 0)
        return sty_systemd_error(err, NULL, -result, member);
    snprintf(waiter->job, sizeof(waiter->job), "%s", job);
    return 0;
}

/* The signals of jobs are asked for before there is one. */
static int subscribe(sd_bus_slot **slot, struct waiter *waiter, struct sty_systemd *systemd, struct sty_error *err)
{
    int result = sd_bus_match_signal(systemd->bus, slot, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                     "org.freedesktop.systemd1.Manager", "JobRemoved", removed, waiter);
    if (result < 0)
        return sty_systemd_error(err, NULL, -result, "JobRemoved");
    return sty_systemd_call(systemd, NULL, err, "Subscribe", "");
}

static void take_back(struct sty_systemd *systemd, const char *name)
{
    struct sty_error ignored;
    sty_systemd_call(systemd, NULL, &ignored, "StopUnit", "ss", name, "replace");
}

int sty_systemd_job(struct sty_systemd *systemd, const char *member, const char *name, int64_t timeout_ms,
                    struct sty_error *err)
{
    __attribute__((cleanup(sd_bus_slot_unrefp))) sd_bus_slot *slot = NULL;
    struct waiter waiter = {"", ""};
    bool starting = sty_streq(member, "StartUnit"), stopping = sty_streq(member, "StopUnit");
    if (subscribe(&slot, &waiter, systemd, err) < 0)
        return -1;
    if (ask(&waiter, systemd, member, name, err) < 0)
        return stopping && err->code == STY_NOT_FOUND ? 0 : -1;
    if (wait_for(&waiter, systemd, timeout_ms, err) < 0) {
        if (starting && (err->code == STY_TIMEOUT || err->code == STY_CANCELLED))
            take_back(systemd, name);
        return -1;
    }
    if (sty_streq(waiter.result, "done") || sty_streq(waiter.result, "skipped"))
        return 0;
    return sty_error_set(err, STY_FAILED, "%s: %s", member, waiter.result);
}

/* ---- what the unit said ---- */

static int open_journal(sd_journal **out, const char *name, int64_t since_ms)
{
    sty_auto_free char *match = sty_sprintf("_SYSTEMD_UNIT=%s", name);
    int result = sd_journal_open(out, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
    if (result >= 0)
        result = sd_journal_add_match(*out, match, 0);
    return result < 0 ? result : sd_journal_seek_realtime_usec(*out, (uint64_t)since_ms * 1000);
}

void sty_unit_last_words(struct sty_error *err, const char *name, int64_t since_ms)
{
    static const size_t prefix = sizeof("MESSAGE=") - 1;
    sd_journal *journal = NULL;
    sty_auto(str) said = STY_STR_INIT;
    char words[200];
    const void *data;
    size_t length;
    int result = open_journal(&journal, name, since_ms);
    for (int i = 0; i < LINES && result >= 0 && sd_journal_next(journal) > 0; i++)
        if (sd_journal_get_data(journal, "MESSAGE", &data, &length) >= 0 && length > prefix) {
            sty_str_append_bytes(&said, (const char *)data + prefix, length - prefix);
            sty_str_append_char(&said, '\n');
        }
    sd_journal_close(journal);
    if (!said.length)
        return;
    sty_tail_visible(words, sizeof(words), said.data, said.length);
    sty_auto_free char *before = sty_strdup(err->text);
    sty_error_set(err, err->code, "%s: %s", before, words);
}
