/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real event logs: every record of the shared samples is read, and each event that Sigma keeps beside its .evtx as JSON
 * (made with the evtx project's evtx_dump) has the same fields.
 *
 * RECORDS.tsv counts with libevtx 20181227, which gives nothing of an event that was written without a template (as a
 * collector writes forwarded ones) and leaves out torn records. How many records there really are is
 * stated by Windows itself in each chunk's header: last record number minus first, plus one.
 */
#include "cmocka_house.h"
#include "base/cursor.h"
#include "format/evtx.h"
#include "help_dir.h"

#include <expat.h>
#include <jansson.h>

#define IDS_MAX 4096

struct log {
    uint8_t *p;
    size_t n;
};

struct tally {
    uint64_t n_records, n_torn, n_stated, n_templates;
    uint32_t ids[IDS_MAX], counts[IDS_MAX];
    size_t n_ids;
};

static const struct {
    const char *file;
    unsigned theirs, ours;
    bool has_torn; /* else: events without a template */
} known[] = {
    {"ID1149-RDP success logins to multiple hosts.evtx", 0, 11, false},
    {"ID800-4103-Interactive PipeShell over named pipe (server and client).evtx", 0, 30, false},
    {"ID800-4103-4104-WMI registration via PowerLurk.evtx", 0, 10, false},
    {"ID800-4103-4104-Print spooler privilege escalation (CVE-2020-1048).evtx", 0, 10, false},
    {"ID2003-4950-Firewall disabled.evtx", 0, 6, false},
    {"ID800-4103-Firewall disabled.evtx", 0, 10, false},
    {"ID131-RDP brutforce (no user info).evtx", 0, 154, false},
    {"ID4799-4624-Local admin group enumerated by SharpHound.evtx", 0, 55, false},
    {"MSExchange_Management_wec.evtx", 0, 1, false},
    /* three chunks end in a record of which Windows wrote half a page; evtx's own tests count 270 records here too */
    {"sample_with_a_bad_chunk_magic.evtx", 267, 270, true},
};

/* unpack - an archive of the shared data into a folder of its own. Return: false and a word why if it is not there. */
static bool unpack(const char *archive, struct help_dir *ret)
{
    const char *shared = getenv("VONGGAC_SHARED");
    char path[1024], command[2048];
    snprintf(path, sizeof(path), "%s/data/%s", shared ? shared : "../shared", archive);
    if (access(path, R_OK)) {
        print_message("skipped: no %s under VONGGAC_SHARED/data\n", archive);
        return false;
    }
    *ret = help_dir_new();
    snprintf(command, sizeof(command), "tar -xJf '%s' -C '%s'", path, ret->path);
    assert_int_equal(system(command), 0);
    return true;
}

static struct log log_read(const char *path)
{
    struct log l;
    if (file_read_path(path, (size_t)64 << 20, &l.p, &l.n))
        fail_msg("cannot read %s", path);
    return l;
}

static void count_id(struct tally *t, const struct evtx_record *r)
{
    const struct evtx_field *f = evtx_system_field(r, EVTX_EVENT_ID);
    uint64_t id;
    assert_non_null(f);
    assert_true(evtx_number(f, &id));
    size_t i = 0;
    while (i < t->n_ids && t->ids[i] != id)
        i++;
    assert_true(i < IDS_MAX);
    t->ids[i] = (uint32_t)id;
    t->n_ids += i == t->n_ids;
    t->counts[i]++;
}

/* stated - how many records the headers of the chunks count. */
static uint64_t stated(const struct log *l)
{
    uint64_t n = 0;
    for (size_t at = EVTX_FILE_HEADER; l->n - at >= EVTX_CHUNK; at += EVTX_CHUNK)
        if (!memcmp(l->p + at, "ElfChnk", 8))
            n += load_le64(l->p + at + 16) - load_le64(l->p + at + 8) + 1;
    return n;
}

static void check_xml(struct evtx *e, struct buf *xml)
{
    XML_Parser parser = XML_ParserCreate("UTF-8");
    assert_non_null(parser);
    buf_clear(xml);
    assert_int_equal(evtx_xml(e, xml), 0);
    if (XML_Parse(parser, (const char *)xml->p, (int)xml->n, 1) != XML_STATUS_OK)
        fail_msg("%s: %.*s", XML_ErrorString(XML_GetErrorCode(parser)), (int)xml->n, (const char *)xml->p);
    XML_ParserFree(parser);
}

static void tally_file(struct evtx *e, const char *path, struct tally *t)
{
    struct log l = log_read(path);
    struct buf xml = {.max = 1 << 20};
    const struct evtx_record *r;
    *t = (struct tally){0};
    assert_int_equal(evtx_open(e, l.p, l.n), 0);
    for (int s; (s = evtx_next(e, &r)) != EVTX_END;) {
        if (s == EVTX_REFUSED) { /* of whole chunks only */
            assert_in_range(evtx_refusal(e)->reason, EVTX_CHUNK_MAGIC, EVTX_CHUNK_CHAIN);
            continue;
        }
        assert_int_equal(s, 0);
        assert_false(r->is_carved);
        assert_true(r->damage == EVTX_FINE || r->damage == EVTX_RECORD_TORN);
        t->n_torn += r->damage == EVTX_RECORD_TORN;
        assert_true(r->damage || evtx_system_field(r, EVTX_PROVIDER_NAME));
        assert_non_null(evtx_system_field(r, EVTX_COMPUTER));
        count_id(t, r);
        t->n_records++;
        check_xml(e, &xml);
    }
    assert_int_equal(evtx_counters(e)->n_candidates, t->n_records);
    assert_int_equal(evtx_counters(e)->n_records, t->n_records);
    t->n_templates = evtx_counters(e)->n_templates;
    t->n_stated = stated(&l);
    buf_fini(&xml);
    free(l.p);
}

/* check_counts - against one line of RECORDS.tsv: file, records, "id(count) id(count) ..." (the most frequent). */
static void check_counts(const struct tally *t, const char *file, unsigned theirs, char *ids)
{
    const char *base = strrchr(file, '/');
    base = base ? base + 1 : file;
    for (char *word = strtok(ids, " \n"); word; word = strtok(NULL, " \n")) {
        unsigned id, n;
        assert_int_equal(sscanf(word, "%u(%u)", &id, &n), 2);
        size_t i = 0;
        while (i < t->n_ids && t->ids[i] != id)
            i++;
        if (i == t->n_ids || t->counts[i] < n)
            fail_msg("%s: event %u: %u of %u", file, id, i < t->n_ids ? t->counts[i] : 0, n);
    }
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i].file, base))
            continue;
        assert_int_equal(theirs, known[i].theirs);
        assert_int_equal(t->n_records, known[i].ours);
        assert_int_equal(t->n_torn, known[i].has_torn ? t->n_records - theirs : 0);
        if (!known[i].has_torn) {
            assert_int_equal(t->n_templates, 0);
            assert_int_equal(t->n_records, t->n_stated);
        }
        return;
    }
    assert_int_equal(t->n_torn, 0);
    if (t->n_records != theirs || t->n_records != t->n_stated)
        fail_msg("%s: %llu records, libevtx has %u, the headers state %llu", file, (unsigned long long)t->n_records, theirs,
                 (unsigned long long)t->n_stated);
}

static void check_archive(const char *archive, unsigned n_files_wanted, unsigned n_records_wanted)
{
    struct help_dir dir;
    char path[2048], line[8192];
    unsigned n_files = 0, n_records = 0;
    if (!unpack(archive, &dir)) {
        skip();
        return;
    }
    struct evtx *e;
    struct tally *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    assert_int_equal(evtx_new(&e, &(struct evtx_options){.has_xml = true}), 0);
    snprintf(path, sizeof(path), "%s/RECORDS.tsv", dir.path);
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof(line), list)); /* titles */
    while (fgets(line, sizeof(line), list)) {
        char *records = strchr(line, '\t'), *ids = records ? strchr(records + 1, '\t') : NULL;
        assert_non_null(ids);
        *records++ = '\0';
        *ids++ = '\0';
        snprintf(path, sizeof(path), "%s/%s", dir.path, line);
        tally_file(e, path, t);
        check_counts(t, line, (unsigned)strtoul(records, NULL, 10), ids);
        n_files++;
        n_records += (unsigned)t->n_records;
    }
    fclose(list);
    print_message("%s: %u files, %u records\n", archive, n_files, n_records);
    assert_int_equal(n_files, n_files_wanted);
    assert_int_equal(n_records, n_records_wanted);
    evtx_free(e);
    free(t);
    help_dir_free(&dir);
}

/* 5232, 4715 and 4778 are libevtx's sums; what is known to be missing there comes on top. */
static void every_record_of_the_attack_samples_is_read(void **state)
{
    (void)state;
    check_archive("evtx/evtx-attack-samples.tar.xz", 176, 5232);
}

static void every_record_of_the_mitre_samples_is_read(void **state)
{
    (void)state;
    check_archive("evtx/evtx-to-mitre.tar.xz", 188, 4715 + 11 + 30 + 10 + 10 + 6 + 10 + 154 + 55);
}

static void every_record_of_the_evtx_project_is_read_also_of_damaged_files(void **state)
{
    (void)state;
    check_archive("evtx/evtx-rs-samples.tar.xz", 7, 4778 + 1 + 3);
}

/* ---- Sigma's events ---- */

struct event {
    struct evtx *e;
    const struct evtx_record *r;
    const char *file;
    bool *seen;
};

/* same - the value as evtx_dump prints it: GUIDs without braces, times with six digits, strings without blanks behind */
static bool same(const struct evtx_field *f, struct text ours, struct text theirs)
{
    if (f->type == EVTX_GUID) {
        ours.p++;
        ours.n -= 2;
    }
    if (f->type == EVTX_FILETIME) {
        ours.n = ours.n > 26 ? 26 : ours.n;
        theirs.n = theirs.n > 26 ? 26 : theirs.n;
    }
    while (f->type == EVTX_STRING && ours.n && strchr(" \t\r\n", ours.p[ours.n - 1]))
        ours.n--;
    return text_equal(ours, theirs);
}

static const char *const section_paths[] = {[EVTX_IN_EVENT] = "",
                                            [EVTX_IN_SYSTEM] = "System.",
                                            [EVTX_IN_EVENT_DATA] = "EventData.",
                                            [EVTX_IN_USER_DATA] = "UserData.",
                                            [EVTX_IN_ERROR_DATA] = "ProcessingErrorData."};

static bool is_at(const struct evtx_field *f, const char *path)
{
    size_t n = strlen(section_paths[f->section]);
    if (f->system == EVTX_TIME_CREATED)
        return !strcmp(path, "System.TimeCreated.SystemTime");
    if (f->system == EVTX_QUALIFIERS)
        return !strcmp(path, "System.EventID.Qualifiers");
    if (f->is_attribute && f->section == EVTX_IN_EVENT_DATA && f->n_name == strlen(path) && !memcmp(f->name, path, f->n_name))
        return true; /* of <EventData> itself */
    return !strncmp(path, section_paths[f->section], n) && strlen(path + n) == f->n_name &&
           !memcmp(path + n, f->name, f->n_name);
}

static void check_value(struct event *ev, const char *path, const json_t *value)
{
    char number[32];
    struct text theirs = {"", 0};
    if (json_is_string(value)) {
        theirs = (struct text){json_string_value(value), json_string_length(value)};
    } else if (json_is_integer(value)) {
        theirs = (struct text){number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value))};
    } else if (json_is_boolean(value)) {
        theirs = json_is_true(value) ? TEXT("true") : TEXT("false");
    } else {
        assert_true(json_is_null(value));
    }
    uint32_t i = 0;
    while (i < ev->r->n_fields && (ev->seen[i] || !is_at(&ev->r->fields[i], path)))
        i++;
    if (i == ev->r->n_fields) {
        /* an element with neither text nor attributes is no field of <System> */
        if (!json_is_null(value) || (strcmp(path, "System.Correlation") && strcmp(path, "System.Security")))
            fail_msg("%s: no field %s", ev->file, path);
        return;
    }
    struct text ours = evtx_text(ev->e, &ev->r->fields[i]);
    if (!same(&ev->r->fields[i], ours, theirs))
        fail_msg("%s: %s is '%.*s', not '%.*s'", ev->file, path, (int)ours.n, ours.p, (int)theirs.n, theirs.p);
    ev->seen[i] = true;
}

static void check_object(struct event *ev, const char *path, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        char below[512];
        bool is_same_level = !strcmp(key, "#attributes") || !strcmp(key, "#text");
        if (!strcmp(key, "xmlns"))
            continue;
        assert_true((size_t)snprintf(below, sizeof(below), "%s%s%s", path, *path && !is_same_level ? "." : "",
                                     is_same_level ? "" : key) < sizeof(below));
        if (json_is_object(value))
            check_object(ev, below, value);
        else
            check_value(ev, below, value);
    }
}

/* check_event - every value of the JSON is a field, and there are no others. */
static unsigned check_event(struct event *ev, json_t *document)
{
    json_t *root = json_object_get(document, "Event");
    assert_non_null(root);
    ev->seen = calloc(ev->r->n_fields, sizeof(*ev->seen));
    assert_non_null(ev->seen);
    check_object(ev, "", root);
    for (uint32_t i = 0; i < ev->r->n_fields; i++)
        if (!ev->seen[i])
            fail_msg("%s: %.*s is not in the JSON", ev->file, (int)ev->r->fields[i].n_name, ev->r->fields[i].name);
    free(ev->seen);
    return ev->r->n_fields;
}

static unsigned n_events, n_values, n_logs;
static struct evtx *sigma;

static int check_pair(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t n_path = strlen(path);
    char other[2048];
    if (kind != FTW_F || n_path < 5 || strcmp(path + n_path - 5, ".evtx"))
        return 0;
    snprintf(other, sizeof(other), "%.*sjson", (int)(n_path - 4), path);
    struct log log = log_read(path), json = log_read(other);
    const struct evtx_record *r;
    size_t at = json.n >= 3 && !memcmp(json.p, "\xef\xbb\xbf", 3) ? 3 : 0;
    assert_int_equal(evtx_open(sigma, log.p, log.n), 0);
    for (int s; (s = evtx_next(sigma, &r)) != EVTX_END;) {
        json_error_t error;
        assert_int_equal(s, 0);
        json_t *document = json_loadb((const char *)json.p + at, json.n - at, JSON_DISABLE_EOF_CHECK, &error);
        if (!document)
            fail_msg("%s: %s", other, error.text);
        at += (size_t)error.position;
        n_values += check_event(&(struct event){.e = sigma, .r = r, .file = path}, document);
        json_decref(document);
        n_events++;
    }
    while (at < json.n && strchr(" \t\r\n", json.p[at]))
        at++;
    assert_int_equal(at, json.n); /* not an event more than there are records */
    n_logs++;
    free(log.p);
    free(json.p);
    return 0;
}

static void every_event_of_sigma_is_equal_to_its_json_field_by_field(void **state)
{
    (void)state;
    struct help_dir dir;
    if (!unpack("sigma/sigma-regression.tar.xz", &dir)) {
        skip();
        return;
    }
    assert_int_equal(evtx_new(&sigma, &(struct evtx_options){0}), 0);
    assert_int_equal(nftw(dir.path, check_pair, 16, FTW_PHYS), 0);
    print_message("%u logs, %u events, %u values\n", n_logs, n_events, n_values);
    assert_int_equal(n_logs, 125);
    assert_int_equal(n_events, 144);
    evtx_free(sigma);
    help_dir_free(&dir);
}

/* ---- carving ---- */

static void carving_gives_the_same_records_and_more(void **state)
{
    (void)state;
    static const char *const files[] = {"samples/system.evtx", "samples/sysmon.evtx", "samples/security.evtx",
                                        "samples/sample_with_a_bad_chunk_magic.evtx"};
    struct help_dir dir;
    if (!unpack("evtx/evtx-rs-samples.tar.xz", &dir)) {
        skip();
        return;
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[2048];
        uint64_t n[2], n_carved[2], refused[2] = {0};
        snprintf(path, sizeof(path), "%s/%s", dir.path, files[i]);
        struct log l = log_read(path);
        for (int may_recover = 0; may_recover < 2; may_recover++) {
            struct evtx *e;
            const struct evtx_record *r;
            assert_int_equal(evtx_new(&e, &(struct evtx_options){.may_recover = may_recover}), 0);
            assert_int_equal(evtx_open(e, l.p, l.n), 0);
            for (int s; (s = evtx_next(e, &r)) != EVTX_END;)
                refused[may_recover] += s == EVTX_REFUSED && evtx_refusal(e)->reason < EVTX_FIRST_RECORD_REASON;
            n[may_recover] = evtx_counters(e)->n_records;
            n_carved[may_recover] = evtx_counters(e)->n_carved;
            evtx_free(e);
        }
        print_message("%s: %llu records, %llu carved\n", files[i], (unsigned long long)n[0], (unsigned long long)n_carved[1]);
        assert_int_equal(n_carved[0], 0);
        assert_int_equal(n[1] - n_carved[1], n[0]);
        assert_int_equal(refused[0], refused[1]);
        free(l.p);
    }
    help_dir_free(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_of_the_evtx_project_is_read_also_of_damaged_files),
        cmocka_unit_test(every_record_of_the_attack_samples_is_read),
        cmocka_unit_test(every_record_of_the_mitre_samples_is_read),
        cmocka_unit_test(every_event_of_sigma_is_equal_to_its_json_field_by_field),
        cmocka_unit_test(carving_gives_the_same_records_and_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
