/* SPDX-License-Identifier: Apache-2.0 */
/* How what the ledger holds is said to people: times by how long ago, ids by their beginning, states by reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ledger_view_internal.h"

const char *sty_people_time(char out[40], int64_t now_ms, int64_t then_ms)
{
    static const struct {
        int64_t ms;
        const char *letter;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    int64_t away = llabs(now_ms - then_ms);
    for (size_t i = 0; i < STY_COUNT(units); i++)
        if (away >= units[i].ms) {
            snprintf(out, 40, then_ms > now_ms ? "in %lld%s" : "%lld%s ago", (long long)(away / units[i].ms),
                     units[i].letter);
            return out;
        }
    snprintf(out, 40, "now");
    return out;
}

const char *sty_people_short(struct sty_arena *arena, const char *id)
{
    if (!id || !*id)
        return "-";
    return sty_arena_strndup(arena, sty_starts_with(id, "sha256:") ? id + 7 : id, 8);
}

const char *sty_people_target(struct sty_arena *arena, const json_t *row, bool full)
{
    return sty_arena_printf(arena, "%s%s%s/%s", full ? sty_json_text(row, "cluster", "") : "", full ? "/" : "",
                            sty_json_text(row, "environment", ""), sty_json_text(row, "deployment", ""));
}

enum sty_style sty_people_style(const char *state)
{
    static const struct {
        const char *state;
        enum sty_style style;
    } styles[] = {
        {"healthy", STY_STYLE_GOOD},     {"succeeded", STY_STYLE_GOOD}, {"degraded", STY_STYLE_BAD},
        {"failed", STY_STYLE_BAD},       {"blocked", STY_STYLE_WARN},   {"unknown", STY_STYLE_WARN},
        {"waiting", STY_STYLE_WARN},     {"suspended", STY_STYLE_DIM},  {"stopped", STY_STYLE_DIM},
        {"progressing", STY_STYLE_BOLD}, {"running", STY_STYLE_BOLD},   {"superseded", STY_STYLE_DIM},
        {"skipped", STY_STYLE_DIM},      {"pending", STY_STYLE_DIM},
    };
    for (size_t i = 0; i < STY_COUNT(styles); i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STY_STYLE_PLAIN;
}

json_t *sty_people_when(const json_t *row, const char *key)
{
    char text[32];
    const json_t *value = json_object_get(row, key);
    return json_is_integer(value) ? json_string(sty_time_text(text, json_integer_value(value))) : json_null();
}

const char *sty_people_url(struct sty_arena *arena, const char *url)
{
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = scheme ? memrchr(host, '@', authority) : NULL;
    return at ? sty_arena_printf(arena, "%.*s%s", (int)(host - url), url, at + 1) : url;
}

const json_t *sty_people_more(struct sty_arena *arena, const struct sty_view_row *row)
{
    json_t *more = NULL;
    struct sty_error ignored;
    if (!row->more || sty_json_parse(&more, row->more, strlen(row->more), &ignored) < 0)
        more = json_object();
    return sty_json_own(arena, more);
}

/* ---- why a target is in its state ---- */

static const char *suspension(struct sty_arena *arena, const json_t *more, int64_t now_ms)
{
    const json_t *by_git = json_object_get(more, "suspend"), *by_hand = json_object_get(more, "suspended");
    char when[40];
    if (!json_is_object(by_hand))
        return sty_arena_printf(arena, "suspend: true in %s:%lld", sty_json_text(by_git, "file", ""),
                                (long long)sty_json_int(by_git, "line", 0));
    int64_t until = sty_json_int(by_hand, "until", 0);
    return sty_arena_printf(arena, "by %s: \"%s\"; ends %s", sty_json_text(by_hand, "actor", "a person"),
                            sty_json_text(by_hand, "reason", ""),
                            until == INT64_MAX ? "with resume" : sty_people_time(when, now_ms, until));
}

static const char *work(struct sty_arena *arena, const json_t *more, int64_t now_ms)
{
    const json_t *open = json_object_get(more, "remediation"), *due = json_object_get(open, "due");
    const char *kind = sty_json_text(open, "kind", ""), *state = sty_json_text(open, "state", "");
    const char *reason = sty_json_text(open, "reason", NULL);
    char when[40];
    return sty_arena_printf(arena, "%s %s%s%s%s%s", kind, state, reason ? ": " : "", reason ? reason : "",
                            json_is_integer(due) ? "; again " : "",
                            json_is_integer(due) ? sty_people_time(when, now_ms, json_integer_value(due)) : "");
}

static const char *drift(struct sty_arena *arena, const json_t *more, const char *what)
{
    const json_t *ids = json_object_get(json_object_get(more, "drift"), "ids");
    size_t count = json_array_size(ids);
    const char *first = json_string_value(json_array_get(ids, 0));
    return count > 1 ? sty_arena_printf(arena, "%s: %s and %zu more", what, first, count - 1)
                     : sty_arena_printf(arena, "%s: %s", what, first ? first : "");
}

static const char *degradation(struct sty_arena *arena, const struct sty_view_row *row, const json_t *more)
{
    const char *failed = sty_json_text(more, "quarantined", NULL);
    bool tainted = sty_json_int(more, "tainted", 0) != 0;
    if (failed)
        return sty_arena_printf(arena, "%s %s failed and is quarantined%s",
                                sty_streq(failed, row->desired) ? "commit" : "Instance",
                                sty_people_short(arena, sty_streq(failed, row->desired) ? row->desired_commit : failed),
                                tainted ? "; what is there is between two Instances" : "");
    if (tainted)
        return "what is there is between two Instances";
    bool flapping = sty_json_int(json_object_get(more, "drift"), "flapping", 0) != 0;
    return drift(arena, more, flapping ? "drifts again and again" : "drift");
}

static const char *of_state(struct sty_arena *arena, const struct sty_view_row *row, const json_t *more, int64_t now_ms)
{
    const char *state = row->state;
    bool waits = json_is_object(json_object_get(more, "remediation"));
    if (strcmp(state, "progressing") == 0)
        return work(arena, more, now_ms);
    if (strcmp(state, "unknown") == 0)
        return json_is_object(json_object_get(more, "drift")) ? drift(arena, more, "cannot be looked at")
                                                              : "not deployed yet";
    if (strcmp(state, "suspended") == 0)
        return suspension(arena, more, now_ms);
    if (strcmp(state, "blocked") == 0)
        return waits ? work(arena, more, now_ms) : sty_json_text(json_object_get(more, "blocked"), "message", "");
    if (strcmp(state, "degraded") == 0)
        return degradation(arena, row, more);
    return "";
}

static void add(struct sty_str *out, const char *text)
{
    if (*text)
        sty_str_appendf(out, "%s%s", out->length ? "; " : "", text);
}

const char *sty_people_reason(struct sty_arena *arena, const struct sty_view_row *row, const json_t *more,
                              int64_t now_ms)
{
    const json_t *pin = json_object_get(more, "pin");
    sty_auto(str) out = STY_STR_INIT;
    if (json_object_size(more) == 0)
        return "";
    add(&out, of_state(arena, row, more, now_ms));
    if (json_is_object(pin))
        add(&out, sty_arena_printf(arena, "pinned to %s by %s: \"%s\"; git wants %s",
                                   sty_people_short(arena, sty_json_text(pin, "instance", NULL)),
                                   sty_json_text(pin, "actor", "a person"), sty_json_text(pin, "reason", ""),
                                   sty_people_short(arena, row->desired)));
    if (sty_json_int(more, "observe", 0))
        add(&out, "only observed");
    if (sty_json_int(more, "wanted", 1) == 0)
        add(&out, "git does not want it any more");
    return sty_arena_strdup(arena, out.data);
}
