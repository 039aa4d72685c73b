/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the list of what is tried, and how it is told. The checks themselves stand by what they look at, in
 * doctor_state.c, doctor_source.c and doctor_host.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli_internal.h"
#include "cli/doctor.h"

static sty_doctor_check check_configuration_file;

static sty_doctor_check *const all[] = {
    check_configuration_file, sty_doctor_state_dir, sty_doctor_lock,     sty_doctor_ledger,
    sty_doctor_programs,      sty_doctor_auth,      sty_doctor_source,   sty_doctor_allow,
    sty_doctor_secrets,       sty_doctor_clusters,  sty_doctor_launcher,
};

static const char *const state_names[] = {"ok", "warning", "failed"};

void sty_finding(struct sty_doctor *doctor, const char *name, enum sty_finding_state state, const char *remedy,
                 const char *format, ...)
{
    va_list values;
    char text[768];
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    json_array_append_new(doctor->checks,
                          json_pack("{s:s, s:s, s:o, s:o}", "name", name, "state", state_names[state], "message",
                                    sty_json_string(text), "remedy", sty_json_string_or_null(remedy)));
    if ((int)state > doctor->worst)
        doctor->worst = (int)state;
}

static void check_configuration_file(struct sty_doctor *doctor)
{
    struct stat status;
    const char *file = doctor->configuration->file;
    if (stat(file, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)))
        sty_finding(doctor, "configuration", STY_FINDING_WARNING,
                    sty_arena_printf(doctor->arena, "chmod go-w %s", file),
                    "%s can be changed by others than its owner", file);
    else
        sty_finding(doctor, "configuration", STY_FINDING_OK, NULL, "%s", file);
}

static void print_findings(const struct sty_cli *cli, const struct sty_doctor *doctor)
{
    static const struct {
        const char *state, *word;
        enum sty_style style;
    } words[] = {
        {"ok", "ok  ", STY_STYLE_GOOD}, {"warning", "warn", STY_STYLE_WARN}, {"failed", "FAIL", STY_STYLE_BAD}};
    for (size_t i = 0; i < json_array_size(doctor->checks); i++) {
        const json_t *check = json_array_get(doctor->checks, i);
        const char *remedy = sty_json_text(check, "remedy", NULL);
        if (cli->quiet && !remedy)
            continue;
        for (size_t w = 0; w < STY_COUNT(words); w++)
            if (sty_streq(words[w].state, sty_json_text(check, "state", "")))
                sty_print_styled(cli, words[w].style, words[w].word);
        printf("  %-13s  ", sty_json_text(check, "name", ""));
        sty_auto(str) line = STY_STR_INIT;
        sty_str_append(&line, sty_json_text(check, "message", ""));
        if (remedy)
            sty_str_appendf(&line, ": %s", remedy);
        for (char *at = line.data; *at; at++)
            *at = *at == '\n' ? ' ' : *at;
        sty_print_visible(line.data);
        putchar('\n');
    }
}

int sty_command_doctor(struct sty_cli *cli, struct sty_error *err)
{
    if (cli->argument_count > 0)
        return sty_error_set(err, STY_USAGE, "doctor takes no argument");
    json_auto_t *checks = json_array();
    struct sty_doctor doctor = {.arena = cli->arena, .configuration = &cli->configuration, .checks = checks};
    struct sty_error wrong;
    if (sty_configuration_load(&cli->configuration, cli->arena, sty_cli_option(cli, "config"),
                               sty_cli_option(cli, "state-dir"), &wrong) < 0)
        sty_finding(&doctor, "configuration", STY_FINDING_FAILED, "see `styrmin help` and `styrmin init`", "%s",
                    wrong.text);
    for (size_t i = 0; i < STY_COUNT(all) && cli->configuration.file; i++)
        all[i](&doctor);
    int code = doctor.worst == STY_FINDING_FAILED ? STY_EXIT_FAILED : STY_EXIT_OK;
    if (!cli->json) {
        print_findings(cli, &doctor);
        return code;
    }
    json_auto_t *document =
        json_pack("{s:s, s:b, s:o, s:O}", "kind", "Doctor", "ok", code == STY_EXIT_OK, "configuration",
                  sty_json_string_or_null(cli->configuration.file), "checks", checks);
    return sty_print_json(document, err) < 0 ? -1 : code;
}
