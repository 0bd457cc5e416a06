/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslog_send - RFC 5424 messages of a mixed network, the same on every machine.
 *
 *   syslog_send PORT N counted|lines     to TCP 127.0.0.1:PORT, octet counting or LF; prints what was sent as JSON
 *   syslog_send /PATH N lines|bsd        the same messages into a file, a line each; bsd: with RFC 3164 headers
 *
 * Ports, users, numbers vary from message to message, addresses and clients are few that come often and many that come
 * seldom, as in a real network; a tenth are lines no decoder knows. Messages are made beforehand, a ring of a million is
 * sent round, so that the sender costs next to nothing.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RING = 1 << 20, LINE_BYTES = 640, PIECE_BYTES = 1 << 18 };

struct ring {
    char *bytes;
    size_t *ends; /* of each message */
};

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static unsigned random_below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % n);
}

static const char *pick(const char *const *words, unsigned n)
{
    return words[random_below(n)];
}

/* skewed - below @n (256 at least), small numbers far more often. */
static unsigned skewed(unsigned n)
{
    return random_below(n >> random_below(8));
}

/* address - of 64 k; a number is always the same address. */
static const char *address(char out[16])
{
    uint32_t a = (skewed(65536) + 1) * 2654435761u;
    snprintf(out, 16, "%u.%u.%u.%u", 11 + (a >> 24) % 180, a >> 16 & 255, a >> 8 & 255, 1 + a % 254);
    return out;
}

struct message {
    unsigned priority;
    const char *app;
    char text[LINE_BYTES / 2 + 128];
};

static const char *const users[] = {"root", "admin", "lan.nguyen", "minh", "oracle", "backup", "ubuntu", "test", "guest", "www-data"};
static const char *const paths[] = {"/", "/index.html", "/api/v1/items", "/wp-login.php", "/static/app.js", "/tin-tuc/2024/03/thong-bao"};
static const char *const names[] = {"www.example.vn", "mail.example.vn", "cdn.example.net", "update.example.org", "ns1.example.com"};
#define PICK(list) pick(list, sizeof(list) / sizeof(*(list)))

#define TEXT_OF(m, p, a, ...) ((m)->priority = (p), (m)->app = (a), (void)snprintf((m)->text, sizeof((m)->text), __VA_ARGS__))

static void of_hosts(struct message *m, unsigned kind)
{
    char a[16];
    if (kind == 0)
        TEXT_OF(m, 38, "sshd", "Failed password for invalid user %s from %s port %u ssh2", PICK(users), address(a), 1024 + random_below(64000));
    else if (kind == 1)
        TEXT_OF(m, 38, "sshd", "Accepted publickey for %s from %s port %u ssh2: ED25519 SHA256:%08x8a5e77c1", PICK(users), address(a),
                1024 + random_below(64000), skewed(512) * 2654435761u);
    else if (kind == 2)
        TEXT_OF(m, 85, "sudo", "%s : TTY=pts/%u ; PWD=/home/%s ; USER=root ; COMMAND=/usr/bin/systemctl status nginx", PICK(users),
                random_below(9), PICK(users));
    else if (kind == 3)
        TEXT_OF(m, 78, "CRON", "(%s) CMD (/usr/local/bin/report --day %u)", PICK(users), random_below(31));
    else if (kind == 4)
        TEXT_OF(m, 30, "systemd", "Started Session %u of user %s.", random_below(100000), PICK(users));
    else
        TEXT_OF(m, 86, "sshd", "pam_unix(sshd:session): session closed for user %s", PICK(users));
}

static void of_client(struct message *m, unsigned i)
{
    TEXT_OF(m, 30, "dhcpd", "DHCPACK on 10.7.%u.%u to 52:54:00:9a:%02x:%02x (pc-%u) via eth1", i >> 8, i & 255, i >> 8, i & 255, i);
}

static void of_network(struct message *m, unsigned kind)
{
    char a[16], b[16];
    if (kind == 0)
        TEXT_OF(m, 4, "kernel", "[%u.%06u] nft drop IN=eth0 OUT= MAC=52:54:00:12:34:56:52:54:00:ab:cd:ef:08:00 SRC=%s DST=%s LEN=60 TOS=0x00 "
                "PREC=0x00 TTL=%u ID=%u DF PROTO=TCP SPT=%u DPT=%u WINDOW=64240 RES=0x00 SYN URGP=0", random_below(999999),
                random_below(999999), address(a), address(b), 40 + random_below(24), random_below(65536), 1024 + random_below(64000),
                random_below(1024));
    else if (kind == 1)
        TEXT_OF(m, 190, "-", "date=2026-03-01 time=10:%02u:%02u devname=\"FGT-HN-01\" devid=\"FG100E0000000001\" logid=\"0000000013\" "
                "type=\"traffic\" subtype=\"forward\" level=\"notice\" vd=\"root\" srcip=%s srcport=%u srcintf=\"port1\" dstip=%s dstport=443 "
                "dstintf=\"wan1\" policyid=%u sessionid=%u proto=6 action=\"close\" service=\"HTTPS\" sentbyte=%u rcvdbyte=%u",
                random_below(60), random_below(60), address(a), 1024 + random_below(64000), address(b), skewed(256),
                skewed(1u << 30), skewed(1u << 20), skewed(1u << 22));
    else if (kind == 2)
        TEXT_OF(m, 30, "named", "client @0x7f%08x %s#%u (%s): query: %s IN A + (192.0.2.53)", random_below(64) << 12, address(a),
                1024 + random_below(64000), names[kind], PICK(names));
    else
        of_client(m, skewed(8192));
}

static void of_services(struct message *m, unsigned kind)
{
    char a[16];
    if (kind == 0)
        TEXT_OF(m, 22, "postfix/smtpd", "connect from unknown[%s]", address(a));
    else if (kind == 1)
        TEXT_OF(m, 22, "postfix/qmgr", "%010X: from=<%s@%s>, size=%u, nrcpt=1 (queue active)", random_below(1u << 31), PICK(users), PICK(names),
                random_below(100000));
    else if (kind == 2 || kind == 3)
        TEXT_OF(m, 190, "nginx", "%s - - [01/Mar/2026:10:%02u:%02u +0700] \"GET %s?id=%u HTTP/1.1\" %u %u \"https://%s/\" \"Mozilla/5.0 (X11; Linux "
                "x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\"", address(a), random_below(60), random_below(60), PICK(paths),
                random_below(100000), random_below(8) ? 200u : 404u, random_below(50000), PICK(names));
    else
        TEXT_OF(m, 134, "inventory", "item %u moved to shelf %u by %s, %u left", random_below(100000), random_below(500), PICK(users), random_below(90));
}

static void make(struct message *m)
{
    unsigned k = random_below(20); /* 6 of hosts, 8 of the network, 6 of services, 2 of those known to nobody */
    if (k < 6)
        of_hosts(m, k);
    else if (k < 14)
        of_network(m, (k - 6) / 2);
    else
        of_services(m, k - 14 < 4 ? k - 14 : 4);
}

static size_t put(char *out, const struct message *m, unsigned i, bool is_bsd)
{
    unsigned second = i / 1100 % 60, minute = i / 66000 % 60;
    int n = is_bsd ? snprintf(out, LINE_BYTES, "Mar  1 10:%02u:%02u web-%02u %s%s[%u]%s %s", minute, second, i % 40, m->app[0] == '-' ? "log" : m->app,
                               "", 300 + i % 40 + 40 * skewed(256), ":", m->text)
                    : snprintf(out, LINE_BYTES, "<%u>1 2026-03-01T10:%02u:%02u.%06u+07:00 web-%02u %s %u - - %s", m->priority, minute, second,
                               random_below(1000000), i % 40, m->app, 300 + i % 40 + 40 * skewed(256), m->text);
    return (size_t)n < LINE_BYTES ? (size_t)n : LINE_BYTES - 1;
}

static int fill(struct ring *r, bool is_counted, bool is_bsd)
{
    size_t at = 0;
    r->bytes = malloc((size_t)RING * (LINE_BYTES + 8));
    r->ends = malloc(RING * sizeof *r->ends);
    if (!r->bytes || !r->ends)
        return 1;
    for (unsigned i = 0; i < RING; i++) {
        struct message m;
        char line[LINE_BYTES];
        make(&m);
        size_t n = put(line, &m, i, is_bsd);
        if (is_counted)
            at += (size_t)sprintf(r->bytes + at, "%zu ", n);
        memcpy(r->bytes + at, line, n);
        at += n;
        if (!is_counted)
            r->bytes[at++] = '\n';
        r->ends[i] = at;
    }
    return 0;
}

static int give(int fd, const char *p, size_t n)
{
    while (n) {
        size_t piece = n < PIECE_BYTES ? n : PIECE_BYTES;
        ssize_t k = write(fd, p, piece);
        if (k <= 0)
            return 1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int connect_to(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: syslog_send PORT N counted|lines\n       syslog_send /PATH N lines|bsd\n");
        return 2;
    }
    bool is_file = argv[1][0] == '/';
    uint64_t n = strtoull(argv[2], NULL, 10), bytes = 0;
    struct ring r;
    FILE *out = is_file ? fopen(argv[1], "w") : NULL;
    int fd = out ? fileno(out) : is_file ? -1 : connect_to(argv[1]);
    if (fd < 0 || fill(&r, !strcmp(argv[3], "counted"), !strcmp(argv[3], "bsd")))
        return perror("syslog_send"), 1;
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (uint64_t left = n; left;) {
        uint64_t k = left < RING ? left : RING;
        if (give(fd, r.bytes, r.ends[k - 1]))
            return perror("syslog_send"), 1;
        bytes += r.ends[k - 1];
        left -= k;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("{\"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"wall_s\": %.3f}\n", n, bytes,
           (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9);
    return close(fd);
}
