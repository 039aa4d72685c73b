/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets put into the holes that an Instance leaves for them. Values live as short as possible, in memory that is
 * wiped; what is remembered of a filled content is a keyed digest.
 */
#include "provider/provider_internal.h"
#include <stdlib.h>
#include <string.h>
#include "instance/instance.h"

#define ESCAPED_MAX 6 /* bytes that one byte may become */

struct value {
    struct sty_str escaped;
    size_t offset;
};
struct values {
    struct value *all;
    size_t count, length; /* length: of all values together */
};

void sty_filled_clear(struct sty_filled *filled)
{
    if (filled->bytes)
        explicit_bzero(filled->bytes, filled->length);
    free(filled->bytes);
    *filled = (struct sty_filled)STY_FILLED_INIT;
}

static void sty_values_clear(struct values *values)
{
    for (size_t i = 0; i < values->count; i++) {
        explicit_bzero(values->all[i].escaped.data, values->all[i].escaped.length);
        sty_str_clear(&values->all[i].escaped);
    }
    free(values->all);
}

static int read_value(struct value *out, const struct sty_host *host, const json_t *hole, struct sty_error *err)
{
    sty_auto(filled) secret = STY_FILLED_INIT;
    if (host->secret(host->self, &secret.bytes, &secret.length, json_object_get(hole, "reference"), err) < 0)
        return sty_error_wrap(err, "secret %lld", (long long)sty_json_int(hole, "n", 0));
    /* All room at once: growing would leave copies behind. */
    sty_str_reserve(&out->escaped, secret.length * ESCAPED_MAX + 1);
    sty_escape_append(&out->escaped, sty_json_text(hole, "escape", "none"), secret.bytes, secret.length);
    return 0;
}

static int read_values(struct values *values, const struct sty_host *host, const json_t *holes, size_t limit,
                       struct sty_error *err)
{
    size_t index, before = 0;
    const json_t *hole;
    values->all = sty_calloc(json_array_size(holes) + 1, sizeof(*values->all));
    json_array_foreach (holes, index, hole) {
        struct value *value = &values->all[values->count++];
        int64_t offset = sty_json_int(hole, "offset", -1);
        value->escaped = (struct sty_str)STY_STR_INIT;
        if (offset < 0 || (size_t)offset < before || (size_t)offset > limit)
            return sty_error_set(err, STY_CORRUPT, "a place for a secret is not where it can be");
        value->offset = before = (size_t)offset;
        if (read_value(value, host, hole, err) < 0)
            return -1;
        values->length += value->escaped.length;
    }
    return 0;
}

static void put_together(struct sty_filled *out, const struct sty_filled *plain, const struct values *values)
{
    size_t length = plain->length + values->length, taken = 0;
    char *to = out->bytes = sty_malloc(length + 1);
    for (size_t i = 0; i < values->count; i++) {
        const struct value *value = &values->all[i];
        to = mempcpy(to, plain->bytes + taken, value->offset - taken);
        to = mempcpy(to, value->escaped.data, value->escaped.length);
        taken = value->offset;
    }
    to = mempcpy(to, plain->bytes + taken, plain->length - taken);
    *to = '\0';
    out->length = length;
}

int sty_holes_fill(struct sty_filled *out, const struct sty_host *host, const struct sty_filled *plain,
                   const json_t *holes, struct sty_error *err)
{
    __attribute__((cleanup(sty_values_clear))) struct values values = {0};
    if (read_values(&values, host, holes, plain->length, err) < 0)
        return -1;
    put_together(out, plain, &values);
    return 0;
}

bool sty_text_secret(const json_t *text)
{
    return json_array_size(json_object_get(text, "holes")) > 0;
}

bool sty_env_secret(const json_t *env)
{
    const char *name;
    json_t *text;
    json_object_foreach ((json_t *)env, name, text) {
        if (sty_text_secret(text))
            return true;
    }
    return false;
}

int sty_text_fill(char **out, const struct sty_host *host, const json_t *text, struct sty_error *err)
{
    const json_t *plain = json_is_object(text) ? json_object_get(text, "text") : text;
    if (!json_is_string(plain))
        return sty_error_set(err, STY_CORRUPT, "a text is no text");
    const struct sty_filled bytes = {(char *)json_string_value(plain), json_string_length(plain)};
    sty_auto(filled) filled = STY_FILLED_INIT;
    if (sty_holes_fill(&filled, host, &bytes, json_object_get(text, "holes"), err) < 0)
        return -1;
    if (memchr(filled.bytes, '\0', filled.length))
        return sty_error_set(err, STY_INVALID, "a secret has a zero byte where text is wanted");
    *out = sty_take(filled.bytes);
    return 0;
}

int sty_filled_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, const void *bytes, size_t length,
                      struct sty_error *err)
{
    if (!call->digest_key || !*call->digest_key)
        return sty_error_set(err, STY_INTERNAL, "there is no key for digests of secrets");
    sty_digest_keyed(out, call->digest_key, strlen(call->digest_key), bytes, length);
    return 0;
}

int sty_environment_digest(char out[STY_DIGEST_SIZE], const struct sty_provider_call *call, char *const *environment,
                           struct sty_error *err)
{
    size_t length = 0;
    for (char *const *entry = environment; *entry; entry++)
        length += strlen(*entry) + 1;
    sty_auto(filled) all = {sty_malloc(length + 1), length};
    char *to = all.bytes;
    for (char *const *entry = environment; *entry; entry++)
        to = mempcpy(to, *entry, strlen(*entry) + 1);
    return sty_filled_digest(out, call, all.bytes, all.length, err);
}
