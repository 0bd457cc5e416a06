/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words that head columns, Vietnamese and English, in search form (lower
 * case, no diacritics, anything but letters and digits a single blank).
 */
#include "watch/indicator/list_parse.h"

#include <string.h>

struct word {
    const char *name;
    enum list_column column;
    int rank;
};

static const struct word words[] = {
    {"ip", LIST_COLUMN_IP, 0},
    {"dia chi ip", LIST_COLUMN_IP, 0},
    {"ip nguon", LIST_COLUMN_IP, 0},
    {"dia chi ip nguon", LIST_COLUMN_IP, 0},
    {"ip public", LIST_COLUMN_IP, 0},
    {"dia chi ip public", LIST_COLUMN_IP, 0},
    {"dia chi ip cong cong", LIST_COLUMN_IP, 0},
    {"ip nhiem", LIST_COLUMN_IP, 0},
    {"dia chi ip nhiem ma doc", LIST_COLUMN_IP, 0},
    {"ip nhiem ma doc", LIST_COLUMN_IP, 0},
    {"ip botnet", LIST_COLUMN_IP, 0},
    {"dia chi", LIST_COLUMN_IP, 1},
    {"dai ip", LIST_COLUMN_IP, 1},
    {"dai dia chi", LIST_COLUMN_IP, 1},
    {"dai dia chi ip", LIST_COLUMN_IP, 1},
    {"src ip", LIST_COLUMN_IP, 0},
    {"srcip", LIST_COLUMN_IP, 0},
    {"source ip", LIST_COLUMN_IP, 0},
    {"source ip address", LIST_COLUMN_IP, 0},
    {"source address", LIST_COLUMN_IP, 0},
    {"src addr", LIST_COLUMN_IP, 0},
    {"ip address", LIST_COLUMN_IP, 0},
    {"ipaddress", LIST_COLUMN_IP, 0},
    {"ip addr", LIST_COLUMN_IP, 0},
    {"ip addresses", LIST_COLUMN_IP, 0},
    {"ipv4", LIST_COLUMN_IP, 0},
    {"ipv6", LIST_COLUMN_IP, 1},
    {"ipv4 address", LIST_COLUMN_IP, 0},
    {"ipv6 address", LIST_COLUMN_IP, 1},
    {"address", LIST_COLUMN_IP, 1},
    {"addr", LIST_COLUMN_IP, 1},
    {"host ip", LIST_COLUMN_IP, 0},
    {"client ip", LIST_COLUMN_IP, 0},
    {"victim ip", LIST_COLUMN_IP, 0},
    {"bot ip", LIST_COLUMN_IP, 0},
    {"infected ip", LIST_COLUMN_IP, 0},
    {"public ip", LIST_COLUMN_IP, 0},
    {"network", LIST_COLUMN_IP, 1},
    {"networks", LIST_COLUMN_IP, 1},
    {"prefix", LIST_COLUMN_IP, 1},
    {"cidr", LIST_COLUMN_IP, 1},
    {"subnet", LIST_COLUMN_IP, 1},
    {"netblock", LIST_COLUMN_IP, 1},
    {"ip range", LIST_COLUMN_IP, 1},
    {"range", LIST_COLUMN_IP, 2},
    {"indicator", LIST_COLUMN_IP, 2},
    {"ioc", LIST_COLUMN_IP, 2},
    {"ioc value", LIST_COLUMN_IP, 2},
    {"value", LIST_COLUMN_IP, 3},
    {"ip port", LIST_COLUMN_IP, 1},
    {"domain", LIST_COLUMN_DOMAIN, 0},
    {"domains", LIST_COLUMN_DOMAIN, 0},
    {"domain name", LIST_COLUMN_DOMAIN, 0},
    {"fqdn", LIST_COLUMN_DOMAIN, 0},
    {"ten mien", LIST_COLUMN_DOMAIN, 0},
    {"ten mien doc hai", LIST_COLUMN_DOMAIN, 0},
    {"url", LIST_COLUMN_URL, 0},
    {"urls", LIST_COLUMN_URL, 0},
    {"uri", LIST_COLUMN_URL, 1},
    {"lien ket", LIST_COLUMN_URL, 1},
    {"duong dan", LIST_COLUMN_URL, 1},
    {"md5", LIST_COLUMN_MD5, 0},
    {"md5 hash", LIST_COLUMN_MD5, 0},
    {"hash", LIST_COLUMN_MD5, 1},
    {"file hash", LIST_COLUMN_MD5, 1},
    {"ma bam", LIST_COLUMN_MD5, 1},
    {"sha1", LIST_COLUMN_SHA1, 0},
    {"sha 1", LIST_COLUMN_SHA1, 0},
    {"sha1 hash", LIST_COLUMN_SHA1, 0},
    {"sha256", LIST_COLUMN_SHA256, 0},
    {"sha 256", LIST_COLUMN_SHA256, 0},
    {"sha256 hash", LIST_COLUMN_SHA256, 0},
    {"start ip", LIST_COLUMN_FIRST_IP, 0},
    {"first ip", LIST_COLUMN_FIRST_IP, 0},
    {"ip start", LIST_COLUMN_FIRST_IP, 0},
    {"ip from", LIST_COLUMN_FIRST_IP, 0},
    {"from ip", LIST_COLUMN_FIRST_IP, 0},
    {"range start", LIST_COLUMN_FIRST_IP, 0},
    {"tu ip", LIST_COLUMN_FIRST_IP, 0},
    {"ip dau", LIST_COLUMN_FIRST_IP, 0},
    {"ip bat dau", LIST_COLUMN_FIRST_IP, 0},
    {"dia chi dau", LIST_COLUMN_FIRST_IP, 0},
    {"end ip", LIST_COLUMN_LAST_IP, 0},
    {"last ip", LIST_COLUMN_LAST_IP, 0},
    {"ip end", LIST_COLUMN_LAST_IP, 0},
    {"ip to", LIST_COLUMN_LAST_IP, 0},
    {"to ip", LIST_COLUMN_LAST_IP, 0},
    {"range end", LIST_COLUMN_LAST_IP, 0},
    {"den ip", LIST_COLUMN_LAST_IP, 0},
    {"ip cuoi", LIST_COLUMN_LAST_IP, 0},
    {"ip ket thuc", LIST_COLUMN_LAST_IP, 0},
    {"dia chi cuoi", LIST_COLUMN_LAST_IP, 0},
    {"port", LIST_COLUMN_PORT, 0},
    {"cong", LIST_COLUMN_PORT, 0},
    {"cong nguon", LIST_COLUMN_PORT, 0},
    {"src port", LIST_COLUMN_PORT, 0},
    {"srcport", LIST_COLUMN_PORT, 0},
    {"source port", LIST_COLUMN_PORT, 0},
    {"thoi gian", LIST_COLUMN_TIME, 0},
    {"thoi diem", LIST_COLUMN_TIME, 0},
    {"thoi gian phat hien", LIST_COLUMN_TIME, 0},
    {"ngay phat hien", LIST_COLUMN_TIME, 0},
    {"ngay", LIST_COLUMN_TIME, 1},
    {"ngay gio", LIST_COLUMN_TIME, 0},
    {"ngay ghi nhan", LIST_COLUMN_TIME, 0},
    {"thoi gian ghi nhan", LIST_COLUMN_TIME, 0},
    {"thoi gian ket noi", LIST_COLUMN_TIME, 0},
    {"timestamp", LIST_COLUMN_TIME, 0},
    {"time", LIST_COLUMN_TIME, 0},
    {"date", LIST_COLUMN_TIME, 1},
    {"datetime", LIST_COLUMN_TIME, 0},
    {"date time", LIST_COLUMN_TIME, 0},
    {"detected", LIST_COLUMN_TIME, 0},
    {"seen", LIST_COLUMN_TIME, 0},
    {"event time", LIST_COLUMN_TIME, 0},
    {"first seen", LIST_COLUMN_FIRST, 0},
    {"firstseen", LIST_COLUMN_FIRST, 0},
    {"first", LIST_COLUMN_FIRST, 1},
    {"lan dau", LIST_COLUMN_FIRST, 0},
    {"lan dau phat hien", LIST_COLUMN_FIRST, 0},
    {"phat hien lan dau", LIST_COLUMN_FIRST, 0},
    {"thoi gian bat dau", LIST_COLUMN_FIRST, 0},
    {"thoi gian dau", LIST_COLUMN_FIRST, 0},
    {"last seen", LIST_COLUMN_LAST, 0},
    {"lastseen", LIST_COLUMN_LAST, 0},
    {"last", LIST_COLUMN_LAST, 1},
    {"lan cuoi", LIST_COLUMN_LAST, 0},
    {"lan cuoi phat hien", LIST_COLUMN_LAST, 0},
    {"phat hien lan cuoi", LIST_COLUMN_LAST, 0},
    {"thoi gian ket thuc", LIST_COLUMN_LAST, 0},
    {"thoi gian cuoi", LIST_COLUMN_LAST, 0},
    {"family", LIST_COLUMN_FAMILY, 0},
    {"malware family", LIST_COLUMN_FAMILY, 0},
    {"ten ma doc", LIST_COLUMN_FAMILY, 0},
    {"ho ma doc", LIST_COLUMN_FAMILY, 0},
    {"malware printable", LIST_COLUMN_FAMILY, 1},
    {"malware", LIST_COLUMN_FAMILY, 2},
    {"malware name", LIST_COLUMN_FAMILY, 1},
    {"ma doc", LIST_COLUMN_FAMILY, 2},
    {"loai ma doc", LIST_COLUMN_FAMILY, 3},
    {"botnet", LIST_COLUMN_FAMILY, 3},
    {"ten botnet", LIST_COLUMN_FAMILY, 2},
    {"loai botnet", LIST_COLUMN_FAMILY, 3},
    {"mang botnet", LIST_COLUMN_FAMILY, 3},
    {"infection", LIST_COLUMN_FAMILY, 4},
    {"threat", LIST_COLUMN_FAMILY, 5},
    {"signature", LIST_COLUMN_FAMILY, 5},
    {"tag", LIST_COLUMN_FAMILY, 6},
    {"c2", LIST_COLUMN_C2_IP, 1},
    {"cc", LIST_COLUMN_C2_IP, 1},
    {"cnc", LIST_COLUMN_C2_IP, 1},
    {"c c", LIST_COLUMN_C2_IP, 1},
    {"c2 ip", LIST_COLUMN_C2_IP, 0},
    {"c2 address", LIST_COLUMN_C2_IP, 0},
    {"cc ip", LIST_COLUMN_C2_IP, 0},
    {"cnc ip", LIST_COLUMN_C2_IP, 0},
    {"c c ip", LIST_COLUMN_C2_IP, 0},
    {"c c address", LIST_COLUMN_C2_IP, 0},
    {"ip c c", LIST_COLUMN_C2_IP, 0},
    {"ip c2", LIST_COLUMN_C2_IP, 0},
    {"ip cc", LIST_COLUMN_C2_IP, 0},
    {"ip cnc", LIST_COLUMN_C2_IP, 0},
    {"dia chi c c", LIST_COLUMN_C2_IP, 0},
    {"dia chi c2", LIST_COLUMN_C2_IP, 0},
    {"dia chi ip c c", LIST_COLUMN_C2_IP, 0},
    {"dia chi ip c2", LIST_COLUMN_C2_IP, 0},
    {"may chu c c", LIST_COLUMN_C2_IP, 1},
    {"may chu c2", LIST_COLUMN_C2_IP, 1},
    {"may chu dieu khien", LIST_COLUMN_C2_IP, 1},
    {"ip may chu dieu khien", LIST_COLUMN_C2_IP, 0},
    {"dia chi may chu dieu khien", LIST_COLUMN_C2_IP, 0},
    {"dia chi ip may chu dieu khien", LIST_COLUMN_C2_IP, 0},
    {"c2 server", LIST_COLUMN_C2_IP, 1},
    {"control server", LIST_COLUMN_C2_IP, 1},
    {"ip dich", LIST_COLUMN_C2_IP, 0},
    {"dia chi ip dich", LIST_COLUMN_C2_IP, 0},
    {"dia chi dich", LIST_COLUMN_C2_IP, 0},
    {"dst ip", LIST_COLUMN_C2_IP, 0},
    {"dstip", LIST_COLUMN_C2_IP, 0},
    {"dest ip", LIST_COLUMN_C2_IP, 0},
    {"destination ip", LIST_COLUMN_C2_IP, 0},
    {"destination ip address", LIST_COLUMN_C2_IP, 0},
    {"destination address", LIST_COLUMN_C2_IP, 0},
    {"cong dich", LIST_COLUMN_C2_PORT, 0},
    {"cong c c", LIST_COLUMN_C2_PORT, 0},
    {"cong c2", LIST_COLUMN_C2_PORT, 0},
    {"cong may chu dieu khien", LIST_COLUMN_C2_PORT, 0},
    {"dst port", LIST_COLUMN_C2_PORT, 0},
    {"dstport", LIST_COLUMN_C2_PORT, 0},
    {"dest port", LIST_COLUMN_C2_PORT, 0},
    {"destination port", LIST_COLUMN_C2_PORT, 0},
    {"c2 port", LIST_COLUMN_C2_PORT, 0},
    {"cc port", LIST_COLUMN_C2_PORT, 0},
    {"cnc port", LIST_COLUMN_C2_PORT, 0},
    {"c c port", LIST_COLUMN_C2_PORT, 0},
    {"don vi", LIST_COLUMN_UNIT, 0},
    {"ten don vi", LIST_COLUMN_UNIT, 0},
    {"don vi quan ly", LIST_COLUMN_UNIT, 0},
    {"don vi su dung", LIST_COLUMN_UNIT, 0},
    {"don vi chu quan", LIST_COLUMN_UNIT, 0},
    {"to chuc", LIST_COLUMN_UNIT, 0},
    {"ten to chuc", LIST_COLUMN_UNIT, 0},
    {"co quan", LIST_COLUMN_UNIT, 0},
    {"co quan to chuc", LIST_COLUMN_UNIT, 0},
    {"chu quan", LIST_COLUMN_UNIT, 1},
    {"co quan chu quan", LIST_COLUMN_UNIT, 1},
    {"unit", LIST_COLUMN_UNIT, 0},
    {"org", LIST_COLUMN_UNIT, 0},
    {"org name", LIST_COLUMN_UNIT, 0},
    {"organization", LIST_COLUMN_UNIT, 0},
    {"organisation", LIST_COLUMN_UNIT, 0},
    {"owner", LIST_COLUMN_UNIT, 1},
    {"customer", LIST_COLUMN_UNIT, 1},
    {"department", LIST_COLUMN_UNIT, 1},
    {"operator", LIST_COLUMN_UNIT, 2},
    {"isp", LIST_COLUMN_ISP, 0},
    {"nha mang", LIST_COLUMN_ISP, 0},
    {"nha cung cap", LIST_COLUMN_ISP, 0},
    {"nha cung cap dich vu", LIST_COLUMN_ISP, 0},
    {"provider", LIST_COLUMN_ISP, 0},
    {"carrier", LIST_COLUMN_ISP, 0},
    {"asn", LIST_COLUMN_ASN, 0},
    {"as", LIST_COLUMN_ASN, 1},
    {"src asn", LIST_COLUMN_ASN, 0},
    {"as number", LIST_COLUMN_ASN, 0},
    {"so hieu mang", LIST_COLUMN_ASN, 0},
    {"tinh", LIST_COLUMN_PROVINCE, 0},
    {"tinh thanh", LIST_COLUMN_PROVINCE, 0},
    {"tinh thanh pho", LIST_COLUMN_PROVINCE, 0},
    {"dia phuong", LIST_COLUMN_PROVINCE, 0},
    {"province", LIST_COLUMN_PROVINCE, 0},
    {"src region", LIST_COLUMN_PROVINCE, 1},
    {"region", LIST_COLUMN_PROVINCE, 1},
    {"so lan", LIST_COLUMN_COUNT, 0},
    {"so lan ket noi", LIST_COLUMN_COUNT, 0},
    {"so ket noi", LIST_COLUMN_COUNT, 0},
    {"so luong", LIST_COLUMN_COUNT, 1},
    {"so luong ket noi", LIST_COLUMN_COUNT, 0},
    {"count", LIST_COLUMN_COUNT, 0},
    {"hits", LIST_COLUMN_COUNT, 0},
    {"connections", LIST_COLUMN_COUNT, 0},
    {"ghi chu", LIST_COLUMN_NOTE, 0},
    {"mo ta", LIST_COLUMN_NOTE, 1},
    {"note", LIST_COLUMN_NOTE, 0},
    {"notes", LIST_COLUMN_NOTE, 0},
    {"comment", LIST_COLUMN_NOTE, 0},
    {"comments", LIST_COLUMN_NOTE, 0},
    {"description", LIST_COLUMN_NOTE, 1},
    {"role", LIST_COLUMN_ROLE, 0},
    {"vai tro", LIST_COLUMN_ROLE, 0},
    {"loai", LIST_COLUMN_ROLE, 1},
    {"threat type", LIST_COLUMN_ROLE, 0},
    {"type", LIST_COLUMN_ROLE, 1},
    {"kind", LIST_COLUMN_ROLE, 1},
    {"ioc type", LIST_COLUMN_TYPE, 0},
    {"valid from", LIST_COLUMN_FROM, 0},
    {"hieu luc tu", LIST_COLUMN_FROM, 0},
    {"tu ngay", LIST_COLUMN_FROM, 0},
    {"ngay bat dau", LIST_COLUMN_FROM, 0},
    {"valid to", LIST_COLUMN_TO, 0},
    {"valid until", LIST_COLUMN_TO, 0},
    {"hieu luc den", LIST_COLUMN_TO, 0},
    {"den ngay", LIST_COLUMN_TO, 0},
    {"ngay ket thuc", LIST_COLUMN_TO, 0},
    {"from", LIST_COLUMN_FROM, 1},
    {"to", LIST_COLUMN_TO, 1},
    {"until", LIST_COLUMN_TO, 1},
};

/* bare_words - search form with only letters, digits and single blanks */
static size_t bare_words(struct text t, char *out, size_t n_out)
{
    char folded[256];
    size_t n = text_fold(t, folded, sizeof(folded)), m = 0;
    bool gap = false;
    for (size_t i = 0; i < n && m + 2 < n_out; i++) {
        unsigned char c = (unsigned char)folded[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
        if (!is_word) {
            gap = m > 0;
            continue;
        }
        if (gap)
            out[m++] = ' ';
        gap = false;
        out[m++] = (char)c;
    }
    out[m] = '\0';
    return m;
}

static const struct word *find(const char *name)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(words[i].name, name))
            return &words[i];
    return NULL;
}

/* take_zone - "(UTC)", "(GMT+7)", " utc" at the end: cut it off and tell the zone */
static void take_zone(char *name, size_t n, int *zone_s)
{
    static const struct {
        const char *end;
        int zone_s;
    } zones[] = {{" utc 7", ZONE_VIETNAM_S}, {" gmt 7", ZONE_VIETNAM_S}, {" utc 07 00", ZONE_VIETNAM_S},
                 {" gmt 07 00", ZONE_VIETNAM_S}, {" utc 07", ZONE_VIETNAM_S}, {" gmt 07", ZONE_VIETNAM_S},
                 {" utc 0", 0}, {" gmt 0", 0}, {" utc", 0}, {" gmt", 0}};
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        size_t m = strlen(zones[i].end);
        if (n <= m || strcmp(name + n - m, zones[i].end))
            continue;
        name[n - m] = '\0';
        *zone_s = zones[i].zone_s;
        return;
    }
}

/* look_up - the header as it stands, then without what its brackets hold: "Dia chi IP (IPv4)" */
static const struct word *look_up(struct text header, int *zone_s)
{
    char name[256];
    size_t n = bare_words(header, name, sizeof(name));
    take_zone(name, n, zone_s);
    const struct word *w = find(name);
    const char *open = header.n ? memchr(header.p, '(', header.n) : NULL;
    if (w || !open)
        return w;
    bare_words((struct text){header.p, (size_t)(open - header.p)}, name, sizeof(name));
    return find(name);
}

bool list_column_holds_names(enum list_column c)
{
    return c >= LIST_COLUMN_DOMAIN && c <= LIST_COLUMN_SHA256;
}

enum list_column list_column_of(struct text header, bool is_space, int *ret_zone_s)
{
    int zone_s = *ret_zone_s;
    const struct word *w = look_up(text_trim(header), &zone_s);
    if (!w)
        return LIST_COLUMN_NONE;
    if ((w->column == LIST_COLUMN_FROM || w->column == LIST_COLUMN_TO) && !is_space && w->rank)
        return LIST_COLUMN_NONE; /* "from" and "to" alone mean nothing in a list */
    if (is_space && list_column_holds_names(w->column))
        return LIST_COLUMN_NONE;
    *ret_zone_s = zone_s;
    return w->column;
}

int list_column_rank(struct text header)
{
    int zone_s = 0;
    const struct word *w = look_up(text_trim(header), &zone_s);
    return w ? w->rank : 0;
}

struct text list_column_name(const struct text *cells, uint32_t i)
{
    struct text name = text_trim(cells[i]);
    while (!i && name.n && *name.p == '#')
        name = text_trim((struct text){name.p + 1, name.n - 1});
    return name;
}

bool list_columns_hold_names(const struct text *cells, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int zone_s = 0;
        if (list_column_holds_names(list_column_of(list_column_name(cells, i), false, &zone_s)))
            return true;
    }
    return false;
}

uint32_t list_columns_known(const struct text *cells, uint32_t n, bool is_space, bool *ret_address)
{
    uint32_t n_known = 0;
    *ret_address = false;
    for (uint32_t i = 0; i < n; i++) {
        int zone_s = 0;
        enum list_column c = list_column_of(list_column_name(cells, i), is_space, &zone_s);
        n_known += c != LIST_COLUMN_NONE;
        *ret_address |= c == LIST_COLUMN_IP || c == LIST_COLUMN_C2_IP || c == LIST_COLUMN_FIRST_IP;
    }
    return n_known;
}
