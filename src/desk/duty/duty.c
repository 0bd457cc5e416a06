/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/duty/duty.h"

#include <stdio.h>
#include <string.h>

const char *const duty_place_names[] = {"shift",  "shift_deputy",  "technical", "technical_deputy",
                                        "leader", "leader_deputy", NULL};
const char *const duty_channel_names[] = {"sms", "mail", NULL};

const char *duty_phone(struct text t, char out[24])
{
    char digits[20];
    size_t n = 0;
    bool is_international = t.n && t.p[0] == '+';
    out[0] = '\0';
    for (size_t i = is_international; i < t.n; i++) {
        if (t.p[i] >= '0' && t.p[i] <= '9' && n < sizeof(digits) - 1)
            digits[n++] = t.p[i];
        else if (!strchr(" .-()", t.p[i]) || !t.p[i])
            return out;
    }
    digits[n] = '\0';
    if (is_international && n >= 8)
        snprintf(out, 24, "+%s", digits);
    else if (!is_international && n >= 9 && digits[0] == '0')
        snprintf(out, 24, "+84%s", digits + 1);
    else if (!is_international && n >= 10 && !strncmp(digits, "84", 2))
        snprintf(out, 24, "+%s", digits);
    return out;
}

/* plain - letters without marks, letter case kept where it is ASCII; what GSM 03.38 has no letter for becomes '?' */
static size_t plain(const char *p, char *out, size_t n_out)
{
    const char *end = p + strlen(p);
    size_t n = 0;
    while (p < end && n + 1 < n_out) {
        uint32_t c = text_next(&p, end), folded = c < 0x80 ? c : text_fold_char(c);
        if (!folded) /* a combining mark */
            continue;
        bool is_letter = folded >= ' ' && folded < 0x7f && !strchr("[]{}^~\\|`", (int)folded);
        out[n++] = is_letter ? (char)folded : '?';
    }
    out[n] = '\0';
    return n;
}

const char *duty_sms(const char *severity, const char *title, const char *entity, const char *unit, const char *code,
                     char out[DUTY_SMS_MAX])
{
    char what[DUTY_SMS_MAX], where[48], whose[40], tail[128];
    plain(entity, where, sizeof(where));
    plain(unit, whose, sizeof(whose));
    int n_tail =
        snprintf(tail, sizeof(tail), " - %s%s%s. Ma %s, tra loi ma nay de nhan viec.", where, *whose ? ", " : "", whose, code);
    int n_head = snprintf(out, DUTY_SMS_MAX, "VONG GAC %s: ", severity);
    size_t room = DUTY_SMS_MAX - (size_t)n_head - (size_t)n_tail;
    plain(title, what, room);
    snprintf(out + n_head, DUTY_SMS_MAX - (size_t)n_head, "%s%s", what, tail);
    return out;
}

bool duty_code_in(struct text answer, const char *code)
{
    size_t n = strlen(code);
    for (size_t i = 0; n && i + n <= answer.n; i++) {
        bool begins = !i || answer.p[i - 1] < '0' || answer.p[i - 1] > '9';
        bool ends = i + n == answer.n || answer.p[i + n] < '0' || answer.p[i + n] > '9';
        if (begins && ends && !memcmp(answer.p + i, code, n))
            return true;
    }
    return false;
}
