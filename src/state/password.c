/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a password may be, and its argon2id hash. A check of rules, not of strength: what remains when the words and rows of keys
 * that everybody tries, and the person's own names, are taken out.
 */
#include "state/login.h"

#include "state/password_form.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

/* Words that lists of stolen passwords are full of, here and abroad, in their search form; longer ones first. */
static const char *const COMMON[] = {
    "administrator", "anhyeuemnhieu", "anninhmang", "vietnamvodich", "matkhaumoi", "antoanthongtin", "motconvit", "khongbiet",
    "quantrivien", "khongcomatkhau", "congnghethongtin", "iloveyou", "anhyeuem", "emyeuanh", "motnammoi", "changeme", "computer",
    "football", "baseball", "superman", "princess", "sunshine", "passphrase", "password", "passwort", "starwars", "whatever",
    "trustno", "matkhau", "matkau", "vietnam", "welcome", "default", "dragon", "master", "monkey", "shadow", "secret", "letmein",
    "freedom", "michael", "jordan", "hunter", "ranger", "cisco", "juniper", "fortinet", "mikrotik", "windows", "microsoft", "google",
    "facebook", "internet", "network", "server", "manager", "supervisor", "operator", "support", "service", "system", "oracle", "mysql",
    "postgres", "sqlserver", "ubuntu", "debian", "redhat", "linux", "public", "private", "admin", "account", "login", "guest", "user",
    "test", "demo", "temp", "root", "pass", "pwd", "abcd", "hello", "summer", "winter", "spring", "autumn", "monday", "sunday", "january",
    "thanhpho", "hochiminh", "saigon", "hanoi", "danang", "haiphong", "cantho", "sotttt", "ubnd", "bocongan", "congan", "vnpt",
    "viettel", "mobifone", "vinaphone", "bkav", "fpt", "ncsc", "vncert", "vonggac", "yeuem", "yeuanh", "giadinh", "bongda", "maiyeu",
    "xinchao", "tinhyeu", "chienthang", "thang", "tung", "qwerty", "azerty", "love", "baby", "happy", "lucky",
};

static const char *const ROWS[] = {"qwertyuiop", "asdfghjkl", "zxcvbnm", "01234567890", "abcdefghijklmnopqrstuvwxyz",
                                   "qazwsxedcrfvtgbyhnujmikolp", "1qaz2wsx3edc4rfv5tgb6yhn7ujm"};

enum { ROOM = PASSWORD_MAX * 2 + 8, ROW_MIN = 4, REST_MIN = 4, KINDS_MIN = 5, WORD_MIN = 2, LOGIN_PART_MIN = 3 };

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

/* squeezed - letters and digits of @s only; signs and digits that stand for letters become them where @is_read. */
static void squeezed(const char *s, bool is_read, char out[ROOM])
{
    static const char SIGNS[] = "@4310!5$7", LETTERS[] = "aaeioisst";
    size_t n = 0;
    for (; *s && n + 1 < ROOM; s++) {
        const char *sign = is_read ? strchr(SIGNS, *s) : NULL;
        char c = sign ? LETTERS[sign - SIGNS] : *s;
        if (is_letter(c) || (c >= '0' && c <= '9'))
            out[n++] = c;
    }
    out[n] = '\0';
}

/* take_out - every @n bytes of @word in @s become blanks. Return: was there any. */
static bool take_out(char *s, const char *word, size_t n)
{
    bool is_any = false;
    for (char *at = s; n && (at = memmem(at, strlen(at), word, n)); at += n) {
        memset(at, ' ', n);
        is_any = true;
    }
    return is_any;
}

/* take_rows - runs of ROW_MIN and more keys of a row, either way, or of one sign. */
static bool take_rows(char *s)
{
    bool is_any = false;
    for (size_t i = 0; s[i];) {
        size_t longest = 1;
        while (s[i] != ' ' && s[i + longest] == s[i])
            longest++;
        for (size_t k = 0; k < sizeof(ROWS) / sizeof(*ROWS); k++)
            for (const char *at = ROWS[k]; (at = strchr(at, s[i])); at++) {
                size_t up = 1, down = 1;
                while (s[i + up] && s[i + up] == at[up])
                    up++;
                while (at - ROWS[k] >= (ptrdiff_t)down && s[i + down] == at[-(ptrdiff_t)down])
                    down++;
                longest = up > longest ? up : longest;
                longest = down > longest ? down : longest;
            }
        if (longest >= ROW_MIN) {
            memset(s + i, ' ', longest);
            is_any = true;
        }
        i += longest;
    }
    return is_any;
}

static size_t count_letters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += is_letter(*s);
    return n;
}

/* is_repeated - one block of at most seven again and again. */
static bool is_repeated(const char *s)
{
    size_t n = strlen(s);
    for (size_t block = 1; block < 8 && block * 2 <= n; block++)
        if (!memcmp(s, s + block, n - block))
            return true;
    return false;
}

static bool has_few_kinds(const char *s)
{
    bool is_there[256] = {false};
    unsigned n = 0;
    for (; *s; s++)
        if (!is_there[(uint8_t)*s]) {
            is_there[(uint8_t)*s] = true;
            n++;
        }
    return n < KINDS_MIN;
}

static bool is_common(const char *folded)
{
    char plain[ROOM], read[ROOM];
    squeezed(folded, false, plain);
    squeezed(folded, true, read);
    if (has_few_kinds(folded) || is_repeated(plain) || count_letters(plain) < REST_MIN)
        return true;
    for (char *form = plain;; form = read) {
        bool is_any = take_rows(form);
        for (size_t i = 0; i < sizeof(COMMON) / sizeof(*COMMON); i++)
            is_any |= take_out(form, COMMON[i], strlen(COMMON[i]));
        if (is_any && count_letters(form) < REST_MIN)
            return true;
        if (form == read)
            return false;
    }
}

/* take_words - each word of @folded names out of @s. */
static bool take_words(char *s, const char *folded)
{
    bool is_any = false;
    while (*folded) {
        size_t n = strcspn(folded, " .@");
        if (n >= WORD_MIN)
            is_any |= take_out(s, folded, n);
        folded += n + (folded[n] != '\0');
    }
    return is_any;
}

static bool is_own(const char *folded, struct text login, struct text name)
{
    char plain[ROOM], login_folded[ROOM], name_folded[ROOM * 2], joined[ROOM];
    text_fold(login, login_folded, sizeof(login_folded));
    text_fold(name, name_folded, sizeof(name_folded));
    squeezed(folded, false, plain);
    squeezed(login_folded, false, joined);
    if (strlen(joined) >= LOGIN_PART_MIN && strstr(plain, joined))
        return true;
    bool is_any = take_words(plain, name_folded);
    is_any |= take_words(plain, login_folded);
    return is_any && count_letters(plain) < REST_MIN;
}

enum password_fault password_check(struct text password, struct text login, struct text name)
{
    char folded[ROOM];
    if (password.n > PASSWORD_MAX)
        return PASSWORD_LONG;
    if (!text_is_utf8(password.p, password.n))
        return PASSWORD_NO_TEXT;
    size_t n = 0;
    for (const char *p = password.p, *end = p + password.n; p < end; n++) {
        uint32_t c = text_next(&p, end);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return PASSWORD_NO_TEXT;
    }
    if (n < PASSWORD_MIN)
        return PASSWORD_SHORT;
    text_fold(password, folded, sizeof(folded));
    enum password_fault fault = is_own(folded, login, name) ? PASSWORD_OWN : is_common(folded) ? PASSWORD_COMMON : PASSWORD_FINE;
    sodium_memzero(folded, sizeof(folded));
    return fault;
}

/* --- the hash ---------------------------------------------------------------------------------------------------- */

/* Each hash takes 64 MiB: only so many at a time, or a crowd at the door would be the end of the memory. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static unsigned n_running;

static void enter(void)
{
    pthread_mutex_lock(&lock);
    while (n_running >= LOGIN_HASHES_AT_ONCE)
        pthread_cond_wait(&freed, &lock);
    n_running++;
    pthread_mutex_unlock(&lock);
}

static void leave(void)
{
    pthread_mutex_lock(&lock);
    n_running--;
    pthread_cond_signal(&freed);
    pthread_mutex_unlock(&lock);
}

int password_make(struct text password, struct password_hash *ret)
{
    _Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "a hash fits");
    if (sodium_init() < 0 || password.n > PASSWORD_MAX)
        return -EIO;
    char form[PASSWORD_FORM_MAX];
    size_t n = password_form(password, form);
    enter();
    int r = crypto_pwhash_str(ret->text, form, n, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE);
    leave();
    sodium_memzero(form, sizeof(form));
    return r ? -ENOMEM : 0;
}

bool password_is(const char *hash, struct text password)
{
    /* nobody's: of 32 random bytes that were thrown away */
    static const char NOBODY[] =
        "$argon2id$v=19$m=65536,t=2,p=1$ZW1wdHkgY2hhaXIgaGVyZQ$3dGhmE0y0c1WqEotA0rL7mZ7bJq9mJr6vT2kqU8sXhQ";
    if (sodium_init() < 0 || password.n > PASSWORD_MAX)
        return false;
    char form[PASSWORD_FORM_MAX];
    size_t n = password_form(password, form);
    enter();
    int r = crypto_pwhash_str_verify(*hash ? hash : NOBODY, form, n);
    leave();
    sodium_memzero(form, sizeof(form));
    return !r && *hash;
}

/* --- a first password -------------------------------------------------------------------------------------------- */

int password_first(struct password_first *ret)
{
    static const char SIGNS[] = "abcdefghjkmnpqrstuvwxyz23456789";
    size_t n = 0;
    if (sodium_init() < 0)
        return -EIO;
    for (unsigned i = 0; i < 20; i++) {
        if (i && i % 5 == 0)
            ret->text[n++] = '-';
        ret->text[n++] = SIGNS[randombytes_uniform(sizeof(SIGNS) - 1)];
    }
    ret->text[n] = '\0';
    return password_make((struct text){ret->text, n}, &ret->hash);
}

void password_wipe(struct password_first *p)
{
    sodium_memzero(p->text, sizeof(p->text));
}
