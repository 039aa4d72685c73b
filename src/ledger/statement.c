/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements: prepared once, values bound by a format, rows as JSON. SQL text never holds a value.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger_internal.h"

void sty_ledger_lock(struct sty_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
}

void sty_ledger_unlock(struct sty_ledger *ledger)
{
    pthread_mutex_unlock(&ledger->lock);
}

int sty_ledger_fail(struct sty_ledger *ledger, const char *what, struct sty_error *err)
{
    int code = sqlite3_errcode(ledger->db) & 0xff;
    /* The index beside the log has no other way to say that it cannot grow. */
    bool full = code == SQLITE_FULL || sqlite3_extended_errcode(ledger->db) == SQLITE_IOERR_SHMSIZE;
    if (full)
        return sty_error_set(err, STY_IO, "ledger: disk full (%s)", what);
    if (code == SQLITE_NOTADB)
        return sty_error_set(err, STY_CORRUPT, "ledger: the file is no database");
    if (code == SQLITE_AUTH)
        return sty_error_set(err, STY_DENIED, "ledger: only requests may be written without the lock (%s)", what);
    if (code == SQLITE_CORRUPT)
        return sty_error_set(err, STY_CORRUPT, "ledger: %s (%s); `styrmin ledger check` says more",
                             sqlite3_errmsg(ledger->db), what);
    if (code == SQLITE_BUSY)
        return sty_error_set(err, STY_BUSY, "ledger: another process writes to it (%s)", what);
    return sty_error_set(err, STY_IO, "ledger: %s (%s)", sqlite3_errmsg(ledger->db), what);
}

int sty_ledger_script(struct sty_ledger *ledger, const char *sql, struct sty_error *err)
{
    return sqlite3_exec(ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sty_ledger_fail(ledger, "schema", err);
}

static int bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return text ? sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(statement, at);
}

static int bind_json(sqlite3_stmt *statement, int at, const json_t *value)
{
    return value ? sqlite3_bind_text(statement, at, sty_json_canonical_text(value), -1, free)
                 : sqlite3_bind_null(statement, at);
}

static int bind_one(sqlite3_stmt *statement, int at, char type, va_list *values)
{
    const void *bytes;
    switch (type) {
    case 's':
        return bind_text(statement, at, va_arg(*values, const char *));
    case 'i':
        return sqlite3_bind_int64(statement, at, va_arg(*values, int64_t));
    case 'b':
        return sqlite3_bind_int64(statement, at, va_arg(*values, int));
    case 'B':
        bytes = va_arg(*values, const void *);
        return sqlite3_bind_blob64(statement, at, bytes ? bytes : "", va_arg(*values, size_t), SQLITE_TRANSIENT);
    case 'j':
        return bind_json(statement, at, va_arg(*values, const json_t *));
    case 'n':
        return sqlite3_bind_null(statement, at);
    default:
        abort();
    }
}

sqlite3_stmt *sty_ledger_statement(struct sty_ledger *ledger, const char *sql, const char *format, va_list *values,
                                   struct sty_error *err)
{
    sqlite3_stmt *statement = sty_map_get(&ledger->statements, sql);
    if (!statement) {
        if (sqlite3_prepare_v3(ledger->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
            sty_ledger_fail(ledger, sql, err);
            return NULL;
        }
        sty_map_set(&ledger->statements, sql, statement);
    }
    for (int i = 0; format[i]; i++)
        if (bind_one(statement, i + 1, format[i], values) != SQLITE_OK) {
            sty_ledger_fail(ledger, sql, err);
            sqlite3_clear_bindings(statement);
            return NULL;
        }
    return statement;
}

static void done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static int exec_locked(struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                       va_list *values)
{
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, values, err);
    if (!statement)
        return -1;
    int code;
    /* SQLite ends a transaction by itself when the disk fails: what follows must not become one of its own. */
    if (ledger->open && sqlite3_get_autocommit(ledger->db))
        return sty_error_set(err, STY_IO, "ledger: the transaction was rolled back by an earlier failure");
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        ;
    ledger->changed = sqlite3_changes64(ledger->db);
    int result = code == SQLITE_DONE ? 0 : sty_ledger_fail(ledger, sql, err);
    done(statement);
    return result;
}

int sty_ledger_exec(struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    sty_ledger_lock(ledger);
    int result = exec_locked(ledger, err, sql, format, &values);
    sty_ledger_unlock(ledger);
    va_end(values);
    return result;
}

int64_t sty_ledger_changed(const struct sty_ledger *ledger)
{
    return ledger->changed;
}

static json_t *column(sqlite3_stmt *statement, int at)
{
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(statement, at));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(statement, at));
    case SQLITE_NULL:
        return json_null();
    default: {
        const char *text = (const char *)sqlite3_column_text(statement, at);
        return sty_json_string(text ? text : "");
    }
    }
}

static json_t *row_of(sqlite3_stmt *statement)
{
    json_t *row = json_object();
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        json_object_set_new(row, sqlite3_column_name(statement, i), column(statement, i));
    return row;
}

static int rows_locked(json_t *out, struct sty_ledger *ledger, struct sty_error *err, sqlite3_stmt *statement, int most)
{
    int code = SQLITE_DONE;
    for (int n = 0; n != most && (code = sqlite3_step(statement)) == SQLITE_ROW; n++)
        json_array_append_new(out, row_of(statement));
    int result = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : sty_ledger_fail(ledger, sqlite3_sql(statement), err);
    done(statement);
    return result;
}

int sty_ledger_rows(json_t **out, struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                    ...)
{
    json_auto_t *rows = json_array();
    va_list values;
    va_start(values, format);
    sty_ledger_lock(ledger);
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, &values, err);
    int result = statement ? rows_locked(rows, ledger, err, statement, -1) : -1;
    sty_ledger_unlock(ledger);
    va_end(values);
    if (result == 0)
        *out = json_incref(rows);
    return result;
}

enum { MOST_COLUMNS = 32 };

static int visit_locked(const struct sty_ledger_visitor *visitor, struct sty_ledger *ledger, sqlite3_stmt *statement,
                        struct sty_error *err)
{
    const char *columns[MOST_COLUMNS];
    int code, result = 0, count = sqlite3_column_count(statement);
    if (count > MOST_COLUMNS)
        abort();
    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++)
            columns[i] = (const char *)sqlite3_column_text(statement, i);
        result = visitor->visit(visitor->self, columns, err);
    }
    if (result == 0 && code != SQLITE_DONE)
        result = sty_ledger_fail(ledger, sqlite3_sql(statement), err);
    done(statement);
    return result;
}

int sty_ledger_each(struct sty_ledger *ledger, const struct sty_ledger_visitor *visitor, struct sty_error *err,
                    const char *sql, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    sty_ledger_lock(ledger);
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, &values, err);
    int result = statement ? visit_locked(visitor, ledger, statement, err) : -1;
    sty_ledger_unlock(ledger);
    va_end(values);
    return result;
}

int sty_ledger_row(json_t **out, struct sty_ledger *ledger, struct sty_error *err, const char *sql, const char *format,
                   ...)
{
    json_auto_t *rows = json_array();
    va_list values;
    va_start(values, format);
    sty_ledger_lock(ledger);
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, &values, err);
    int result = statement ? rows_locked(rows, ledger, err, statement, 1) : -1;
    sty_ledger_unlock(ledger);
    va_end(values);
    if (result == 0)
        *out = json_incref(json_array_get(rows, 0));
    return result;
}

int sty_ledger_number(int64_t *out, struct sty_ledger *ledger, struct sty_error *err, const char *sql,
                      const char *format, ...)
{
    va_list values;
    va_start(values, format);
    sty_ledger_lock(ledger);
    sqlite3_stmt *statement = sty_ledger_statement(ledger, sql, format, &values, err);
    int code = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    if (code == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(statement, 0);
    int result = !statement ? -1 : code == SQLITE_ROW || code == SQLITE_DONE ? 0 : sty_ledger_fail(ledger, sql, err);
    if (statement)
        done(statement);
    sty_ledger_unlock(ledger);
    va_end(values);
    return result;
}
