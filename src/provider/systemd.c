/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's manager over the system bus. Every wait ends: for the bus itself, which may be there and not answer, and for
 * each call. What is away is STY_UNREACHABLE, so that a remediation waits for it and does not fail.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "provider/unit_internal.h"

#define SERVICE "org.freedesktop.systemd1"
#define PATH "/org/freedesktop/systemd1"
#define MANAGER SERVICE ".Manager"
#define CONNECT_MS 5000
#define CALL_MS 25000
#define RELOAD_MS 90000

void sty_systemd_clear(struct sty_systemd *systemd)
{
    systemd->bus = sd_bus_close_unref(systemd->bus);
}

static enum sty_code code_of(const sd_bus_error *error, int number)
{
    static const struct {
        const char *name;
        enum sty_code code;
    } names[] = {
        {SERVICE ".NoSuchUnit", STY_NOT_FOUND},          {SD_BUS_ERROR_FILE_NOT_FOUND, STY_NOT_FOUND},
        {SD_BUS_ERROR_ACCESS_DENIED, STY_DENIED},        {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, STY_DENIED},
        {SD_BUS_ERROR_SERVICE_UNKNOWN, STY_UNREACHABLE}, {SD_BUS_ERROR_NAME_HAS_NO_OWNER, STY_UNREACHABLE},
        {SD_BUS_ERROR_NO_REPLY, STY_UNREACHABLE},        {SD_BUS_ERROR_DISCONNECTED, STY_UNREACHABLE},
        {SD_BUS_ERROR_TIMEOUT, STY_UNREACHABLE},         {"org.freedesktop.DBus.Error.Spawn.", STY_UNREACHABLE}};
    for (size_t i = 0; error && error->name && i < STY_COUNT(names); i++)
        if (sty_starts_with(error->name, names[i].name))
            return names[i].code;
    bool answered = error && error->name && !sty_starts_with(error->name, "System.Error.");
    return answered ? STY_FAILED : number == EACCES || number == EPERM ? STY_DENIED : STY_UNREACHABLE;
}

int sty_systemd_error(struct sty_error *err, const sd_bus_error *error, int number, const char *what)
{
    enum sty_code code = code_of(error, number);
    if (error && error->message)
        return sty_error_set(err, code, "systemd: %s: %s", what, error->message);
    return sty_error_errno(err, code, number, "systemd: %s", what);
}

/* Until the bus has let us in. */
static int greet(struct sty_systemd *systemd, struct sty_error *err)
{
    const struct sty_world *world = systemd->host->world;
    int64_t deadline = world->monotonic_ms(world->self) + CONNECT_MS;
    int ready;
    while ((ready = sd_bus_is_ready(systemd->bus)) == 0) {
        int64_t left = deadline - world->monotonic_ms(world->self);
        if (left <= 0)
            return sty_error_set(err, STY_UNREACHABLE, "systemd: the system bus does not answer");
        int did = sd_bus_process(systemd->bus, NULL);
        if (did == 0)
            did = sd_bus_wait(systemd->bus, (uint64_t)left * 1000);
        if (did < 0 && did != -EINTR)
            return sty_error_errno(err, STY_UNREACHABLE, -did, "systemd: the system bus");
    }
    return ready < 0 ? sty_error_errno(err, STY_UNREACHABLE, -ready, "systemd: the system bus") : 0;
}

int sty_systemd_open(struct sty_systemd *out, const struct sty_host *host, struct sty_error *err)
{
    struct sty_systemd systemd = {NULL, host};
    int result = sd_bus_open_system(&systemd.bus);
    if (result < 0)
        return sty_error_errno(err, STY_UNREACHABLE, -result, "systemd: the system bus");
    sd_bus_set_method_call_timeout(systemd.bus, (uint64_t)CALL_MS * 1000);
    if (greet(&systemd, err) < 0) {
        sty_systemd_clear(&systemd);
        return -1;
    }
    *out = systemd;
    return 0;
}

int sty_systemd_call(struct sty_systemd *systemd, sd_bus_message **reply, struct sty_error *err, const char *member,
                     const char *types, ...)
{
    __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
    va_list arguments;
    va_start(arguments, types);
    int result = sd_bus_call_methodv(systemd->bus, SERVICE, PATH, MANAGER, member, &error, reply, types, arguments);
    va_end(arguments);
    return result < 0 ? sty_systemd_error(err, &error, -result, member) : 0;
}

/* ---- what a unit is like ---- */

/* A text; "" where the unit's kind has no such property. */
static int text(char *out, size_t size, struct sty_systemd *systemd, const char *path, const char *property)
{
    sty_auto_free char *found = NULL;
    const char *dot = strrchr(property, '.');
    sty_auto_free char *interface = sty_sprintf(SERVICE ".%.*s", (int)(dot - property), property);
    int result = sd_bus_get_property_string(systemd->bus, SERVICE, path, interface, dot + 1, NULL, &found);
    snprintf(out, size, "%s", result < 0 ? "" : found);
    return result;
}

static void read_problem(struct sty_unit_state *out, struct sty_systemd *systemd, const char *path)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    const char *name = "", *message = "";
    if (sd_bus_get_property(systemd->bus, SERVICE, path, SERVICE ".Unit", "LoadError", NULL, &reply, "(ss)") >= 0 &&
        sd_bus_message_read(reply, "(ss)", &name, &message) >= 0)
        snprintf(out->problem, sizeof(out->problem), "%.255s", message);
}

static void read_service(struct sty_unit_state *out, struct sty_systemd *systemd, const char *path)
{
    text(out->type, sizeof(out->type), systemd, path, "Service.Type");
    text(out->result, sizeof(out->result), systemd, path, "Service.Result");
    sd_bus_get_property_trivial(systemd->bus, SERVICE, path, SERVICE ".Service", "ExecMainStatus", NULL, 'i',
                                &out->exit_status);
}

int sty_unit_state_read(struct sty_unit_state *out, struct sty_systemd *systemd, const char *name,
                        struct sty_error *err)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    __attribute__((cleanup(sd_bus_error_free))) sd_bus_error error = SD_BUS_ERROR_NULL;
    struct sty_unit_state state = {0};
    const char *path = "/";
    int stale = 0;
    if (sty_systemd_call(systemd, &reply, err, "LoadUnit", "s", name) < 0)
        return -1;
    int result = sd_bus_message_read(reply, "o", &path);
    if (result >= 0)
        result = sd_bus_get_property_trivial(systemd->bus, SERVICE, path, SERVICE ".Unit", "NeedDaemonReload", &error,
                                             'b', &stale);
    if (result >= 0)
        result = text(state.load, sizeof(state.load), systemd, path, "Unit.LoadState");
    if (result >= 0)
        result = text(state.active, sizeof(state.active), systemd, path, "Unit.ActiveState");
    if (result >= 0)
        result = text(state.sub, sizeof(state.sub), systemd, path, "Unit.SubState");
    if (result < 0)
        return sty_systemd_error(err, &error, -result, name);
    state.stale = stale;
    read_problem(&state, systemd, path);
    if (sty_ends_with(name, ".service"))
        read_service(&state, systemd, path);
    *out = state;
    return 0;
}

int sty_unit_file_state(char out[32], struct sty_systemd *systemd, const char *name, struct sty_error *err)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    const char *found = "";
    if (sty_systemd_call(systemd, &reply, err, "GetUnitFileState", "s", name) < 0) {
        snprintf(out, 32, "%s", "");
        return err->code == STY_NOT_FOUND ? 0 : -1;
    }
    int result = sd_bus_message_read(reply, "s", &found);
    if (result < 0)
        return sty_systemd_error(err, NULL, -result, name);
    snprintf(out, 32, "%s", found);
    return 0;
}

/* ---- what the manager does at once ---- */

int sty_systemd_reload(struct sty_systemd *systemd, struct sty_error *err)
{
    sd_bus_set_method_call_timeout(systemd->bus, (uint64_t)RELOAD_MS * 1000);
    int result = sty_systemd_call(systemd, NULL, err, "Reload", "");
    sd_bus_set_method_call_timeout(systemd->bus, (uint64_t)CALL_MS * 1000);
    return result;
}

int sty_systemd_enable(struct sty_systemd *systemd, const char *name, bool enabled, struct sty_error *err)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int installable = 1;
    if (!enabled)
        return sty_systemd_call(systemd, NULL, err, "DisableUnitFiles", "asb", 1, name, 0) < 0
                   ? -1
                   : sty_systemd_reload(systemd, err);
    if (sty_systemd_call(systemd, &reply, err, "EnableUnitFiles", "asbb", 1, name, 0, 0) < 0)
        return -1;
    int result = sd_bus_message_read(reply, "b", &installable);
    if (result < 0)
        return sty_systemd_error(err, NULL, -result, name);
    if (!installable)
        return sty_error_set(err, STY_FAILED, "%s cannot be enabled: it has no [Install] section", name);
    return sty_systemd_reload(systemd, err);
}
