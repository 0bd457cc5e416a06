/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/tokens.h"

#include <sodium/utils.h>
#include <string.h>

static bool is_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] == 0x7f)
            return false;
    return t.n && t.n < GATE_TOKEN_NAME_MAX;
}

static bool take_line(struct gate_tokens *t, struct text line)
{
    static const char lead[] = "sha256:";
    size_t n = 0;
    while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
        n++;
    struct text name = {line.p, n}, token = text_trim((struct text){line.p + n, line.n - n});
    if (!is_name(name) || token.n < GATE_TOKEN_MIN || memchr(token.p, ' ', token.n) || memchr(token.p, '\t', token.n))
        return false;
    bool is_hash = token.n > sizeof(lead) - 1 && !memcmp(token.p, lead, sizeof(lead) - 1);
    struct sha256 h;
    if (is_hash && sha256_parse(token.p + sizeof(lead) - 1, token.n - (sizeof(lead) - 1), &h))
        return false;
    if (!is_hash)
        h = sha256_of(token.p, token.n);
    t->all[t->n].hash = h;
    memset(t->all[t->n].name, 0, sizeof(t->all[t->n].name));
    memcpy(t->all[t->n].name, name.p, name.n);
    t->n++;
    return true;
}

int gate_tokens_parse(struct gate_tokens *t, const char *file, struct text content, struct fault *f)
{
    int line = 0;
    t->n = 0;
    while (content.n) {
        const char *end = memchr(content.p, '\n', content.n);
        size_t n = end ? (size_t)(end - content.p) : content.n;
        struct text one = text_trim((struct text){content.p, n});
        content.p += n + (end != NULL);
        content.n -= n + (end != NULL);
        line++;
        if (!one.n || one.p[0] == '#')
            continue;
        if (t->n == GATE_TOKENS_MAX || !take_line(t, one))
            return FAULT(f, 1, gate_bad_token, file, line);
    }
    return t->n ? 0 : FAULT(f, 1, gate_no_token, file);
}

const char *gate_tokens_name(const struct gate_tokens *t, struct text token)
{
    struct sha256 h = sha256_of(token.p, token.n);
    const char *found = NULL;
    for (size_t i = 0; i < t->n; i++) /* to the end, always */
        if (!sodium_memcmp(h.b, t->all[i].hash.b, sizeof(h.b)))
            found = t->all[i].name;
    return found;
}
