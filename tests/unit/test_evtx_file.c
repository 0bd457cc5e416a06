/* SPDX-License-Identifier: Apache-2.0 */
/* Files, chunks and the chain of records of an event log: whole, damaged, cut, as a stream, carved. */
#include "evtx_case.h"

/* story - "1 2 c3 !reason ..." of everything that is read; c: carved */
static const char *story(struct fixture *f)
{
    const struct evtx_record *r;
    size_t n = 0;
    f->text[0] = '\0';
    for (int s; (s = evtx_next(f->e, &r)) != EVTX_END;) {
        assert_true(s == 0 || s == EVTX_REFUSED);
        assert_true(s || !r->damage || r->damage == EVTX_RECORD_TORN);
        n += s ? (size_t)snprintf(f->text + n, sizeof(f->text) - n, "!%u@%llu ", evtx_refusal(f->e)->reason,
                                  (unsigned long long)evtx_refusal(f->e)->offset)
               : (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%llu ", r->is_carved ? "c" : "",
                                  (unsigned long long)r->record_id);
    }
    const struct evtx_counters *c = evtx_counters(f->e);
    uint64_t refused = 0;
    for (int i = EVTX_FIRST_RECORD_REASON; i < EVTX_N_REASONS; i++)
        refused += c->n_refused[i];
    assert_int_equal(c->n_candidates, c->n_records + refused);
    return f->text;
}

static const char *story_of_file(struct fixture *f)
{
    uint8_t *copy = reopen(f);
    const char *text = story(f);
    free(copy);
    return text;
}

#define RECORD_1 (4096 + 512)

static void chunks_are_read_whatever_the_header_counts(void **state)
{
    (void)state;
    static const uint16_t stated[] = {0, 1, 2, 65535};
    for (size_t i = 0; i < COUNT_OF(stated); i++) {
        struct fixture *f = begin(false);
        build_file(&f->b, stated[i]);
        three_records(&f->b, 1);
        f->b.n += BUILD_CHUNK; /* never used */
        three_records(&f->b, 4);
        assert_string_equal(story_of_file(f), "1 2 3 4 5 6 ");
        assert_int_equal(evtx_counters(f->e)->n_chunks, 2);
        assert_int_equal(evtx_counters(f->e)->n_chunks_empty, 1);
        assert_int_equal(evtx_counters(f->e)->n_chunks_no_sum, 2);
        end(f);
    }
}

static void a_chunk_alone_and_in_a_stream_reads_like_the_file(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    build_file(&f->b, 2);
    three_records(&f->b, 1);
    three_records(&f->b, 4);
    struct evtx_header header;
    assert_int_equal(evtx_header_read(f->b.p, 128, &header), 0);
    assert_int_equal(header.header_bytes, 4096);
    assert_int_equal(header.n_chunks, 2);
    assert_false(header.is_sum_right);
    assert_int_equal(evtx_header_read(f->b.p, 127, &header), EVTX_NOT_EVTX);
    const struct evtx_record *r;
    evtx_chunk(f->e, f->b.p + 4096, BUILD_CHUNK, 4096, 0);
    assert_string_equal(story(f), "1 2 3 ");
    evtx_chunk(f->e, f->b.p + 4096 + BUILD_CHUNK, BUILD_CHUNK, 4096 + BUILD_CHUNK, 1);
    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_int_equal(r->offset, 4096 + BUILD_CHUNK + 512);
    assert_int_equal(r->chunk, 1);
    assert_string_equal(story(f), "5 6 ");
    assert_int_equal(evtx_open(f->e, f->b.p + 4096, BUILD_CHUNK), 0); /* a chunk without its file */
    assert_string_equal(story(f), "1 2 3 ");
    assert_int_equal(evtx_open(f->e, f->b.p + 1, BUILD_CHUNK), EVTX_NOT_EVTX);
    assert_int_equal(evtx_open(f->e, f->b.p, 0), EVTX_NOT_EVTX);
    end(f);
}

static void a_cut_file_gives_what_is_there(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    build_file(&f->b, 1);
    three_records(&f->b, 1);
    size_t size = f->b.record - RECORD_1; /* of two records */
    f->b.n = RECORD_1 + size;
    assert_string_equal(story_of_file(f), "1 2 ");
    f->b.n = RECORD_1 + size + 40;
    char want[64];
    snprintf(want, sizeof(want), "1 2 !%u@%zu ", EVTX_RECORD_SIZE, RECORD_1 + size);
    assert_string_equal(story_of_file(f), want);
    assert_int_equal(evtx_counters(f->e)->n_chunks_bad_end, 1);
    f->b.n = 4096 + 100;
    snprintf(want, sizeof(want), "!%u@4096 ", EVTX_CHUNK_SHORT);
    assert_string_equal(story_of_file(f), want);
    f->b.n = 4096;
    assert_string_equal(story_of_file(f), "");
    end(f);
}

static void damage_is_told_and_carving_reads_on(void **state)
{
    (void)state;
    for (int may_recover = 0; may_recover < 2; may_recover++) {
        char want[128];
        struct fixture *f = begin(may_recover);
        build_file(&f->b, 1);
        three_records(&f->b, 1);
        size_t size = (f->b.record - RECORD_1) / 2;
        struct evtx_build *b = &f->b;

        build_put(b, 4096, 0, 1); /* the chunk's magic */
        snprintf(want, sizeof(want), "!%u@4096 %s", EVTX_CHUNK_MAGIC, may_recover ? "c1 c2 c3 " : "");
        assert_string_equal(story_of_file(f), want);
        build_put(b, 4096, 'E', 1);

        build_put(b, RECORD_1 + size, 0, 4); /* the second record's magic */
        snprintf(want, sizeof(want), "1 !%u@%zu %s", EVTX_CHUNK_CHAIN, RECORD_1 + size, may_recover ? "c3 " : "");
        assert_string_equal(story_of_file(f), want);
        build_put(b, RECORD_1 + size, 0x2a2a, 4);

        build_put(b, RECORD_1 + size + 4, 0x10000000, 4); /* its size */
        snprintf(want, sizeof(want), "1 !%u@%zu %s", EVTX_RECORD_SIZE, RECORD_1 + size, may_recover ? "c3 " : "");
        assert_string_equal(story_of_file(f), want);
        build_put(b, RECORD_1 + size + 4, 0, 4);
        assert_string_equal(story_of_file(f), want);
        build_put(b, RECORD_1 + size + 4, size, 4);

        build_put(b, RECORD_1 + 2 * size - 4, 0, 4); /* the second copy of the size */
        assert_string_equal(story_of_file(f), "1 2 3 ");
        assert_int_equal(evtx_counters(f->e)->n_damaged, 1);
        end(f);
    }
}

static void records_behind_the_stated_end_count_if_they_go_on_else_they_are_slack(void **state)
{
    (void)state;
    for (int may_recover = 0; may_recover < 2; may_recover++) {
        struct fixture *f = begin(may_recover);
        build_file(&f->b, 1);
        three_records(&f->b, 1);
        size_t size = (f->b.record - RECORD_1) / 2;
        build_put(&f->b, 4096 + 48, 512 + size, 4); /* a dirty file: the header was written before two records */
        assert_string_equal(story_of_file(f), "1 2 3 ");
        assert_int_equal(evtx_counters(f->e)->n_beyond_end, 2);
        build_put(&f->b, RECORD_1 + size + 8, 77, 8); /* what the chunk held before it was used again */
        build_put(&f->b, RECORD_1 + 2 * size + 8, 78, 8);
        assert_string_equal(story_of_file(f), may_recover ? "1 c77 c78 " : "1 ");
        assert_int_equal(evtx_counters(f->e)->n_carved, may_recover ? 2 : 0);
        build_put(&f->b, 4096 + 48, 7, 4); /* an end that cannot be */
        assert_string_equal(story_of_file(f), "1 77 78 ");
        assert_int_equal(evtx_counters(f->e)->n_chunks_bad_end, 1);
        end(f);
    }
}

static void chunks_are_found_in_raw_memory_and_behind_a_shift(void **state)
{
    (void)state;
    struct fixture *f = begin(true);
    memset(f->b.p, 0x55, 5000);
    f->b.n = 5000; /* no header, no alignment */
    memset(f->b.p + f->b.n, 0, sizeof(f->b.p) - f->b.n);
    three_records(&f->b, 1);
    three_records(&f->b, 4);
    assert_string_equal(story_of_file(f), "1 2 3 4 5 6 ");
    end(f);

    f = begin(true);
    build_file(&f->b, 2);
    memset(f->b.p + 4096, 0x55, BUILD_CHUNK); /* a chunk with nothing left, but with the magic in some text */
    memcpy(f->b.p + 5000, "ElfChnk", 8);
    f->b.n += BUILD_CHUNK;
    three_records(&f->b, 1);
    char broken[64];
    snprintf(broken, sizeof(broken), "!%u@4096 1 2 3 ", EVTX_CHUNK_MAGIC);
    assert_string_equal(story_of_file(f), broken);
    end(f);

    f = begin(true);
    build_file(&f->b, 2);
    build_bytes(&f->b, "0123456789", 10); /* bytes that somebody put in between */
    three_records(&f->b, 1);
    char want[64];
    snprintf(want, sizeof(want), "!%u@4096 1 2 3 ", EVTX_CHUNK_SHORT);
    assert_string_equal(story_of_file(f), want);
    end(f);
}

static void an_overwritten_template_is_replaced_by_its_twin_when_carving(void **state)
{
    (void)state;
    for (int may_recover = 0; may_recover < 2; may_recover++) {
        struct fixture *f = begin(may_recover);
        struct evtx_build *b = &f->b;
        char want[128];
        build_file(b, 2);
        three_records(b, 1);
        build_chunk(b);
        simple_record(b, 4);
        size_t broken = b->n; /* its template is where something else is now; the second one is nobody's */
        for (uint64_t id = 5; id < 7; id++) {
            build_record(b, id, 0);
            build_template_again(b, id == 5 ? TEMPLATE_ID : 99, 3000);
            build_values(b, &(struct build_value){6, 2, "\x08\0"}, 1);
            build_record_end(b);
        }
        size_t last = b->record;
        build_chunk_end(b);
        if (may_recover)
            snprintf(want, sizeof(want), "1 2 3 4 5 !%u@%zu ", EVTX_BAD_TEMPLATE, last);
        else
            snprintf(want, sizeof(want), "1 2 3 4 !%u@%zu !%u@%zu ", EVTX_BAD_TEMPLATE, broken, EVTX_BAD_TEMPLATE, last);
        assert_string_equal(story_of_file(f), want);

        /* the same as a stream whose chunks are gone when the next one comes */
        size_t n = 0;
        char all[256] = "";
        (void)evtx_open(f->e, b->p, 0);
        for (size_t at = 4096; at < b->n; at += n) {
            n = evtx_chunk_length(b->p + at, b->n - at);
            uint8_t *chunk = malloc(n);
            assert_non_null(chunk);
            memcpy(chunk, b->p + at, n);
            evtx_chunk(f->e, chunk, n, at, at / BUILD_CHUNK);
            strcat(all, story(f));
            free(chunk);
        }
        assert_string_equal(all, want);
        end(f);
    }
}

static void a_stream_that_carves_follows_a_shifted_grid(void **state)
{
    (void)state;
    struct fixture *f = begin(true);
    struct evtx_build *b = &f->b;
    build_bytes(b, "0123456789", 10);
    three_records(b, 1);
    three_records(b, 4);
    assert_int_equal(evtx_chunk_length(b->p, b->n), 10);
    assert_int_equal(evtx_chunk_length(b->p + 10, b->n - 10), BUILD_CHUNK);
    assert_int_equal(evtx_chunk_length(b->p + 10 + BUILD_CHUNK, 100), 100);
    assert_int_equal(evtx_chunk_length(b->p, 7), 7);
    assert_int_equal(evtx_chunk_length(b->p, 0), 0);
    end(f);
}

static uint32_t naive_crc(const uint8_t *p, size_t n, uint32_t c)
{
    for (c = ~c; n; p++, n--) {
        c ^= *p;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

static void wrong_checksums_are_counted_and_the_chunk_is_read(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct evtx_build *b = &f->b;
    assert_int_equal(naive_crc((const uint8_t *)"123456789", 9, 0), 0xcbf43926); /* the check value of CRC-32 */
    build_chunk(b);
    simple_record(b, 1);
    size_t used = b->n;
    build_chunk_end(b);
    build_put(b, 52, naive_crc(b->p + 512, used - 512, 0), 4);
    build_put(b, 124, naive_crc(b->p + 128, 384, naive_crc(b->p, 120, 0)), 4);
    assert_string_equal(story_of_file(f), "1 ");
    assert_int_equal(evtx_counters(f->e)->n_chunks_bad_sum + evtx_counters(f->e)->n_chunks_no_sum, 0);
    build_put(b, 52, 1, 4);
    assert_string_equal(story_of_file(f), "1 ");
    assert_int_equal(evtx_counters(f->e)->n_chunks_bad_sum, 1);
    build_put(b, 52, 0, 4);
    build_put(b, 124, 0, 4);
    assert_string_equal(story_of_file(f), "1 ");
    assert_int_equal(evtx_counters(f->e)->n_chunks_no_sum, 1);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_read_whatever_the_header_counts),
        cmocka_unit_test(a_chunk_alone_and_in_a_stream_reads_like_the_file),
        cmocka_unit_test(a_cut_file_gives_what_is_there),
        cmocka_unit_test(damage_is_told_and_carving_reads_on),
        cmocka_unit_test(records_behind_the_stated_end_count_if_they_go_on_else_they_are_slack),
        cmocka_unit_test(chunks_are_found_in_raw_memory_and_behind_a_shift),
        cmocka_unit_test(an_overwritten_template_is_replaced_by_its_twin_when_carving),
        cmocka_unit_test(a_stream_that_carves_follows_a_shifted_grid),
        cmocka_unit_test(wrong_checksums_are_counted_and_the_chunk_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
