/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cli_internal: what commands share. */
#include "base/str.h"
#include "cli/cli.h"
#include "definition/definition.h"
#include "instance/instance.h"

/* The option's value (the last one given), "" for a flag that was given, NULL when it was not. */
const char *sty_cli_option(const struct sty_cli *cli, const char *name);
/* Every value of an option that may be repeated, in order; NULL-terminated, in the arena. */
const char **sty_cli_option_values(const struct sty_cli *cli, const char *name);
/* Load the configuration and open its ledger for reading: what the needs of a command's row do before it runs. */
int sty_cli_prepare(struct sty_cli *cli, unsigned needs, struct sty_error *err);

/* Find, decode and check the configuration. STY_USAGE with every mistake in the text's place printed to stderr. */
int sty_configuration_load(struct sty_configuration *out, struct sty_arena *arena, const char *file,
                           const char *state_dir, struct sty_error *err);

/* One JSON document and a newline on stdout. STY_EXIT_OK, or -1 when stdout cannot be written. */
int sty_print_json(const json_t *document, struct sty_error *err);
/* The same bytes, where one of the document's lists is empty and its entries are made only to be printed. */
struct sty_json_list {
    const char *name;
    const void *self;
    size_t count;
    json_t *(*entry)(const void *self, size_t i); /* a new reference */
};
int sty_print_json_list(const json_t *document, const struct sty_json_list *list, struct sty_error *err);
/* Untrusted text made visible, on stdout. */
void sty_print_visible(const char *text);
enum sty_style { STY_STYLE_PLAIN, STY_STYLE_BOLD, STY_STYLE_DIM, STY_STYLE_GOOD, STY_STYLE_BAD, STY_STYLE_WARN };
/* Text in colour where the terminal has any. */
void sty_print_styled(const struct sty_cli *cli, enum sty_style style, const char *text);
/* Text for people keeps to so many columns where words allow it. */
enum { STY_TEXT_WIDTH = 100 };
/* `indent` spaces, `label`, then `text` made visible, wrapped so that its further lines begin where its first does. */
void sty_print_paragraph(size_t indent, const char *label, const char *text);

/*
 * Rows of cells aligned in columns, the first row a heading; cells are made visible. Widths count code points. The last
 * cell of a row that is too long is wrapped.
 */
struct sty_table {
    size_t columns, rows;
    const char *const *cells;                                 /* rows x columns */
    enum sty_style (*style)(size_t column, const char *cell); /* NULL: plain */
};
void sty_print_table(const struct sty_cli *cli, const struct sty_table *table);

/* What check, render and explain look at: a working tree, a revision of one, or the mirror. */
struct sty_view {
    struct sty_repo *repo;
    struct sty_snapshot snapshot;
    const char *folder; /* of the snapshot below its commit's top; "" is the top */
    struct sty_problems problems;
    struct sty_catalog *catalog;
};
void sty_view_clear(struct sty_view *view);
/* `directory` as it is (revision NULL), or a revision of the repository it is in. */
int sty_view_open(struct sty_view *out, struct sty_arena *arena, const char *directory, const char *revision,
                  struct sty_error *err);
/* A commit of the mirror that syncs keep under the configuration's state directory. */
int sty_view_open_mirror(struct sty_view *out, struct sty_arena *arena, const struct sty_configuration *configuration,
                         const char *commit, struct sty_error *err);
/* Every target of the catalog, or of those that `pattern` names. STY_NOT_FOUND lists what there is. */
int sty_view_targets(struct sty_target **out, size_t *count, struct sty_arena *arena, const struct sty_view *view,
                     const char *pattern, struct sty_error *err);
/* The one target that the first argument names. */
int sty_view_argument(struct sty_target *out, const struct sty_cli *cli, const struct sty_view *view,
                      struct sty_error *err);
void sty_print_problems(const struct sty_problems *problems);

/* The Instance document of section 15 (new reference), and its text. commit NULL: not known. */
json_t *sty_instance_document(const struct sty_instance *instance, const char *commit, const char *path);
void sty_print_instance(const struct sty_cli *cli, const json_t *document);

int sty_command_check(struct sty_cli *cli, struct sty_error *err);
int sty_command_render(struct sty_cli *cli, struct sty_error *err);
int sty_command_explain(struct sty_cli *cli, struct sty_error *err);
int sty_command_version(struct sty_cli *cli, struct sty_error *err);
int sty_command_help(struct sty_cli *cli, struct sty_error *err);
int sty_command_completion(struct sty_cli *cli, struct sty_error *err);
int sty_command_plan(struct sty_cli *cli, struct sty_error *err);
int sty_command_sync(struct sty_cli *cli, struct sty_error *err);
int sty_command_drift(struct sty_cli *cli, struct sty_error *err);
int sty_command_hand(struct sty_cli *cli, struct sty_error *err); /* retry ... release: by the command's name */
int sty_command_status(struct sty_cli *cli, struct sty_error *err);
int sty_command_history(struct sty_cli *cli, struct sty_error *err);
int sty_command_show(struct sty_cli *cli, struct sty_error *err);
int sty_command_diff(struct sty_cli *cli, struct sty_error *err);
int sty_command_logs(struct sty_cli *cli, struct sty_error *err);
int sty_command_verify(struct sty_cli *cli, struct sty_error *err);
int sty_command_ledger(struct sty_cli *cli, struct sty_error *err);
int sty_command_init(struct sty_cli *cli, struct sty_error *err);
int sty_command_git_setup(struct sty_cli *cli, struct sty_error *err);
int sty_command_token(struct sty_cli *cli, struct sty_error *err);
int sty_command_doctor(struct sty_cli *cli, struct sty_error *err);

/* What each exit status means; ended by a row without a meaning. */
struct sty_exit_meaning {
    int code;
    const char *meaning;
};
extern const struct sty_exit_meaning sty_exit_meanings[];
/* The manual page (mdoc) on stdout. */
int sty_manual_print(struct sty_error *err);
