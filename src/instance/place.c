/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a tag's output stands in YAML or JSON: at the beginning of a value, inside quotes, in a plain scalar, a block
 * scalar or a comment. A lexer over the output, because sections and partials make the text before a tag; what stands
 * behind it is looked up in the template. It follows well-formed text; in ill-formed text it only has to end.
 */
#include <string.h>
#include "instance/template.h"

enum state { AT_START, DASH, PROPERTY, PLAIN, AFTER, DOUBLE, SINGLE, COMMENT, BLOCK_HEADER, BLOCK };

void sty_place_init(struct sty_place *place, bool json)
{
    *place = (struct sty_place){.json = json,
                                .state = AT_START,
                                .indenting = true,
                                .key_column = -1,
                                .dash_column = -1,
                                .block_parent = -1,
                                .previous = '\n'};
}

static void new_line(struct sty_place *place)
{
    place->column = 0;
    place->indenting = true;
    place->key_column = place->dash_column = -1;
    if (place->state == BLOCK_HEADER)
        place->state = BLOCK;
    else if (place->state != BLOCK && place->state != DOUBLE && place->state != SINGLE)
        place->state = AT_START;
}

static int begin_block(struct sty_place *place)
{
    place->block_parent = place->key_column >= 0 ? place->key_column : place->dash_column;
    return BLOCK_HEADER;
}

/* What ends or begins a node in a flow collection; -1: the character means nothing there. */
static int flow_state(struct sty_place *place, char c)
{
    switch (c) {
    case '[':
    case '{':
        place->flow++;
        return AT_START;
    case ']':
    case '}':
        place->flow -= place->flow > 0;
        return AFTER;
    case ',':
        return place->flow ? AT_START : -1;
    default:
        return -1;
    }
}

static int scalar_begins(struct sty_place *place, int state)
{
    if (place->key_column < 0)
        place->key_column = place->column;
    return state;
}

static int at_start(struct sty_place *place, char c)
{
    int flow = flow_state(place, c);
    if (c == ' ' || c == '\t')
        return AT_START;
    if (flow >= 0)
        return flow;
    if (c == '"')
        return scalar_begins(place, DOUBLE);
    if (place->json)
        return c == ':' ? AT_START : PLAIN;
    if (c == '\'')
        return scalar_begins(place, SINGLE);
    if (c == '#')
        return COMMENT;
    if (c == '-' || c == '?')
        return DASH;
    if (c == '&' || c == '!')
        return PROPERTY;
    if ((c == '|' || c == '>') && !place->flow)
        return begin_block(place);
    return c == ':' && place->flow ? AT_START : scalar_begins(place, PLAIN);
}

static int after_dash(struct sty_place *place, char c)
{
    if (c != ' ' && c != '\t')
        return scalar_begins(place, PLAIN);
    place->dash_column = place->column - 1;
    return AT_START;
}

static int in_plain(struct sty_place *place, char c)
{
    if (place->json && c == ':')
        return AT_START;
    if ((c == ' ' || c == '\t') && place->previous == ':')
        return AT_START;
    if (c == '#' && (place->previous == ' ' || place->previous == '\t') && !place->json)
        return COMMENT;
    int flow = place->flow ? flow_state(place, c) : -1;
    return flow >= 0 ? flow : PLAIN;
}

static int after_node(struct sty_place *place, char c)
{
    if (c == ':' && (place->flow || place->json))
        return AT_START;
    if (c == '\'' && place->previous == '\'' && !place->json)
        return SINGLE;
    int next = in_plain(place, c);
    return next == PLAIN ? AFTER : next;
}

static int next_state(struct sty_place *place, char c)
{
    switch ((enum state)place->state) {
    case AT_START:
        return at_start(place, c);
    case DASH:
        return after_dash(place, c);
    case PROPERTY:
        return c == ' ' ? AT_START : PROPERTY;
    case PLAIN:
        return in_plain(place, c);
    case AFTER:
        return after_node(place, c);
    case DOUBLE:
        return c == '"' && place->previous != '\\' ? AFTER : DOUBLE;
    case SINGLE:
        return c == '\'' ? AFTER : SINGLE;
    case COMMENT:
    case BLOCK_HEADER:
    case BLOCK:
        break;
    }
    return place->state;
}

static void feed(struct sty_place *place, char c)
{
    if (c == '\n') {
        new_line(place);
        place->previous = c;
        return;
    }
    bool blank = c == ' ';
    if (place->state == BLOCK && place->indenting && !blank && place->column <= place->block_parent)
        place->state = AT_START;
    if (!(place->state == BLOCK && place->indenting && blank))
        place->state = next_state(place, c);
    place->indenting = place->indenting && blank;
    place->column++;
    place->previous = place->state == DOUBLE && c == '\\' && place->previous == '\\' ? 0 : c;
}

void sty_place_feed(struct sty_place *place, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        feed(place, bytes[i]);
}

enum sty_place_kind sty_place_now(const struct sty_place *place)
{
    switch ((enum state)place->state) {
    case AT_START:
        return STY_PLACE_VALUE;
    case DOUBLE:
        return STY_PLACE_DOUBLE;
    case SINGLE:
        return STY_PLACE_SINGLE;
    case COMMENT:
    case BLOCK_HEADER:
        return STY_PLACE_COMMENT;
    case BLOCK:
        return place->indenting && place->column <= place->block_parent ? STY_PLACE_VALUE : STY_PLACE_BLOCK;
    case DASH:
    case PROPERTY:
    case PLAIN:
    case AFTER:
        break;
    }
    return STY_PLACE_PLAIN;
}

struct lookahead {
    const struct sty_place *place;
    bool blank; /* white space was passed */
};

/* 1: the value ends here, 0: it goes on, -1: only white space, look further. */
static int text_ends_value(struct lookahead *look, const struct sty_node *node)
{
    for (size_t i = 0; i < node->length; i++) {
        char c = node->text[i];
        bool ends_line = c == '\n' || c == '\r';
        if (ends_line && !look->place->json)
            return 1;
        if (!ends_line && c != ' ' && c != '\t') {
            bool closes = strchr(",]}", c) && (look->place->flow || look->place->json);
            return closes || (look->place->json && c == ':') || (!look->place->json && c == '#' && look->blank);
        }
        look->blank = true;
    }
    return -1;
}

bool sty_place_whole(const struct sty_place *place, const struct sty_parsed *parsed, size_t index)
{
    struct lookahead look = {.place = place};
    for (size_t i = index + 1; i < parsed->count; i++) {
        const struct sty_node *node = &parsed->nodes[i];
        if (node->type == STY_NODE_SECTION || node->type == STY_NODE_INVERTED)
            continue;
        if (node->type != STY_NODE_TEXT)
            return false;
        int ends = text_ends_value(&look, node);
        if (ends >= 0)
            return ends;
    }
    return true;
}
