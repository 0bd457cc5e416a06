/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of fields are looked up once: a hash of (section, name) gives the field's number and, of names the tables know,
 * a slot in which the value's place in the row is kept. At the end the rows of the tables that speak of this event
 * are found by source and number, and each takes its value from its slot.
 */
#include "format/event_windows.h"

#include "base/clock.h"
#include "format/event_windows_own.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 4096, SLOTS_MAX = 256, SLOT_PLACES = 1024, PLANS = 1024, PLAN_NONE = UINT16_MAX };
#define NO_VALUE UINT32_MAX

struct name {
    uint32_t hash;
    uint16_t field, slot;
    uint8_t section, n;
    char text[62];
};

/* rows of the tables that speak of one event number of one source; made when it is first met */
struct plan {
    uint32_t id; /* source << 16 | event id; 0: empty */
    uint16_t from, n; /* in .rows */
    uint16_t meaning; /* PLAN_NONE */
};

struct event_windows {
    struct event_names *names;
    struct events *e;
    int zone_s;
    bool has_time;
    uint64_t known[SLOTS_MAX / 64]; /* slots that hold a value of this event */
    uint32_t at[SLOTS_MAX];         /* their values' places in the batch */
    uint32_t system_at[EVTX_N_SYSTEM];
    uint32_t n_names, n_plans, n_rows, n_slots;
    const char *slot_names[SLOTS_MAX];
    uint16_t slot_place[SLOT_PLACES];  /* slots by the hash of their names; 0: empty */
    uint16_t row_slots[SLOTS_MAX * 2]; /* of each row of windows_copies */
    struct plan plans[PLANS];
    uint16_t rows[PLANS * 8];
    uint16_t place[NAMES]; /* of `table`, from 1, by hash; 0: empty */
    struct name table[NAMES / 2]; /* not cleared: the first n_names count */
};

_Static_assert(SLOT_PLACES >= 2 * SLOTS_MAX, "an empty place is always near");

/* slot_place - where the slot of @name stands or would stand. */
static uint16_t *slot_place(struct event_windows *w, struct text name)
{
    uint32_t i = evtx_name_hash(name.p, name.n) % SLOT_PLACES;
    while (w->slot_place[i] && !text_is(name, w->slot_names[w->slot_place[i]]))
        i = (i + 1) % SLOT_PLACES;
    return &w->slot_place[i];
}

static uint16_t slot_of(struct event_windows *w, const char *name)
{
    uint16_t *place = slot_place(w, (struct text){name, strlen(name)});
    if (!*place) {
        w->slot_names[w->n_slots] = name;
        *place = (uint16_t)w->n_slots++;
    }
    return *place;
}

struct event_windows *event_windows_new(struct event_names *names)
{
    struct event_windows *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    memset(w, 0, offsetof(struct event_windows, table));
    w->names = names;
    w->n_slots = 1;
    for (unsigned i = 0; i < windows_n_copies; i++) {
        if (w->n_slots == SLOTS_MAX || i == sizeof w->row_slots / sizeof *w->row_slots) {
            free(w); /* the tables have outgrown their numbers: every test says so */
            return NULL;
        }
        w->row_slots[i] = slot_of(w, windows_copies[i].name);
    }
    return w;
}

void event_windows_free(struct event_windows *w)
{
    free(w);
}

void event_windows_begin(struct event_windows *w, struct events *e, int zone_s)
{
    w->e = e;
    w->zone_s = zone_s;
    w->has_time = false;
    memset(w->known, 0, sizeof w->known);
    memset(w->system_at, 0xff, sizeof w->system_at);
}

/* --- <System> ---------------------------------------------------------------------------------------- */

static const uint16_t system_fields[EVTX_N_SYSTEM] = {
    [EVTX_NOT_SYSTEM] = EVENT_NO_FIELD,
    [EVTX_PROVIDER_NAME] = EV_WINLOG_PROVIDER,
    [EVTX_PROVIDER_GUID] = EV_WINLOG_PROVIDER_GUID,
    [EVTX_PROVIDER_SOURCE] = EVENT_NO_FIELD, /* no name of its own in Winlogbeat: see other_system */
    [EVTX_EVENT_ID] = EV_WINLOG_EVENT_ID,
    [EVTX_QUALIFIERS] = EV_WINLOG_QUALIFIERS,
    [EVTX_VERSION] = EV_WINLOG_VERSION,
    [EVTX_LEVEL] = EV_WINLOG_LEVEL,
    [EVTX_TASK] = EV_WINLOG_TASK,
    [EVTX_OPCODE] = EV_WINLOG_OPCODE,
    [EVTX_KEYWORDS] = EV_WINLOG_KEYWORDS,
    [EVTX_TIME_CREATED] = EVENT_NO_FIELD,
    [EVTX_RECORD_ID] = EV_WINLOG_RECORD_ID,
    [EVTX_ACTIVITY_ID] = EV_WINLOG_ACTIVITY_ID,
    [EVTX_RELATED_ACTIVITY_ID] = EV_WINLOG_RELATED_ACTIVITY_ID,
    [EVTX_PROCESS_ID] = EV_WINLOG_PROCESS_PID,
    [EVTX_THREAD_ID] = EV_WINLOG_THREAD_ID,
    [EVTX_CHANNEL] = EV_WINLOG_CHANNEL,
    [EVTX_COMPUTER] = EV_WINLOG_COMPUTER,
    [EVTX_USER_ID] = EV_WINLOG_USER_SID,
};

static const struct text system_paths[EVTX_N_SYSTEM] = {
#define X(id, path, name) [id] = {path, sizeof path - 1},
    EVTX_SYSTEM_FIELDS(X)
#undef X
};

enum evtx_system event_windows_system_id(struct text path)
{
    if (text_is(path, "Security.UserId") || text_is(path, "Security.UserID"))
        return EVTX_USER_ID;
    for (int i = 1; i < EVTX_N_SYSTEM; i++)
        if (text_equal(path, system_paths[i]))
            return (enum evtx_system)i;
    return EVTX_NOT_SYSTEM;
}

bool event_windows_section(struct text name, enum evtx_section *ret)
{
    static const struct {
        const char *name;
        enum evtx_section section;
    } table[] = {{"System", EVTX_IN_SYSTEM}, {"EventData", EVTX_IN_EVENT_DATA}, {"UserData", EVTX_IN_USER_DATA},
                 {"ProcessingErrorData", EVTX_IN_ERROR_DATA}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (text_is(name, table[i].name)) {
            *ret = table[i].section;
            return true;
        }
    return false;
}

/* is_guid - 32 hexadecimal digits and four dashes, as Windows groups them, without braces. */
static bool is_guid(struct text t)
{
    if (t.n != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = t.p[i];
        if (is_dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* braced - some tools print GUIDs without the braces Windows writes. */
static struct text braced(struct text t, char out[38])
{
    if (!is_guid(t))
        return t;
    out[0] = '{';
    memcpy(out + 1, t.p, 36);
    out[37] = '}';
    return (struct text){out, 38};
}

/* as_hex - a mask that was printed as a decimal number, signed or not, the way Windows prints masks. */
static struct text as_hex(struct text t, char out[19])
{
    uint64_t v;
    bool is_negative = t.n && t.p[0] == '-';
    if (text_u64((struct text){t.p + is_negative, t.n - is_negative}, UINT64_MAX, &v))
        return t;
    v = is_negative ? 0 - v : v;
    unsigned n_digits = v ? (67u - (unsigned)__builtin_clzll(v)) / 4 : 1;
    memcpy(out, "0x", 2);
    for (unsigned i = 0; i < n_digits; i++)
        out[2 + i] = "0123456789abcdef"[v >> 4 * (n_digits - 1 - i) & 15];
    return (struct text){out, 2 + n_digits};
}

void event_windows_time(struct event_windows *w, int64_t time_us)
{
    event_time(w->e, time_us);
    w->has_time = true;
}

void event_windows_system(struct event_windows *w, enum evtx_system id, struct text value)
{
    char scratch[40];
    int64_t time_us;
    if (!value.n || w->system_at[id] != NO_VALUE)
        return;
    if (id == EVTX_TIME_CREATED) {
        if (!w->has_time && !clock_parse(value.p, value.n, w->zone_s, &time_us))
            event_windows_time(w, time_us);
        return;
    }
    if (id == EVTX_PROVIDER_GUID || id == EVTX_ACTIVITY_ID || id == EVTX_RELATED_ACTIVITY_ID)
        value = braced(value, scratch);
    else if (id == EVTX_KEYWORDS)
        value = as_hex(value, scratch);
    if (system_fields[id] == EVENT_NO_FIELD)
        return;
    w->system_at[id] = w->e->n_values;
    event_put(w->e, system_fields[id], value);
}

/* --- data -------------------------------------------------------------------------------------------- */

static struct text section_prefix(enum evtx_section section)
{
    switch (section) {
    case EVTX_IN_EVENT_DATA: return TEXT("winlog.event_data.");
    case EVTX_IN_USER_DATA: return TEXT("winlog.user_data.");
    case EVTX_IN_ERROR_DATA: return TEXT("winlog.processing_error.");
    case EVTX_IN_SYSTEM: return TEXT("winlog.system.");
    case EVTX_IN_EVENT: break;
    }
    return TEXT("winlog.");
}

static uint16_t field_of(struct event_windows *w, enum evtx_section section, struct text name)
{
    char full[EVENT_NAME_MAX];
    struct text prefix = section_prefix(section);
    if (section == EVTX_IN_EVENT && (text_is(name, "RenderingInfo.Message") || text_is(name, "Message")))
        return EV_MESSAGE;
    if (prefix.n + name.n > sizeof full)
        return EVENT_NO_FIELD;
    memcpy(full, prefix.p, prefix.n);
    memcpy(full + prefix.n, name.p, name.n);
    return event_names_add(w->names, (struct text){full, prefix.n + name.n});
}

static uint16_t known_slot(struct event_windows *w, enum evtx_section section, struct text name)
{
    return section == EVTX_IN_EVENT_DATA || section == EVTX_IN_USER_DATA ? *slot_place(w, name) : 0;
}

/* look_up - the field and slot of a name; the table takes what fits. */
static struct name look_up(struct event_windows *w, enum evtx_section section, struct text name)
{
    uint32_t hash = evtx_name_hash(name.p, name.n) * 5 + (uint32_t)section;
    uint32_t i = hash >> 8; /* half of the places stay empty: the search ends */
    for (; w->place[i % NAMES]; i++) {
        const struct name *k = &w->table[w->place[i % NAMES] - 1];
        if (k->hash == hash && k->section == section && k->n == name.n && !memcmp(k->text, name.p, name.n))
            return *k;
    }
    struct name found = {.hash = hash, .field = field_of(w, section, name), .slot = known_slot(w, section, name),
                         .section = (uint8_t)section, .n = (uint8_t)name.n};
    if (name.n > sizeof found.text || w->n_names >= NAMES / 2 || found.field == EVENT_NO_FIELD)
        return found;
    memcpy(found.text, name.p, name.n);
    w->table[w->n_names++] = found;
    w->place[i % NAMES] = (uint16_t)w->n_names;
    return found;
}

/* is_guid_name - fields that hold GUIDs by their name: those some tools print without braces. */
static bool is_guid_name(struct text name)
{
    return name.n >= 4 && !strncasecmp(name.p + name.n - 4, "guid", 4);
}

void event_windows_data(struct event_windows *w, enum evtx_section section, struct text name, struct text value)
{
    char scratch[40];
    struct name found = look_up(w, section, name);
    if (value.n == 36 && is_guid_name(name))
        value = braced(value, scratch);
    uint32_t at = w->e->n_values;
    event_put_text(w->e, found.field, value);
    if (!found.slot || w->e->n_values == at || (w->known[found.slot / 64] >> found.slot % 64 & 1))
        return;
    w->known[found.slot / 64] |= UINT64_C(1) << found.slot % 64;
    w->at[found.slot] = at;
}

/* --- what follows -------------------------------------------------------------------------------------- */

static struct text text_at(const struct event_windows *w, uint32_t at)
{
    if (at == NO_VALUE || w->e->values[at].type != EVENT_KEYWORD)
        return TEXT("");
    return event_text(w->e, &w->e->values[at]);
}

static bool is_said(struct text t)
{
    return t.n && !(t.n == 1 && t.p[0] == '-');
}

/* number_of - decimal or hexadecimal as Windows prints it. Return: 0 or 1. */
static int number_of(struct text t, int64_t *ret)
{
    uint64_t v = 0;
    if (t.n < 3 || t.n > 18 || t.p[0] != '0' || (t.p[1] | 0x20) != 'x') {
        if (text_u64(t, INT64_MAX, &v))
            return 1;
        *ret = (int64_t)v;
        return 0;
    }
    for (size_t i = 2; i < t.n; i++) {
        char c = (char)(t.p[i] | 0x20);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return 1;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (v > INT64_MAX)
        return 1;
    *ret = (int64_t)v;
    return 0;
}

struct copying {
    struct event_windows *w;
    const struct windows_copy *row;
    uint32_t at;
    struct text t;
    bool has_ecs;
};

static bool may_put(const struct copying *c, uint16_t field)
{
    return field != EVENT_NO_FIELD && (!c->has_ecs || !event_find(c->w->e, field));
}

static void put_part(const struct copying *c, uint16_t field, uint32_t from, uint32_t n)
{
    if (n && may_put(c, field))
        event_put_part(c->w->e, field, &c->w->e->values[c->at], from, n);
}

static void copy_path(const struct copying *c)
{
    size_t from = c->t.n;
    while (from && c->t.p[from - 1] != '\\' && c->t.p[from - 1] != '/')
        from--;
    put_part(c, c->row->field, 0, (uint32_t)c->t.n);
    put_part(c, c->row->second, (uint32_t)from, (uint32_t)(c->t.n - from));
}

static void copy_user(const struct copying *c)
{
    const char *slash = memchr(c->t.p, '\\', c->t.n);
    uint32_t n = slash ? (uint32_t)(slash - c->t.p) : 0, from = slash ? n + 1 : 0;
    put_part(c, c->row->second, 0, n);
    put_part(c, c->row->field, from, (uint32_t)c->t.n - from);
}

/* copy_hashes - "SHA1=..,MD5=..,SHA256=..,IMPHASH=.."; a lone hexadecimal text is told by its length. */
static void copy_hashes(const struct copying *c)
{
    static const struct {
        const char *name;
        uint16_t process, file;
        uint8_t n_digits;
    } kinds[] = {{"MD5", EV_PROCESS_HASH_MD5, EV_FILE_HASH_MD5, 32}, {"SHA1", EV_PROCESS_HASH_SHA1, EV_FILE_HASH_SHA1, 40},
                 {"SHA256", EV_PROCESS_HASH_SHA256, EV_FILE_HASH_SHA256, 64}, {"IMPHASH", EV_PROCESS_PE_IMPHASH, EV_FILE_PE_IMPHASH, 32}};
    bool is_process = c->row->field == EV_PROCESS_HASH_MD5;
    char copy[512]; /* the batch may move while parts are put */
    uint32_t n_all = (uint32_t)(c->t.n < sizeof copy ? c->t.n : sizeof copy);
    memcpy(copy, c->t.p, n_all);
    for (uint32_t from = 0; from < n_all;) {
        const char *comma = memchr(copy + from, ',', n_all - from);
        uint32_t end = comma ? (uint32_t)(comma - copy) : n_all;
        const char *equals = memchr(copy + from, '=', end - from);
        struct text name = {copy + from, equals ? (size_t)(equals - copy) - from : 0};
        uint32_t value = equals ? (uint32_t)(equals - copy) + 1 : from;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (equals ? text_is_nocase(name, kinds[k].name) : k < 3 && end - value == kinds[k].n_digits)
                put_part(c, is_process ? kinds[k].process : kinds[k].file, value, end - value);
        from = end + 1;
    }
}

static void copy_direction(const struct copying *c)
{
    static const struct {
        const char *text, *direction;
    } table[] = {{"true", "egress"}, {"false", "ingress"}, {"%%14592", "inbound"}, {"%%14593", "outbound"},
                 {"Inbound", "inbound"}, {"Outbound", "outbound"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (text_is_nocase(c->t, table[i].text) && may_put(c, c->row->field)) {
            event_put_text(c->w->e, c->row->field, (struct text){table[i].direction, strlen(table[i].direction)});
            return; /* the batch may have moved: c->t is gone */
        }
}

static void copy_protocol(const struct copying *c)
{
    static const struct {
        const char *number, *name;
    } table[] = {{"1", "icmp"}, {"6", "tcp"}, {"17", "udp"}, {"58", "ipv6-icmp"}};
    put_part(c, c->row->field, 0, (uint32_t)c->t.n);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (text_is(c->t, table[i].number) && may_put(c, EV_NETWORK_TRANSPORT)) {
            event_put_text(c->w->e, EV_NETWORK_TRANSPORT, (struct text){table[i].name, strlen(table[i].name)});
            return;
        }
}

static void copy_row(const struct copying *c)
{
    struct event_windows *w = c->w;
    int64_t number;
    struct ip ip;
    switch ((enum windows_op)c->row->op) {
    case WINDOWS_COPY: put_part(c, c->row->field, 0, (uint32_t)c->t.n); break;
    case WINDOWS_NUMBER:
        if (!number_of(c->t, &number) && may_put(c, c->row->field))
            event_put_long(w->e, c->row->field, number);
        break;
    case WINDOWS_ADDRESS:
        if (!ip_parse(c->t.p, c->t.n, &ip) && may_put(c, c->row->field))
            event_put_ip(w->e, c->row->field, &ip);
        break;
    case WINDOWS_PATH: copy_path(c); break;
    case WINDOWS_USER: copy_user(c); break;
    case WINDOWS_HASHES: copy_hashes(c); break;
    case WINDOWS_DIRECTION: copy_direction(c); break;
    case WINDOWS_PROTOCOL: copy_protocol(c); break;
    }
}

/* make_plan - the rows that speak of one event; none if there is no room left for them. */
static void make_plan(struct event_windows *w, struct plan *p, uint32_t id)
{
    unsigned source = id >> 16, event = id & 0xffff;
    p->id = id;
    p->from = (uint16_t)w->n_rows;
    p->meaning = PLAN_NONE;
    for (unsigned i = 0; i < windows_n_copies; i++) {
        const struct windows_copy *row = &windows_copies[i];
        if (row->source == source && row->from <= event && event <= row->to && w->n_rows < sizeof w->rows / sizeof *w->rows)
            w->rows[w->n_rows++] = (uint16_t)i;
    }
    p->n = (uint16_t)(w->n_rows - p->from);
    for (unsigned i = 0; i < windows_n_meanings; i++)
        if (windows_meanings[i].source == source && windows_meanings[i].id == event)
            p->meaning = (uint16_t)i;
}

static const struct plan *plan_of(struct event_windows *w, enum windows_source source, uint64_t event)
{
    static const struct plan none = {.meaning = PLAN_NONE};
    if (source == WINDOWS_OTHER || event == 0 || event > UINT16_MAX)
        return &none;
    uint32_t id = (uint32_t)source << 16 | (uint32_t)event;
    uint32_t i = id * 2654435761u >> 12;
    for (;; i++) {
        struct plan *p = &w->plans[i % PLANS];
        if (p->id == id)
            return p;
        if (p->id)
            continue;
        if (w->n_plans == PLANS / 2)
            return &none;
        w->n_plans++;
        make_plan(w, p, id);
        return p;
    }
}

static enum windows_source source_of(const struct event_windows *w)
{
    struct text provider = text_at(w, w->system_at[EVTX_PROVIDER_NAME]), channel = text_at(w, w->system_at[EVTX_CHANNEL]);
    for (unsigned i = 0; i < windows_n_sources; i++)
        if (text_is(provider, windows_sources[i].provider))
            return windows_sources[i].source;
    if (provider.n)
        return WINDOWS_OTHER;
    if (text_is(channel, "Microsoft-Windows-Sysmon/Operational"))
        return WINDOWS_SYSMON;
    if (text_is(channel, "Microsoft-Windows-PowerShell/Operational"))
        return WINDOWS_POWERSHELL;
    return text_is(channel, "Security") ? WINDOWS_SECURITY : WINDOWS_OTHER;
}

/* put_words - a constant text; parts between commas are a list. */
static void put_words(const struct copying *c, uint16_t field, const char *words)
{
    if (!words || !may_put(c, field))
        return;
    for (const char *p = words;; p++) {
        size_t n = strcspn(p, ",");
        event_put_text(c->w->e, field, (struct text){p, n});
        p += n;
        if (!*p)
            return;
    }
}

static void put_meaning(const struct copying *c, const struct plan *p)
{
    struct event_windows *w = c->w;
    const struct windows_meaning *m = p->meaning == PLAN_NONE ? NULL : &windows_meanings[p->meaning];
    struct text keywords = text_at(w, w->system_at[EVTX_KEYWORDS]);
    const char *outcome = m ? m->outcome : NULL;
    /* bits 52 and 53 of the keywords: Audit Failure and Audit Success; the digit of bits 52..55 is the 13th from the right */
    if (!outcome && keywords.n >= 16 && keywords.p[0] == '0' && (keywords.p[1] | 0x20) == 'x') {
        char digit = keywords.p[keywords.n - 14];
        outcome = digit == '1' || digit == '9' ? "failure" : digit == '2' || digit == 'a' || digit == 'A' ? "success" : NULL;
    }
    put_words(c, EV_EVENT_KIND, m && m->kind ? m->kind : "event");
    put_words(c, EV_EVENT_OUTCOME, outcome);
    if (!m)
        return;
    put_words(c, EV_EVENT_ACTION, m->action);
    put_words(c, EV_EVENT_CATEGORY, m->category);
    put_words(c, EV_EVENT_TYPE, m->type);
}

static void copy_system(const struct copying *c)
{
    static const char *const levels[] = {"information", "critical", "error", "warning", "information", "verbose"};
    static const struct {
        uint8_t id;
        uint16_t field;
    } table[] = {{EVTX_EVENT_ID, EV_EVENT_CODE}, {EVTX_PROVIDER_NAME, EV_EVENT_PROVIDER}, {EVTX_COMPUTER, EV_HOST_NAME}};
    struct event_windows *w = c->w;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (w->system_at[table[i].id] != NO_VALUE && may_put(c, table[i].field))
            event_copy(w->e, table[i].field, &w->e->values[w->system_at[table[i].id]]);
    struct text level = text_at(w, w->system_at[EVTX_LEVEL]);
    if (level.n == 1 && level.p[0] >= '0' && level.p[0] <= '5')
        put_words(c, EV_LOG_LEVEL, levels[level.p[0] - '0']);
}

void event_windows_end(struct event_windows *w, bool has_ecs)
{
    uint64_t event = 0;
    struct copying c = {.w = w, .has_ecs = has_ecs};
    if (text_u64(text_at(w, w->system_at[EVTX_EVENT_ID]), UINT16_MAX, &event))
        event = 0;
    const struct plan *p = plan_of(w, source_of(w), event);
    copy_system(&c);
    put_meaning(&c, p);
    for (unsigned i = 0; i < p->n; i++) {
        uint16_t row = w->rows[p->from + i], slot = w->row_slots[row];
        if (!(w->known[slot / 64] >> slot % 64 & 1))
            continue;
        c.row = &windows_copies[row];
        c.at = w->at[slot];
        c.t = text_at(w, c.at);
        if (is_said(c.t))
            copy_row(&c);
    }
}

void event_windows_record(struct event_windows *w, struct evtx *decoder, const struct evtx_record *r)
{
    for (uint32_t i = 0; i < r->n_fields; i++) {
        const struct evtx_field *f = &r->fields[i];
        if (f->system == EVTX_TIME_CREATED && (f->type == EVTX_FILETIME || f->type == EVTX_SYSTEMTIME)) {
            event_windows_time(w, evtx_time_us(f->u64));
            continue;
        }
        struct text value = evtx_text(decoder, f);
        if (!value.p)
            w->e->is_truncated = true;
        else if (f->system != EVTX_NOT_SYSTEM)
            event_windows_system(w, (enum evtx_system)f->system, value);
        else
            event_windows_data(w, (enum evtx_section)f->section, (struct text){f->name, f->n_name}, value);
    }
    if (!w->has_time)
        event_windows_time(w, r->written_us);
}
