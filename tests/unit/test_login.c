/* SPDX-License-Identifier: Apache-2.0 */
/* state/login: passwords, the second factor, the way in, and what stands against guessing. */
#include "base/clock.h"
#include "state/password_form.h"
#include "state_help.h"

#include <errno.h>
#include <pthread.h>


#define NOW (INT64_C(1700000000) * SECOND)
#define DAY (86400 * SECOND)

static const struct login_from FROM = {.address = {"192.0.2.1", 9}, .agent = {"curl/8", 6}};

static struct text text_of(const char *p)
{
    return (struct text){p, strlen(p)};
}

/* --- passwords --------------------------------------------------------------------------------------------------- */

static void a_password_is_refused_for_what_everybody_tries(void **state)
{
    (void)state;
    static const struct { const char *password; enum password_fault expected; } CASES[] = {
        {"", PASSWORD_SHORT}, {"short", PASSWORD_SHORT}, {"elevenchars", PASSWORD_SHORT}, {"đẹp quá trời", PASSWORD_FINE}, {"đẹp quá trờ", PASSWORD_SHORT},
        {"correct horse battery staple", PASSWORD_FINE}, {"con mèo trèo cây cau", PASSWORD_FINE}, {"x7#Kq2!vB9zp", PASSWORD_FINE}, {"kmw4h-8xqpe-t5nrc", PASSWORD_FINE},
        {"passwordpassword", PASSWORD_COMMON}, {"P@ssw0rd2026!", PASSWORD_COMMON}, {"Matkhau@123456", PASSWORD_COMMON}, {"mật khẩu 2026", PASSWORD_COMMON},
        {"123456789012", PASSWORD_COMMON}, {"0912345678900", PASSWORD_COMMON}, {"19/05/1990!!!", PASSWORD_COMMON}, {"qwertyuiop12", PASSWORD_COMMON},
        {"1qaz2wsx3edc", PASSWORD_COMMON}, {"zxcvbnm,./12", PASSWORD_COMMON}, {"poiuytrewq!!", PASSWORD_COMMON}, {"abcdefghijklm", PASSWORD_COMMON},
        {"aaaaaaaaaaaa", PASSWORD_COMMON}, {"abababababab", PASSWORD_COMMON}, {"hanoi2hanoi2", PASSWORD_COMMON}, {"Admin@123456", PASSWORD_COMMON},
        {"Vietnam@2026", PASSWORD_COMMON}, {"Welcome2026!!", PASSWORD_COMMON}, {"!@#$%^&*()_+", PASSWORD_COMMON}, {"iloveyou-1990", PASSWORD_COMMON},
        {"nguyenvanan1990", PASSWORD_OWN}, {"Nguyễn Văn An!", PASSWORD_OWN}, {"NGUYEN.an.2026", PASSWORD_OWN}, {"xx-annv2-kmwq", PASSWORD_OWN},
        {"nguyen kia cay cau", PASSWORD_FINE}, {"\tcon meo treo cay", PASSWORD_NO_TEXT}, {"con meo treo \xff cay", PASSWORD_NO_TEXT},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        enum password_fault is = password_check(text_of(CASES[i].password), TEXT("annv2"), TEXT("Nguyễn Văn An"));
        if (is != CASES[i].expected)
            fail_msg("'%s': %d", CASES[i].password, (int)is);
    }
    char huge[PASSWORD_MAX + 1];
    memset(huge, 'x', sizeof(huge));
    assert_int_equal(password_check((struct text){huge, sizeof(huge)}, TEXT(""), TEXT("")), PASSWORD_LONG);
}

static void whatever_is_given_as_a_password_gets_an_answer(void **state)
{
    (void)state;
    static const char SIGNS[] = "abcdqwertyu1234567890@!$ -_.\xc4\x91\xe1\xbb\x85\xff\x01";
    uint64_t chance = seed();
    for (unsigned i = 0, n = rounds(3000); i < n; i++) {
        char password[PASSWORD_MAX + 2], login[70], name[210];
        struct text p = {password, next_random(&chance) % (i % 2 ? 40 : sizeof(password))}, l = {login, next_random(&chance) % 65}, m = {name, next_random(&chance) % 201};
        for (size_t k = 0; k < p.n; k++)
            password[k] = SIGNS[next_random(&chance) % (sizeof(SIGNS) - 1)];
        for (size_t k = 0; k < l.n; k++)
            login[k] = SIGNS[next_random(&chance) % (sizeof(SIGNS) - 1)];
        for (size_t k = 0; k < m.n; k++)
            name[k] = SIGNS[next_random(&chance) % (sizeof(SIGNS) - 1)];
        (void)password_check(p, l, m);
    }
}

static void a_hash_is_argon2id_and_knows_its_password(void **state)
{
    (void)state;
    struct password_hash a, b;
    assert_int_equal(password_make(TEXT("con mèo trèo cây cau"), &a), 0);
    assert_int_equal(password_make(TEXT("con mèo trèo cây cau"), &b), 0);
    assert_memory_equal(a.text, "$argon2id$v=19$m=65536,t=2,p=1$", 31);
    assert_string_not_equal(a.text, b.text); /* salted */
    assert_true(password_is(a.text, TEXT("con mèo trèo cây cau")));
    assert_false(password_is(a.text, TEXT("con mèo trèo cây ca")));
    assert_false(password_is(a.text, TEXT("")));
    assert_false(password_is("", TEXT("")));
    assert_false(password_is("no hash", TEXT("con mèo trèo cây cau")));
}

static void whatever_keyboard_a_password_was_typed_on_it_is_the_same(void **state)
{
    (void)state;
    /* one sign; vowel and tone as the layout of Windows sends them; all apart (NFD, by Unicode's own tables) */
    static const struct { const char *one, *windows, *apart; } FORMS[] = {
        {"\u1ebf", "\u00ea\u0301", "e\u0302\u0301"}, {"\u1ec7", "\u00ea\u0323", "e\u0323\u0302"}, {"\u1eb7", "\u0103\u0323", "a\u0323\u0306"},
        {"\u1ee3", "\u01a1\u0323", "o\u031b\u0323"}, {"\u1eee", "\u01af\u0303", "U\u031b\u0303"}, {"\u00e0", "a\u0300", "a\u0300"},
        {"\u1ef9", "y\u0303", "y\u0303"}, {"\u1ea0", "A\u0323", "A\u0323"}, {"\u0111", "\u0111", "\u0111"}, {"\u4e2d", "\u4e2d", "\u4e2d"},
        {"con m\u00e8o", "con me\u0300o", "con me\u0300o"}, {"\u0301a", "\u0301a", "\u0301a"}, {"a\u0301\u0323", "\u1ea1\u0301", "a\u0323\u0301"}};
    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        char a[PASSWORD_FORM_MAX], b[PASSWORD_FORM_MAX], c[PASSWORD_FORM_MAX];
        struct text one = {a, password_form(text_of(FORMS[i].one), a)}, windows = {b, password_form(text_of(FORMS[i].windows), b)},
                    apart = {c, password_form(text_of(FORMS[i].apart), c)};
        if (!text_is(one, FORMS[i].apart) || !text_is(windows, FORMS[i].apart) || !text_is(apart, FORMS[i].apart))
            fail_msg("%zu: %s", i, FORMS[i].one);
    }
    char huge[PASSWORD_MAX * 2], out[PASSWORD_FORM_MAX];
    for (size_t i = 0; i + 2 < sizeof(huge); i += 3)
        memcpy(huge + i, "\u1ebf", 3);
    assert_in_range(password_form((struct text){huge, PASSWORD_MAX - 1}, out), 1, sizeof(out));
    assert_in_range(password_form((struct text){huge, sizeof(huge)}, out), 1, sizeof(out));
    struct password_hash hash;
    assert_int_equal(password_make(TEXT("con m\u00e8o tr\u00e8o c\u00e2y cau"), &hash), 0);
    assert_true(password_is(hash.text, TEXT("con me\u0300o tre\u0300o ca\u0302y cau")));
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nobodys_password_costs_what_somebodys_does(void **state)
{
    (void)state;
    struct password_hash hash;
    assert_int_equal(password_make(TEXT("con mèo trèo cây cau"), &hash), 0);
    double t0 = cpu_s();
    assert_false(password_is(hash.text, TEXT("wrong")));
    double somebody = cpu_s() - t0;
    t0 = cpu_s();
    assert_false(password_is("", TEXT("wrong")));
    double nobody = cpu_s() - t0;
    assert_true(nobody > somebody / 10); /* computed at all: without it, it would be a thousandth */
}

static void a_first_password_is_long_and_never_the_same(void **state)
{
    (void)state;
    struct password_first a, b;
    assert_int_equal(password_first(&a), 0);
    assert_int_equal(password_first(&b), 0);
    assert_int_equal(strlen(a.text), 23);
    assert_string_not_equal(a.text, b.text);
    assert_null(strpbrk(a.text, "iloILO01"));
    assert_true(password_is(a.hash.text, text_of(a.text)));
    password_wipe(&a);
    assert_int_equal(a.text[0], 0);
}

/* --- TOTP -------------------------------------------------------------------------------------------------------- */

static const uint8_t RFC_SECRET[] = "12345678901234567890";

static void codes_are_those_of_rfc_6238(void **state)
{
    (void)state;
    /* appendix B, SHA-1, the last six of its eight digits */
    static const struct { int64_t time; uint32_t code; } VECTORS[] = {{59, 287082}, {1111111109, 81804}, {1111111111, 50471}, {1234567890, 5924},
        {2000000000, 279037}, {INT64_C(20000000000), 353130}};
    for (size_t i = 0; i < COUNT_OF(VECTORS); i++) {
        assert_int_equal(totp_code(RFC_SECRET, 20, VECTORS[i].time / 30), VECTORS[i].code);
        char text[8];
        snprintf(text, sizeof(text), "%06u", VECTORS[i].code);
        int64_t step = VECTORS[i].time / 30;
        for (int64_t off = VECTORS[i].time < 90 ? -1 : -3; off <= 3; off++) /* one step early or late */
            assert_int_equal(totp_step(RFC_SECRET, 20, text_of(text), (VECTORS[i].time + 30 * off) * SECOND, -1), off >= -1 && off <= 1 ? step : -1);
        assert_int_equal(totp_step(RFC_SECRET, 20, text_of(text), VECTORS[i].time * SECOND, step), -1); /* it was used */
        assert_int_equal(totp_step(RFC_SECRET, 20, text_of(text), VECTORS[i].time * SECOND, step - 1), step);
        assert_int_equal(totp_step(RFC_SECRET, 20, (struct text){text, 5}, VECTORS[i].time * SECOND, -1), -1);
    }
    assert_int_equal(totp_step(RFC_SECRET, 20, TEXT("28708 "), 59 * SECOND, -1), -1);
    assert_int_equal(totp_step(RFC_SECRET, 20, TEXT("+28708"), 59 * SECOND, -1), -1);
}

static void base32_is_that_of_rfc_4648(void **state)
{
    (void)state;
    static const struct { const char *bytes, *text; } VECTORS[] = {{"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"}, {"foob", "MZXW6YQ"}, {"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};
    for (size_t i = 0; i < COUNT_OF(VECTORS); i++) {
        char out[16] = "";
        assert_int_equal(base32_encode((const uint8_t *)VECTORS[i].bytes, strlen(VECTORS[i].bytes), out, sizeof(out)), strlen(VECTORS[i].text));
        assert_string_equal(out, VECTORS[i].text);
    }
    char small[10];
    assert_int_equal(base32_encode((const uint8_t *)"foobar", 6, small, 10), 0);
}

/* --- the way in -------------------------------------------------------------------------------------------------- */

static const char PASSWORD[] = "con mèo trèo cây cau";

/* a person whose password is PASSWORD and needs no change */
static int64_t add_person(struct state_help *h, const char *login)
{
    static struct password_first first; /* one hash for all of them */
    int64_t id;
    const struct person p = {.login = login, .name = "Trần Thị Bình"};
    if (!first.hash.text[0])
        assert_int_equal(password_make(text_of(PASSWORD), &first.hash), 0);
    struct db *db = db_write(h->pool);
    assert_int_equal(person_add(db, &p, &first, NOW, &id), 0);
    struct db_statement *s = db_sql(db, "UPDATE credential SET must_change = 0, first_until_us = NULL WHERE person = ?1");
    db_bind(s, 1, id);
    db_done(s);
    state_keep(db);
    return id;
}

static struct login_result login(struct state_help *h, const char *name, const char *password, const char *address, int64_t now)
{
    struct login_result r;
    struct fault f = {0};
    const struct login_from from = {.address = text_of(address), .agent = TEXT("a")};
    if (login_password(h->pool, text_of(name), text_of(password), &from, NULL, now, &r, &f))
        fail_msg("%s", f.text);
    return r;
}

static int64_t entries(struct state_help *h, const char *action)
{
    struct db *db = db_read(h->pool);
    struct db_statement *s = db_sql(db, "SELECT count(*) FROM trail WHERE action = ?1");
    db_bind_str(s, 1, action);
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_end(db, false, NULL);
    return n;
}

static void the_right_password_opens_a_session_and_nothing_else_does(void **state)
{
    (void)state;
    struct state_help h;
    struct session s;
    bool is_touch;
    state_begin(&h);
    int64_t id = add_person(&h, "binh");
    struct login_result r = login(&h, "BINH", PASSWORD, "192.0.2.1", NOW);
    assert_int_equal(r.outcome, LOGIN_DONE);
    assert_int_equal(r.person, id);
    struct db *db = db_read(h.pool);
    assert_int_equal(session_find(db, text_of(r.session), NOW, &h.arena, &s, &is_touch), 0);
    assert_string_equal(s.login, "binh");
    assert_int_equal(s.id, r.session_id);
    db_end(db, false, NULL);
    assert_int_equal(login(&h, "binh", "con mèo", "192.0.2.1", NOW).outcome, LOGIN_REFUSED);
    assert_int_equal(login(&h, "nobody", PASSWORD, "192.0.2.1", NOW).outcome, LOGIN_REFUSED);
    assert_int_equal(login(&h, "", "", "", NOW).outcome, LOGIN_REFUSED);
    state_run(h.pool, "UPDATE person SET is_disabled = 1");
    assert_int_equal(login(&h, "binh", PASSWORD, "192.0.2.1", NOW).outcome, LOGIN_REFUSED);
    state_run(h.pool, "UPDATE person SET is_disabled = 0; UPDATE credential SET first_until_us = 1, must_change = 1");
    assert_int_equal(login(&h, "binh", PASSWORD, "192.0.2.1", NOW).outcome, LOGIN_EXPIRED);
    assert_int_equal(entries(&h, "session.opened"), 1);
    assert_int_equal(entries(&h, "login.refused"), 5);
    /* no secret and no mistyped login in the trail */
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM trail WHERE detail LIKE '%nobody%' OR detail LIKE '%m_o%' OR why <> ''"), 0);
    state_end(&h);
}

static void guessing_is_locked_out_longer_and_longer(void **state)
{
    (void)state;
    struct state_help h;
    state_begin(&h);
    add_person(&h, "binh");
    int64_t now = NOW;
    for (int who = 0; who < 2; who++) { /* a login that is somebody's and one that is nobody's: no difference */
        const char *name = who ? "nobody" : "binh";
        for (int i = 0; i < LOCK_LOGIN_FREE; i++)
            assert_int_equal(login(&h, name, "wrong", "198.51.100.7", now).outcome, LOGIN_REFUSED);
        int64_t span = 30 * SECOND;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(login(&h, name, "wrong", "198.51.100.7", now).outcome, LOGIN_REFUSED);
            struct login_result r = login(&h, name, PASSWORD, "203.0.113.5", now + span - 1); /* even the right one, from anywhere */
            assert_int_equal(r.outcome, LOGIN_LOCKED);
            assert_int_equal(r.locked_until_us, now + span);
            now += span;
            span *= 2;
        }
    }
    assert_int_equal(login(&h, "binh", PASSWORD, "203.0.113.5", now).outcome, LOGIN_DONE);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM login_lock WHERE key = 'l:binh'"), 0);
    assert_int_equal(entries(&h, "login.locked"), 6);
    assert_int_equal(entries(&h, "login.refused"), 10);
    /* what was refused while it was locked is told with the next entry */
    assert_int_equal(state_number(h.pool, "SELECT sum(detail LIKE '%\"refused_while_locked\":1,%') FROM trail"), 4);
    struct db *db = db_write(h.pool);
    assert_int_equal(login_unlock(db, TEXT("Nobody")), 1);
    assert_int_equal(login_unlock(db, TEXT("198.51.100.7")), 1);
    state_keep(db);
    state_end(&h);
}

static void an_address_that_tries_many_logins_is_locked_as_well(void **state)
{
    (void)state;
    struct state_help h;
    char name[16], address[48];
    state_begin(&h);
    add_person(&h, "binh");
    for (int i = 0; i <= LOCK_ADDRESS_FREE; i++) { /* of one /64, each try from another address and for another login */
        snprintf(name, sizeof(name), "name%d", i);
        snprintf(address, sizeof(address), "2001:db8:1:2:%x::1", i + 1);
        assert_int_equal(login(&h, name, "wrong", address, NOW).outcome, LOGIN_REFUSED);
    }
    assert_int_equal(login(&h, "binh", PASSWORD, "2001:db8:1:2:ffff::9", NOW).outcome, LOGIN_LOCKED);
    assert_int_equal(login(&h, "binh", PASSWORD, "2001:db8:1:3::9", NOW).outcome, LOGIN_DONE);
    /* a day of quiet forgets */
    assert_int_equal(login(&h, "name0", "wrong", "2001:db8:1:2::1", NOW + DAY + 60 * SECOND).outcome, LOGIN_REFUSED);
    assert_int_equal(state_number(h.pool, "SELECT failures FROM login_lock WHERE key LIKE 'a:2001:db8:1:2:%'"), 1);
    state_end(&h);
}

struct crowd {
    struct state_help *h;
    int n_judged;
    pthread_mutex_t lock;
};

static void *guess(void *context)
{
    struct crowd *c = context;
    struct login_result r;
    if (!login_password(c->h->pool, TEXT("binh"), TEXT("wrong"), &FROM, NULL, NOW, &r, NULL) && r.outcome == LOGIN_REFUSED) {
        pthread_mutex_lock(&c->lock);
        c->n_judged++;
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

static void a_crowd_at_once_has_no_more_tries_than_one_after_the_other(void **state)
{
    (void)state;
    struct state_help h;
    struct crowd c = {.h = &h, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[12];
    state_begin(&h);
    add_person(&h, "binh");
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &c), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.n_judged, LOCK_LOGIN_FREE + 1);
    state_end(&h);
}

/* --- the second factor ------------------------------------------------------------------------------------------- */

static const char *code_at(struct state_help *h, int64_t person, int64_t now, char out[16])
{
    struct db *db = db_read(h->pool);
    struct db_statement *s = db_sql(db, "SELECT coalesce(c.totp, l.totp_offer) FROM credential c JOIN login_state l ON l.person = c.person WHERE c.person = ?1");
    db_bind(s, 1, person);
    assert_true(db_next(s));
    struct text secret = db_blob(s, 0);
    snprintf(out, 16, "%06u", totp_code((const uint8_t *)secret.p, secret.n, now / SECOND / TOTP_STEP_S));
    db_end(db, false, NULL);
    return out;
}

static struct login_result second(struct state_help *h, const char *challenge, const char *code, bool is_recovery, int64_t now)
{
    struct login_result r;
    struct fault f = {0};
    if (login_totp(h->pool, text_of(challenge), text_of(code), is_recovery, &FROM, NULL, now, &r, &f))
        fail_msg("%s", f.text);
    return r;
}

static int64_t with_totp(struct state_help *h, char codes[RECOVERY_CODES][RECOVERY_CODE_MAX])
{
    struct totp_offer offer;
    char code[16];
    int64_t id = add_person(h, "binh");
    assert_int_equal(login_totp_confirm(h->pool, id, TEXT("000000"), &FROM, NOW, codes, NULL), 1); /* nothing was offered */
    assert_int_equal(login_totp_offer(h->pool, id, "Sở KHCN: trực", NOW, &offer, NULL), 0);
    assert_int_equal(strlen(offer.secret), 32);
    assert_non_null(strstr(offer.uri, "otpauth://totp/S%E1%BB%9F%20KHCN%3A%20tr%E1%BB%B1c%3Abinh?secret="));
    assert_int_equal(login(h, "binh", PASSWORD, "192.0.2.1", NOW).outcome, LOGIN_DONE); /* not in force yet */
    assert_int_equal(login_totp_confirm(h->pool, id, text_of(code_at(h, id, NOW - 300 * SECOND, code)), &FROM, NOW, codes, NULL), 1);
    assert_int_equal(login_totp_confirm(h->pool, id, text_of(code_at(h, id, NOW, code)), &FROM, NOW, codes, NULL), 0);
    return id;
}

static void with_a_second_factor_the_password_alone_opens_nothing(void **state)
{
    (void)state;
    struct state_help h;
    char codes[RECOVERY_CODES][RECOVERY_CODE_MAX], code[16];
    state_begin(&h);
    int64_t id = with_totp(&h, codes), now = NOW + 60 * SECOND;
    struct login_result r = login(&h, "binh", PASSWORD, "192.0.2.1", now);
    assert_int_equal(r.outcome, LOGIN_NEEDS_TOTP);
    assert_int_equal(r.session[0], 0);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM session"), 1); /* of before */
    assert_int_equal(second(&h, "made up", "123456", false, now).outcome, LOGIN_EXPIRED);
    assert_int_equal(second(&h, r.challenge, "abcdef", false, now).outcome, LOGIN_REFUSED);
    struct login_result in = second(&h, r.challenge, code_at(&h, id, now, code), false, now);
    assert_int_equal(in.outcome, LOGIN_DONE);
    assert_int_equal(in.person, id);
    /* the challenge is spent, and so is the code */
    assert_int_equal(second(&h, r.challenge, code, false, now).outcome, LOGIN_EXPIRED);
    r = login(&h, "binh", PASSWORD, "192.0.2.1", now);
    assert_int_equal(second(&h, r.challenge, code, false, now).outcome, LOGIN_REFUSED);
    assert_int_equal(second(&h, r.challenge, code_at(&h, id, now + 30 * SECOND, code), false, now + CHALLENGE_US).outcome, LOGIN_EXPIRED);
    /* a recovery code, as people write it, once */
    r = login(&h, "binh", PASSWORD, "192.0.2.1", now);
    for (char *p = codes[3]; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p == '-' ? ' ' : *p);
    assert_int_equal(second(&h, r.challenge, codes[3], true, now).outcome, LOGIN_DONE);
    r = login(&h, "binh", PASSWORD, "192.0.2.1", now);
    assert_int_equal(second(&h, r.challenge, codes[3], true, now).outcome, LOGIN_REFUSED);
    assert_int_equal(second(&h, r.challenge, codes[4], true, now).outcome, LOGIN_DONE);
    /* and gone again by an administrator's hand */
    struct db *db = db_write(h.pool);
    assert_int_equal(person_reset_totp(db, id, now), 0);
    state_keep(db);
    assert_int_equal(login(&h, "binh", PASSWORD, "192.0.2.1", now).outcome, LOGIN_DONE);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM recovery_code"), 0);
    state_end(&h);
}

static void codes_cannot_be_guessed_by_logging_in_again_and_again(void **state)
{
    (void)state;
    struct state_help h;
    char codes[RECOVERY_CODES][RECOVERY_CODE_MAX];
    state_begin(&h);
    with_totp(&h, codes);
    unsigned n_judged = 0;
    for (int i = 0; i < 4; i++) { /* whoever has the password gets a new challenge each time, but no new tries */
        struct login_result r = login(&h, "binh", PASSWORD, "192.0.2.1", NOW + 60 * SECOND);
        for (int k = 0; k < 4 && r.outcome == LOGIN_NEEDS_TOTP; k++)
            n_judged += second(&h, r.challenge, "x00000", false, NOW + 60 * SECOND).outcome == LOGIN_REFUSED;
    }
    assert_in_range(n_judged, 3, LOCK_LOGIN_FREE + 1);
    state_end(&h);
}

/* --- one's own password ------------------------------------------------------------------------------------------ */

static void one_changes_ones_own_password_with_the_old_one(void **state)
{
    (void)state;
    struct state_help h;
    enum login_outcome outcome;
    enum password_fault fault;
    state_begin(&h);
    int64_t id = add_person(&h, "binh");
    state_run(h.pool, "UPDATE credential SET must_change = 1");
    struct login_result here = login(&h, "binh", PASSWORD, "192.0.2.1", NOW);
    struct login_result there = login(&h, "binh", PASSWORD, "192.0.2.1", NOW);
#define CHANGE(before, after) login_change_password(h.pool, id, here.session_id, text_of(before), text_of(after), &FROM, NOW, &outcome, &fault, NULL)
    assert_int_equal(CHANGE("wrong", "con chó sủa ngoài sân"), 0);
    assert_int_equal(outcome, LOGIN_REFUSED);
    static const struct { const char *after; enum password_fault fault; } REFUSED[] = {{PASSWORD, PASSWORD_SAME}, {"short", PASSWORD_SHORT}, {"tranthibinh12", PASSWORD_OWN},
        {"matkhau123456", PASSWORD_COMMON}};
    for (size_t i = 0; i < COUNT_OF(REFUSED); i++) {
        assert_int_equal(CHANGE(PASSWORD, REFUSED[i].after), 0);
        assert_int_equal(outcome, LOGIN_DONE);
        assert_int_equal(fault, REFUSED[i].fault);
    }
    assert_int_equal(state_number(h.pool, "SELECT must_change FROM credential"), 1);
    assert_int_equal(CHANGE(PASSWORD, "con chó sủa ngoài sân"), 0);
    assert_int_equal(fault, PASSWORD_FINE);
    struct db *db = db_read(h.pool);
    assert_int_equal(session_is_open(db, here.session_id, NOW), 1);
    assert_int_equal(session_is_open(db, there.session_id, NOW), 0);
    db_end(db, false, NULL);
    assert_int_equal(state_number(h.pool, "SELECT must_change FROM credential"), 0);
    assert_int_equal(login(&h, "binh", PASSWORD, "192.0.2.1", NOW).outcome, LOGIN_REFUSED);
    assert_int_equal(login(&h, "binh", "con chó sủa ngoài sân", "192.0.2.1", NOW).outcome, LOGIN_DONE);
    struct trail_report r;
    db = db_read(h.pool);
    assert_int_equal(trail_verify(db, NULL, &r, NULL), 0);
    db_end(db, false, NULL);
    assert_int_equal(r.n_objects_wrong, 0);
    assert_int_equal(entries(&h, "person.password"), 1);
    state_end(&h);
}

static void no_failure_of_the_database_lets_anybody_in(void **state)
{
    (void)state;
    struct state_help h;
    struct login_result r;
    struct fault f = {0};
    state_begin(&h);
    add_person(&h, "binh");
    state_run(h.pool, "CREATE TRIGGER full BEFORE INSERT ON session BEGIN SELECT RAISE(ABORT, 'disk'); END");
    assert_true(login_password(h.pool, TEXT("binh"), text_of(PASSWORD), &FROM, NULL, NOW, &r, &f) < 0);
    state_run(h.pool, "DROP TRIGGER full; CREATE TRIGGER full BEFORE INSERT ON trail BEGIN SELECT RAISE(ABORT, 'disk'); END");
    assert_true(login_password(h.pool, TEXT("binh"), text_of(PASSWORD), &FROM, NULL, NOW, &r, &f) < 0);
    assert_int_equal(state_number(h.pool, "SELECT count(*) FROM session"), 0); /* no session without its entry */
    state_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_is_refused_for_what_everybody_tries),
        cmocka_unit_test(whatever_is_given_as_a_password_gets_an_answer),
        cmocka_unit_test(a_hash_is_argon2id_and_knows_its_password),
        cmocka_unit_test(whatever_keyboard_a_password_was_typed_on_it_is_the_same),
        cmocka_unit_test(nobodys_password_costs_what_somebodys_does),
        cmocka_unit_test(a_first_password_is_long_and_never_the_same),
        cmocka_unit_test(codes_are_those_of_rfc_6238),
        cmocka_unit_test(base32_is_that_of_rfc_4648),
        cmocka_unit_test(the_right_password_opens_a_session_and_nothing_else_does),
        cmocka_unit_test(guessing_is_locked_out_longer_and_longer),
        cmocka_unit_test(an_address_that_tries_many_logins_is_locked_as_well),
        cmocka_unit_test(a_crowd_at_once_has_no_more_tries_than_one_after_the_other),
        cmocka_unit_test(with_a_second_factor_the_password_alone_opens_nothing),
        cmocka_unit_test(codes_cannot_be_guessed_by_logging_in_again_and_again),
        cmocka_unit_test(one_changes_ones_own_password_with_the_old_one),
        cmocka_unit_test(no_failure_of_the_database_lets_anybody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
