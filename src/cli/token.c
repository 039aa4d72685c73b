/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: what a caller of the HTTP API shows, and the row by which the server knows it. The token itself is printed
 * once and kept nowhere; 256 random bits need no slow digest.
 */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "cli/cli_internal.h"

enum { RANDOM_BYTES = 32 };
#define PREFIX "sty_" /* so that scanners for leaked secrets, and people, know it when they see it */
#define TOKEN_SIZE (sizeof(PREFIX) + 2 * RANDOM_BYTES)

static void make_token(char out[TOKEN_SIZE])
{
    unsigned char bytes[RANDOM_BYTES];
    sty_random_bytes(bytes, sizeof bytes);
    size_t at = (size_t)snprintf(out, TOKEN_SIZE, "%s", PREFIX);
    for (size_t i = 0; i < sizeof bytes; i++)
        at += (size_t)snprintf(out + at, TOKEN_SIZE - at, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof bytes);
}

static int check(const struct sty_cli *cli, const char *scope, const char *cluster, struct sty_error *err)
{
    if (cli->argument_count != 1 || !sty_name_valid(cli->arguments[0]))
        return sty_error_set(err, STY_USAGE, "token wants one NAME of a-z, 0-9 and inner '-': %s",
                             cli->command->synopsis);
    if (!sty_streq(scope, "read") && !sty_streq(scope, "operate") && !sty_streq(scope, "agent"))
        return sty_error_set(err, STY_USAGE, "--scope wants read, operate or agent%s%s", scope ? ", not " : "",
                             scope ? scope : "");
    bool agent = sty_streq(scope, "agent");
    if (agent && !cluster)
        return sty_error_set(err, STY_USAGE, "--scope agent wants --cluster: the one that the agent works for");
    if (!agent && cluster)
        return sty_error_set(err, STY_USAGE, "--cluster belongs to --scope agent");
    if (cluster && !sty_name_valid(cluster))
        return sty_error_set(err, STY_USAGE, "--cluster '%s' is no name of a cluster", cluster);
    return 0;
}

static json_t *make_row(const char *name, const char *scope, const char *cluster, const char *token)
{
    char digest[STY_DIGEST_SIZE];
    sty_digest(digest, token, strlen(token));
    json_t *row = json_pack("{s:s, s:s}", "name", name, "scope", scope);
    if (cluster)
        json_object_set_new(row, "cluster", json_string(cluster));
    json_object_set_new(row, "sha256", json_string(strchr(digest, ':') + 1));
    return row;
}

static void print_row(const json_t *row)
{
    const char *between = "- {";
    const char *key;
    const json_t *value;
    json_object_foreach ((json_t *)row, key, value) {
        printf("%s%s: \"%s\"", between, key, json_string_value(value));
        between = ", ";
    }
    puts("}");
}

int sty_command_token(struct sty_cli *cli, struct sty_error *err)
{
    const char *scope = sty_cli_option(cli, "scope"), *cluster = sty_cli_option(cli, "cluster");
    char token[TOKEN_SIZE];
    if (check(cli, scope, cluster, err) < 0)
        return -1;
    make_token(token);
    json_auto_t *row = make_row(cli->arguments[0], scope, cluster, token);
    if (cli->json) {
        json_auto_t *document = json_pack("{s:s, s:s, s:O}", "kind", "Token", "token", token, "row", row);
        return sty_print_json(document, err);
    }
    if (!cli->quiet)
        puts("The token, shown this once:\n");
    puts(token);
    if (!cli->quiet)
        puts("\nIts row for http.tokens_file:\n");
    print_row(row);
    return STY_EXIT_OK;
}
