/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates come from the repository, which may be hostile: any bytes must end in output or in an error with a place,
 * within the limits, and every hole must lie inside the output.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "instance/instance.h"

#define INPUT_LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *text;
    size_t length;
};

/* The input is also its own partial, whatever the name. */
static int partial(void *self, const char **text, size_t *length, const char *name, struct sty_error *err)
{
    const struct input *input = self;
    if (strlen(name) > 8)
        return sty_error_set(err, STY_NOT_FOUND, "no partial '%s'", name);
    *text = input->text;
    *length = input->length;
    return 0;
}

static json_t *make_context(void)
{
    return json_pack("{s:s, s:i, s:f, s:b, s:n, s:[i,s], s:{s:s, s:{s:s}}, s:{s:s}}", "s", "it's \"q\" & <x>\n", "n",
                     8080, "f", 1.5, "t", 1, "z", "l", 1, "two words", "m", "k", "v", "m", "x", "y", "key", "from_env",
                     "KEY");
}

static void check(int status, const struct sty_str *out, const json_t *holes, const struct sty_error *err)
{
    if (status < 0 && (err->code != STY_INVALID || !strstr(err->text, ": ")))
        abort();
    for (size_t i = 0; status == 0 && i < json_array_size(holes); i++)
        if (sty_json_int(json_array_get(holes, i), "offset", -1) < 0 ||
            sty_json_int(json_array_get(holes, i), "offset", -1) > (int64_t)out->length)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_LIMIT)
        return 0;
    json_auto_t *context = make_context();
    json_auto_t *secrets = json_pack("{s:{s:s}}", "/key", "from_env", "KEY");
    json_auto_t *holes = json_array();
    struct input input = {(const char *)data, size};
    struct sty_template_world world = {.context = context, .secrets = secrets, .partial = partial, .self = &input};
    struct sty_template template = {
        .file = "f", .line = 1, .column = 1, .text = input.text, .length = size, .escape = (enum sty_escape)(size % 5)};
    sty_auto(str) out = STY_STR_INIT;
    struct sty_error err = {0};
    check(sty_template_render(&out, holes, &template, &world, &err), &out, holes, &err);
    return 0;
}
