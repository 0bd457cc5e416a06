/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A package of XML parts: the workbook names the sheets, its relations say which
 * part each is, shared strings and styles are read once, then each sheet streams
 * from inflate through expat to the caller's row. Prefixes of element names are
 * ignored: some writers put one before every name.
 */
#include "format/xlsx.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256u
#define MAX_STYLES 65536u
#define DAYS_1970 25569 /* 1970-01-01 counted from 1899-12-30 */
#define DAYS_1904 1462  /* 1904-01-01 counted from there */

struct sheet {
    char name[NAME_MAX_BYTES], relation[NAME_MAX_BYTES], part[NAME_MAX_BYTES];
};

struct custom_format {
    uint32_t id;
    bool is_date;
};

struct book {
    struct zip zip;
    const struct xlsx_out *out;
    uint64_t left_bytes;
    struct sheet *sheets;
    uint32_t n_sheets;
    struct buf texts;    /* shared strings, end to end */
    uint32_t *text_ends; /* end of string i */
    uint32_t n_texts, room_texts;
    bool *is_date; /* by cell style */
    uint32_t n_styles;
    struct custom_format *formats;
    uint32_t n_formats;
    bool is_1904;
};

/* one part on its way through expat */
struct part {
    struct book *book;
    XML_Parser xml;
    int rc;
    /* shared strings */
    bool in_item, in_text, in_phonetic;
    /* styles */
    bool in_cell_styles;
    /* sheet */
    struct buf row;             /* texts of the row's cells, end to end */
    uint32_t ends[XLSX_MAX_COLUMNS], n_cells, row_number, last_row;
    struct buf value;           /* of the cell being read */
    bool in_value, in_cell;
    char type[12];
    uint32_t style, column;
};

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

static const char *attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (!strcmp(local_name(attributes[0]), name))
            return attributes[1];
    return NULL;
}

static uint32_t number_of(const char *s, uint32_t otherwise)
{
    uint64_t v;
    return s && !text_u64((struct text){s, strlen(s)}, UINT32_MAX - 1, &v) ? (uint32_t)v : otherwise;
}

static bool is_true(const char *s)
{
    return s && (!strcmp(s, "1") || !strcmp(s, "true") || !strcmp(s, "on"));
}

static void stop(struct part *p, int rc)
{
    if (!p->rc)
        p->rc = rc;
    XML_StopParser(p->xml, XML_FALSE);
}

static void refuse_doctype(void *context, const char *name, const char *system, const char *public, int has_internal)
{
    (void)name, (void)system, (void)public, (void)has_internal;
    stop(context, XLSX_BAD_XML);
}

/* ---- workbook and relations ---- */

static bool copy_name(char out[NAME_MAX_BYTES], const char *s)
{
    size_t n = s ? strlen(s) : NAME_MAX_BYTES;
    if (n >= NAME_MAX_BYTES)
        return false;
    memcpy(out, s, n + 1);
    return true;
}

static void workbook_start(void *context, const char *name, const char **attributes)
{
    struct part *p = context;
    struct book *b = p->book;
    if (!strcmp(local_name(name), "workbookPr"))
        b->is_1904 = is_true(attribute(attributes, "date1904"));
    if (strcmp(local_name(name), "sheet") || b->n_sheets == XLSX_MAX_SHEETS)
        return;
    struct sheet s = {.part = ""};
    const char *relation = NULL;
    for (const char **a = attributes; *a; a += 2)
        if (strchr(a[0], ':') && !strcmp(local_name(a[0]), "id"))
            relation = a[1];
    if (!copy_name(s.name, attribute(attributes, "name")))
        s.name[0] = '\0';
    if (!copy_name(s.relation, relation))
        return;
    struct sheet *grown = reallocarray(b->sheets, b->n_sheets + 1, sizeof(s));
    if (!grown) {
        stop(p, -ENOMEM);
        return;
    }
    b->sheets = grown;
    b->sheets[b->n_sheets++] = s;
}

static void relations_start(void *context, const char *name, const char **attributes)
{
    struct part *p = context;
    const char *id = attribute(attributes, "Id"), *target = attribute(attributes, "Target");
    if (strcmp(local_name(name), "Relationship") || !id || !target || strlen(target) + 4 > NAME_MAX_BYTES)
        return;
    for (uint32_t i = 0; i < p->book->n_sheets; i++) {
        struct sheet *s = &p->book->sheets[i];
        if (!strcmp(s->relation, id))
            snprintf(s->part, sizeof(s->part), "%s%s", *target == '/' ? "" : "xl/", *target == '/' ? target + 1 : target);
    }
}

/* ---- shared strings ---- */

static void strings_start(void *context, const char *name, const char **attributes)
{
    struct part *p = context;
    const char *local = local_name(name);
    (void)attributes;
    if (!strcmp(local, "si"))
        p->in_item = true;
    else if (!strcmp(local, "rPh"))
        p->in_phonetic = true;
    else if (!strcmp(local, "t"))
        p->in_text = p->in_item && !p->in_phonetic;
}

static void strings_end(void *context, const char *name)
{
    struct part *p = context;
    struct book *b = p->book;
    const char *local = local_name(name);
    if (!strcmp(local, "t"))
        p->in_text = false;
    else if (!strcmp(local, "rPh"))
        p->in_phonetic = false;
    if (strcmp(local, "si"))
        return;
    p->in_item = false;
    if (b->n_texts == XLSX_MAX_STRINGS) {
        stop(p, ZIP_TOO_LARGE);
        return;
    }
    if (b->n_texts == b->room_texts) {
        uint32_t room = b->room_texts ? b->room_texts * 2 : 1024;
        uint32_t *grown = reallocarray(b->text_ends, room, sizeof(*grown));
        if (!grown) {
            stop(p, -ENOMEM);
            return;
        }
        b->text_ends = grown;
        b->room_texts = room;
    }
    b->text_ends[b->n_texts++] = (uint32_t)b->texts.n;
}

static void strings_text(void *context, const char *s, int n)
{
    struct part *p = context;
    if (!p->in_text)
        return;
    buf_add(&p->book->texts, s, (size_t)n);
    if (p->book->texts.is_bad)
        stop(p, ZIP_TOO_LARGE);
}

/* ---- styles: which cell styles show a date ---- */

/* a format code shows a date when it holds y, d, h or s, or m, outside quotes, brackets and escapes */
static bool is_date_code(const char *code)
{
    for (const char *s = code; *s; s++) {
        if (*s == '"') {
            s = strchr(s + 1, '"');
            if (!s)
                return false;
        } else if (*s == '[') {
            bool is_span = strchr("hHmMsS", s[1]) != NULL; /* [h]:mm is a duration */
            s = strchr(s, ']');
            if (!s || is_span)
                return false;
        } else if ((*s == '\\' || *s == '_' || *s == '*') && s[1]) {
            s++;
        } else if (strchr("yYdDhHsSmM", *s)) {
            return strncasecmp(code, "General", 7) != 0;
        } else if (*s == ';') {
            return false;
        }
    }
    return false;
}

static bool is_date_format(const struct book *b, uint32_t id)
{
    if ((id >= 14 && id <= 22) || (id >= 27 && id <= 36) || id == 45 || id == 47 || (id >= 50 && id <= 58))
        return true;
    for (uint32_t i = 0; i < b->n_formats; i++)
        if (b->formats[i].id == id)
            return b->formats[i].is_date;
    return false;
}

static void styles_start(void *context, const char *name, const char **attributes)
{
    struct part *p = context;
    struct book *b = p->book;
    const char *local = local_name(name), *code = attribute(attributes, "formatCode");
    if (!strcmp(local, "numFmt") && code && b->n_formats < MAX_STYLES) {
        struct custom_format *grown = reallocarray(b->formats, b->n_formats + 1, sizeof(*grown));
        if (!grown) {
            stop(p, -ENOMEM);
            return;
        }
        b->formats = grown;
        b->formats[b->n_formats++] = (struct custom_format){number_of(attribute(attributes, "numFmtId"), UINT32_MAX), is_date_code(code)};
    } else if (!strcmp(local, "cellXfs")) {
        p->in_cell_styles = true;
    } else if (!strcmp(local, "xf") && p->in_cell_styles && b->n_styles < MAX_STYLES) {
        bool *grown = realloc(b->is_date, b->n_styles + 1);
        if (!grown) {
            stop(p, -ENOMEM);
            return;
        }
        b->is_date = grown;
        b->is_date[b->n_styles++] = is_date_format(b, number_of(attribute(attributes, "numFmtId"), 0));
    }
}

static void styles_end(void *context, const char *name)
{
    struct part *p = context;
    if (!strcmp(local_name(name), "cellXfs"))
        p->in_cell_styles = false;
}

/* ---- a sheet ---- */

/* column_of - "AB12" is column 27; the next free one when the reference is missing */
static uint32_t column_of(const char *reference, uint32_t next)
{
    uint32_t column = 0;
    size_t i = 0;
    if (!reference)
        return next;
    for (; reference[i] >= 'A' && reference[i] <= 'Z' && i < 3; i++)
        column = column * 26 + (uint32_t)(reference[i] - 'A' + 1);
    return i ? column - 1 : next;
}

static void sheet_start(void *context, const char *name, const char **attributes)
{
    struct part *p = context;
    const char *local = local_name(name);
    if (!strcmp(local, "row")) {
        uint32_t row = number_of(attribute(attributes, "r"), p->last_row + 1);
        if (row <= p->last_row || row > XLSX_MAX_ROWS) {
            stop(p, ZIP_DAMAGED);
            return;
        }
        p->row_number = row;
        p->n_cells = 0;
        buf_clear(&p->row);
    } else if (!strcmp(local, "c")) {
        const char *type = attribute(attributes, "t");
        p->column = column_of(attribute(attributes, "r"), p->n_cells);
        p->style = number_of(attribute(attributes, "s"), 0);
        snprintf(p->type, sizeof(p->type), "%s", type ? type : "n");
        p->in_cell = true;
        buf_clear(&p->value);
    } else if (!strcmp(local, "rPh")) {
        p->in_phonetic = true;
    } else if (!strcmp(local, "v") || (!strcmp(local, "t") && !p->in_phonetic)) {
        p->in_value = p->in_cell;
    }
}

static void sheet_text(void *context, const char *s, int n)
{
    struct part *p = context;
    if (!p->in_value || p->value.n + (size_t)n > XLSX_MAX_CELL_BYTES)
        return; /* what is past the limit of a cell is cut */
    buf_add(&p->value, s, (size_t)n);
}

static struct text shared(const struct book *b, uint32_t i)
{
    if (i >= b->n_texts)
        return (struct text){"", 0};
    uint32_t from = i ? b->text_ends[i - 1] : 0, n = b->text_ends[i] - from;
    return (struct text){n ? (const char *)b->texts.p + from : "", n < XLSX_MAX_CELL_BYTES ? n : XLSX_MAX_CELL_BYTES};
}

size_t xlsx_serial_format(double serial, bool is_1904, char out[32])
{
    if (!(serial >= 1) || serial >= 2958466)
        return 0;
    /* day 60 of the 1900 system is a 29 February that never was: days before it are one too early */
    double days = (is_1904 ? serial + DAYS_1904 : serial + (serial < 60 ? 1 : 0)) - DAYS_1970;
    int64_t seconds = (int64_t)floor(days * 86400 + 0.5);
    struct civil c = clock_civil(seconds * US_PER_SECOND, 0);
    return (size_t)snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

/* number_text - a number as people would write it: dates by style, whole numbers without exponent or ".0" */
static struct text number_text(const struct part *p, struct text raw, char out[64])
{
    char *end, copy[64];
    const struct book *b = p->book;
    bool is_date = p->style < b->n_styles && b->is_date[p->style];
    if (!raw.n || raw.n >= sizeof(copy))
        return raw;
    memcpy(copy, raw.p, raw.n);
    copy[raw.n] = '\0';
    double v = strtod(copy, &end);
    if (*end || !isfinite(v))
        return raw;
    size_t n = is_date ? xlsx_serial_format(v, b->is_1904, out) : 0;
    if (!n && (memchr(raw.p, 'E', raw.n) || memchr(raw.p, 'e', raw.n) || memchr(raw.p, '.', raw.n)))
        n = (size_t)snprintf(out, 64, "%.15g", v);
    return n ? (struct text){out, n} : raw;
}

static struct text cell_text(const struct part *p, char out[64])
{
    struct text raw = {p->value.n ? (const char *)p->value.p : "", p->value.n};
    if (!strcmp(p->type, "n"))
        return number_text(p, raw, out);
    if (strcmp(p->type, "s"))
        return raw;
    uint64_t i;
    return text_u64(text_trim(raw), UINT32_MAX - 1, &i) ? (struct text){"", 0} : shared(p->book, (uint32_t)i);
}

static void end_cell(struct part *p)
{
    char out[64];
    p->in_cell = p->in_value = false;
    if (p->column >= XLSX_MAX_COLUMNS || p->column < p->n_cells)
        return;
    struct text t = cell_text(p, out);
    while (p->n_cells < p->column)
        p->ends[p->n_cells++] = (uint32_t)p->row.n;
    buf_add(&p->row, t.p, t.n);
    p->ends[p->n_cells++] = (uint32_t)p->row.n;
    if (p->row.is_bad || p->value.is_bad)
        stop(p, -ENOMEM);
}

static void end_row(struct part *p)
{
    struct text cells[XLSX_MAX_COLUMNS];
    uint32_t from = 0;
    p->last_row = p->row_number;
    for (uint32_t i = 0; i < p->n_cells; i++) {
        cells[i] = (struct text){p->ends[i] > from ? (const char *)p->row.p + from : "", p->ends[i] - from};
        from = p->ends[i];
    }
    int r = p->row.n ? p->book->out->row(p->book->out->context, p->row_number, cells, p->n_cells) : 0;
    if (r)
        stop(p, r);
}

static void sheet_end(void *context, const char *name)
{
    struct part *p = context;
    const char *local = local_name(name);
    if (p->rc)
        return;
    if (!strcmp(local, "v") || !strcmp(local, "t"))
        p->in_value = false;
    else if (!strcmp(local, "rPh"))
        p->in_phonetic = false;
    else if (!strcmp(local, "c") && p->in_cell)
        end_cell(p);
    else if (!strcmp(local, "row"))
        end_row(p);
}

/* ---- parts ---- */

struct search {
    const char *name;
    struct zip_member found;
    bool is_found;
};

static int compare_member(void *context, const struct zip_member *m)
{
    struct search *s = context;
    if (!text_is_nocase(m->name, s->name))
        return 0;
    s->found = *m;
    s->is_found = true;
    return 1; /* stop looking */
}

static int feed(void *context, const uint8_t *piece, size_t n)
{
    struct part *p = context;
    if (p->book->left_bytes < n)
        return ZIP_TOO_LARGE;
    p->book->left_bytes -= n;
    if (XML_Parse(p->xml, (const char *)piece, (int)n, 0) == XML_STATUS_ERROR && !p->rc)
        p->rc = XML_GetErrorCode(p->xml) == XML_ERROR_NO_MEMORY ? -ENOMEM : XLSX_BAD_XML;
    return p->rc;
}

struct handlers {
    XML_StartElementHandler start;
    XML_EndElementHandler end;
    XML_CharacterDataHandler text;
};

/* read_part - an absent part is XLSX_NO_SHEET if it @must be there, else nothing. Otherwise as xlsx_read. */
static int read_part(struct book *b, const char *name, const struct handlers *h, bool must)
{
    struct search s = {.name = name};
    int r = zip_each(&b->zip, compare_member, &s);
    if (!s.is_found)
        return r ? r : must ? XLSX_NO_SHEET : 0;
    struct part *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->book = b;
    p->row.max = (size_t)XLSX_MAX_COLUMNS * XLSX_MAX_CELL_BYTES + 1;
    p->value.max = XLSX_MAX_CELL_BYTES + 1;
    p->xml = XML_ParserCreate(NULL);
    if (p->xml) {
        XML_SetUserData(p->xml, p);
        XML_SetElementHandler(p->xml, h->start, h->end);
        XML_SetCharacterDataHandler(p->xml, h->text);
        XML_SetStartDoctypeDeclHandler(p->xml, refuse_doctype);
        r = zip_unpack(&s.found, b->left_bytes, b->out->ignore_crc, feed, p);
        if (!r && XML_Parse(p->xml, "", 0, 1) == XML_STATUS_ERROR)
            r = p->rc ? p->rc : XLSX_BAD_XML;
        XML_ParserFree(p->xml);
    } else {
        r = -ENOMEM;
    }
    buf_fini(&p->row);
    buf_fini(&p->value);
    free(p);
    return r;
}

static int read_book(struct book *b)
{
    static const struct handlers workbook = {workbook_start, NULL, NULL}, relations = {relations_start, NULL, NULL},
                                 strings = {strings_start, strings_end, strings_text}, styles = {styles_start, styles_end, NULL},
                                 sheet = {sheet_start, sheet_end, sheet_text};
    int r = read_part(b, "xl/workbook.xml", &workbook, true);
    if (!r)
        r = read_part(b, "xl/_rels/workbook.xml.rels", &relations, true);
    if (!r)
        r = read_part(b, "xl/sharedStrings.xml", &strings, false);
    if (!r)
        r = read_part(b, "xl/styles.xml", &styles, false);
    if (!r && !b->n_sheets)
        r = XLSX_NO_SHEET;
    for (uint32_t i = 0; i < b->n_sheets && !r; i++) {
        const struct sheet *s = &b->sheets[i];
        if (b->out->sheet)
            r = b->out->sheet(b->out->context, (struct text){s->name, strlen(s->name)});
        if (!r)
            r = read_part(b, s->part, &sheet, true);
    }
    return r;
}

int xlsx_read(const void *p, size_t n, const struct xlsx_out *out)
{
    struct book b = {.out = out, .left_bytes = XLSX_MAX_BYTES, .texts = {.max = XLSX_MAX_TEXT_BYTES}};
    int r = zip_open(p, n, &b.zip);
    if (!r)
        r = read_book(&b);
    free(b.sheets);
    free(b.text_ends);
    free(b.is_date);
    free(b.formats);
    buf_fini(&b.texts);
    return r;
}
