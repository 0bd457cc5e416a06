/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs made by hand: what each part of the format means, and what becomes of those that break it. */
#include "evtx_case.h"
#include "failing_alloc.h"

#include <errno.h>

/* ---- documents ---- */

static void two_data(struct evtx_build *b)
{
    build_system(b);
    build_open(b, "EventData", false);
    build_gt(b);
    build_data(b, "User", 1);
    build_data(b, "LogonId", 2);
    build_close(b);
}

static void a_template_is_compiled_once_and_serves_every_record(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct evtx_build *b = &f->b;
    const struct evtx_record *r;
    build_file(b, 1);
    build_chunk(b);
    build_record(b, 41, UINT64_C(116444736000000000) + 15);
    uint32_t definition = build_template(b, TEMPLATE_ID);
    build_open(b, "Event", true);
    build_attribute_text(b, "xmlns", "urn:x");
    build_gt(b);
    two_data(b);
    build_close(b);
    build_template_end(b);
    build_values(b, (struct build_value[]){{6, 2, "\x10\x12"}, {1, 4, "a\0b\0"}, {0x15, 8, "\xe7\x03\0\0\0\0\0\0"}}, 3);
    build_record_end(b);
    size_t second = b->n;
    build_record(b, 42, 0);
    build_template_again(b, TEMPLATE_ID, definition);
    build_values(b, (struct build_value[]){{6, 2, "\x01\x00"}, {1, 0, ""}, {0x15, 8, "\0\0\0\0\0\0\0\0"}}, 3);
    build_record_end(b);
    build_chunk_end(b);
    uint8_t *copy = reopen(f);

    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_string_equal(fields(f, r), "Provider.Name=Acme-Provider\nEventID=4624\nChannel=Acme/Operational\nUser=ab\nLogonId=0x3e7\n");
    assert_string_equal(xml(f), "<Event xmlns='urn:x'><System><Provider Name='Acme-Provider'/><EventID>4624</EventID>"
                                "<Channel>Acme/Operational</Channel></System><EventData><Data Name='User'>ab</Data>"
                                "<Data Name='LogonId'>0x3e7</Data></EventData></Event>");
    assert_int_equal(r->record_id, 41);
    assert_int_equal(r->written_us, 1);
    assert_int_equal(r->offset, 4096 + 512);
    assert_int_equal(r->chunk, 0);
    assert_false(r->is_carved);
    assert_int_equal(evtx_system_field(r, EVTX_EVENT_ID)->u64, 4624);
    assert_int_equal(evtx_system_field(r, EVTX_PROVIDER_NAME)->section, EVTX_IN_SYSTEM);
    assert_true(evtx_system_field(r, EVTX_PROVIDER_NAME)->is_attribute);
    assert_null(evtx_system_field(r, EVTX_COMPUTER));
    assert_int_equal(r->fields[3].section, EVTX_IN_EVENT_DATA);
    assert_int_equal(r->fields[3].name_hash, evtx_name_hash("User", 4));

    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_string_equal(fields(f, r), "Provider.Name=Acme-Provider\nEventID=1\nChannel=Acme/Operational\nUser=\nLogonId=0x0\n");
    assert_int_equal(r->offset, second);
    assert_int_equal(evtx_next(f->e, &r), EVTX_END);
    assert_int_equal(evtx_next(f->e, &r), EVTX_END);
    assert_int_equal(evtx_counters(f->e)->n_templates, 1);
    assert_int_equal(evtx_counters(f->e)->n_records, 2);
    free(copy);
    end(f);
}

static void user_data(struct evtx_build *b)
{
    build_open(b, "UserData", false);
    build_gt(b);
    build_slot(b, 0, false);
    build_close(b);
}

/* fragment - a value of binary XML: its own template around what @body builds; its offsets are those of its place */
static void nested_event(struct fixture *f, void (*outer)(struct evtx_build *), void (*inner)(struct evtx_build *),
                         const struct build_value *v, uint32_t n)
{
    struct evtx_build *b = &f->b;
    memset(b, 0, sizeof(*b));
    build_chunk(b);
    build_record(b, 1, 0);
    build_template(b, TEMPLATE_ID);
    build_open(b, "Event", false);
    build_gt(b);
    outer(b);
    build_close(b);
    build_template_end(b);
    build_le(b, 1, 4);
    size_t size_at = b->n;
    build_le(b, 0, 2);
    build_le(b, 0x21, 1);
    build_le(b, 0, 1);
    size_t first = b->n;
    build_fragment(b);
    build_template(b, TEMPLATE_ID + 1);
    inner(b);
    build_template_end(b);
    build_values(b, v, n);
    build_le(b, 0, 1);
    build_put(b, size_at, b->n - first, 2);
    build_record_end(b);
    build_chunk_end(b);
}

static void user_elements(struct evtx_build *b)
{
    build_open(b, "EventXML", true);
    build_attribute_text(b, "xmlns", "Event_NS");
    build_gt(b);
    build_leaf(b, "Param1", NULL, 0);
    build_open(b, "Source", true);
    build_attribute_text(b, "kind", "net");
    build_gt(b);
    build_leaf(b, "Ip", NULL, 1);
    build_close(b);
    build_open(b, "Nothing", false);
    build_empty(b);
    build_close(b);
}

static void user_data_gives_dotted_names_through_nested_fragments(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    nested_event(f, user_data, user_elements, (struct build_value[]){{1, 2, "x\0"}, {1, 2, "y\0"}}, 2);
    expect_one(f, "EventXML.Param1=x\nEventXML.Source.kind=net\nEventXML.Source.Ip=y\nEventXML.Nothing=\n",
               "<Event><UserData><EventXML xmlns='Event_NS'><Param1>x</Param1><Source kind='net'><Ip>y</Ip></Source>"
               "<Nothing/></EventXML></UserData></Event>");
    const struct evtx_record *r;
    uint8_t *copy = reopen(f);
    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_int_equal(r->fields[2].section, EVTX_IN_USER_DATA);
    assert_int_equal(r->fields[2].leaf_at, strlen("EventXML.Source."));
    free(copy);
    end(f);
}

static void system_with_slot_zero(struct evtx_build *b)
{
    build_open(b, "System", false);
    build_gt(b);
    build_leaf(b, "EventID", "7", -1);
    build_close(b);
    build_slot(b, 0, false);
}

static void error_data(struct evtx_build *b)
{
    build_open(b, "ProcessingErrorData", false);
    build_gt(b);
    build_leaf(b, "ErrorCode", NULL, 0);
    build_leaf(b, "DataItemName", NULL, 1);
    build_leaf(b, "EventPayload", NULL, 2);
    build_close(b);
}

static void a_processing_error_is_a_section_of_its_own(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    nested_event(f, system_with_slot_zero, error_data,
                 (struct build_value[]){{8, 4, "\x9d\x3a\0\0"}, {1, 4, "i\0d\0"}, {0x0e, 3, "\x00\xff\x0a"}}, 3);
    expect_one(f, "EventID=7\nErrorCode=15005\nDataItemName=id\nEventPayload=00FF0A\n",
               NULL);
    end(f);
}

static void classic_data(struct evtx_build *b)
{
    build_open(b, "EventData", false);
    build_gt(b);
    build_data(b, NULL, 0);
    build_data(b, NULL, 1);
    build_leaf(b, "Binary", NULL, 2);
    build_close(b);
}

static void unnamed_data_is_numbered_and_a_string_array_repeats_its_element(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    const struct build_value v[] = {{0x81, 10, "a\0\0\0b\0c\0\0\0"}, {1, 2, "d\0"}, {0x0e, 2, "\xde\xad"}};
    event(f, classic_data, v, 3);
    expect_one(f, "Data=a\nData=bc\nData=d\nBinary=DEAD\n",
               "<Event><EventData><Data>a</Data><Data>bc</Data><Data>d</Data><Binary>DEAD</Binary></EventData></Event>");
    const struct evtx_record *r;
    uint8_t *copy = reopen(f);
    assert_int_equal(evtx_next(f->e, &r), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(r->fields[i].is_unnamed);
        assert_int_equal(r->fields[i].index, i);
    }
    assert_true(r->fields[0].is_array && r->fields[1].is_array && !r->fields[2].is_array);
    assert_false(r->fields[3].is_unnamed);
    free(copy);
    end(f);
}

static void one_slot(struct evtx_build *b)
{
    build_open(b, "EventData", false);
    build_gt(b);
    build_data(b, "v", 0);
    build_close(b);
}

static void optional_attributes(struct evtx_build *b)
{
    build_open(b, "System", false);
    build_gt(b);
    build_open(b, "Correlation", true);
    build_attribute(b, "ActivityID");
    build_slot(b, 0, true);
    build_empty(b);
    build_open_depending(b, "Version", false, 0);
    build_gt(b);
    build_slot(b, 0, true);
    build_close(b);
    build_leaf(b, "Level", NULL, 1);
    build_close(b);
}

static void null_substitutions_leave_attributes_and_depending_elements_out(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, optional_attributes, (struct build_value[]){{0, 0, ""}, {4, 1, "\x04"}}, 2);
    expect_one(f, "Level=4\n", "<Event><System><Correlation/><Level>4</Level></System></Event>");
    event(f, optional_attributes, (struct build_value[]){{4, 1, "\x07"}, {4, 1, "\x04"}}, 2);
    expect_one(f, "Correlation.ActivityID=7\nVersion=7\nLevel=4\n",
               "<Event><System><Correlation ActivityID='7'/><Version>7</Version><Level>4</Level></System></Event>");
    event(f, one_slot, (struct build_value[]){{0, 0, ""}}, 1); /* data without a value is data */
    expect_one(f, "v=\n", "<Event><EventData><Data Name='v'></Data></EventData></Event>");
    event(f, one_slot, NULL, 0); /* a number that the array does not have */
    expect_one(f, "v=\n", NULL);
    end(f);
}

static void mixed_content(struct evtx_build *b)
{
    build_open(b, "EventData", false);
    build_gt(b);
    build_open(b, "Data", true);
    build_attribute(b, "Name");
    build_slot(b, 0, false);
    build_gt(b);
    build_text(b, "a ");
    build_slot(b, 1, false);
    build_bytes(b, "\x08\x26\x00", 3); /* character reference: & */
    build_le(b, 0x09, 1);
    build_name(b, "lt");
    build_bytes(b, "\x07\x02\x00<\0>\0", 7); /* CDATA */
    build_close(b);
    build_leaf(b, "Free", "  ", -1);
    build_close(b);
}

static void text_entities_and_substitutions_join_and_names_may_be_substituted(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, mixed_content, (struct build_value[]){{1, 4, "N\0m\0"}, {8, 4, "\x2a\0\0\0"}}, 2);
    expect_one(f, "Nm=a 42&<<>\nFree=  \n",
               "<Event><EventData><Data Name='Nm'>a 42&amp;&lt;&lt;&gt;</Data><Free>  </Free></EventData></Event>");
    end(f);
}

static void odd_event_data(struct evtx_build *b)
{
    build_open(b, "EventData", true);
    build_attribute_text(b, "Name", "Section");
    build_gt(b);
    build_open(b, "Data", true);
    build_attribute_text(b, "Name", "Empty");
    build_empty(b);
    build_open(b, "Data", true);
    build_attribute_text(b, "Name", "Typed");
    build_attribute_text(b, "Type", "win:X");
    build_gt(b);
    build_slot(b, 0, false);
    build_close(b);
    build_open(b, "Data", false);
    build_empty(b);
    build_open(b, "Complex", true);
    build_attribute_text(b, "Name", "c");
    build_gt(b);
    build_data(b, "inner", 0);
    build_close(b);
    build_close(b);
    build_open(b, "RenderingInfo", true);
    build_attribute_text(b, "Culture", "vi-VN");
    build_gt(b);
    build_leaf(b, "Message", "Xin", -1);
    build_open(b, "Keywords", false);
    build_gt(b);
    build_leaf(b, "Keyword", "a", -1);
    build_leaf(b, "Keyword", "b", -1);
    build_close(b);
    build_close(b);
}

static void attributes_empty_elements_and_other_sections_have_names_of_their_own(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, odd_event_data, &(struct build_value){1, 2, "x\0"}, 1);
    expect_one(f,
               "EventData.Name=Section\nEmpty=\nData.Type=win:X\nTyped=x\nData=\nComplex.Name=c\nComplex.Data.Name=inner\n"
               "Complex.Data=x\nRenderingInfo.Culture=vi-VN\nRenderingInfo.Message=Xin\nRenderingInfo.Keywords.Keyword=a\n"
               "RenderingInfo.Keywords.Keyword=b\n",
               "<Event><EventData Name='Section'><Data Name='Empty'/><Data Name='Typed' Type='win:X'>x</Data><Data/>"
               "<Complex Name='c'><Data Name='inner'>x</Data></Complex></EventData><RenderingInfo Culture='vi-VN'>"
               "<Message>Xin</Message><Keywords><Keyword>a</Keyword><Keyword>b</Keyword></Keywords></RenderingInfo></Event>");
    end(f);
}

static void an_element_without_a_template_stands_for_itself(void **state)
{
    (void)state;
    for (int has_dependency = 0; has_dependency < 2; has_dependency++) {
        struct fixture *f = begin(false);
        struct evtx_build *b = &f->b;
        build_chunk(b);
        for (uint64_t id = 1; id < 3; id++) {
            build_record(b, id, 0);
            b->has_dependency = has_dependency;
            build_open(b, "Event", false);
            build_gt(b);
            build_open(b, "System", false);
            build_gt(b);
            build_leaf(b, "EventID", id == 1 ? "11" : "0x16", -1);
            build_close(b);
            build_close(b);
            build_record_end(b);
        }
        build_chunk_end(b);
        uint8_t *copy = reopen(f);
        const struct evtx_record *r;
        uint64_t number;
        for (uint64_t id = 1; id < 3; id++) {
            assert_int_equal(evtx_next(f->e, &r), 0);
            assert_true(evtx_number(evtx_system_field(r, EVTX_EVENT_ID), &number));
            assert_int_equal(number, id * 11);
            assert_string_equal(xml(f), id == 1 ? "<Event><System><EventID>11</EventID></System></Event>"
                                                : "<Event><System><EventID>0x16</EventID></System></Event>");
        }
        assert_int_equal(evtx_next(f->e, &r), EVTX_END);
        free(copy);
        end(f);
    }
}

static void hostile_names(struct evtx_build *b)
{
    build_open(b, "UserData", false);
    build_gt(b);
    build_open(b, "1><x", true);
    build_attribute_text(b, "a='", "'<&>\"\r\n\t");
    build_gt(b);
    build_slot(b, 0, false);
    build_close(b);
    build_close(b);
}

static void xml_is_escaped_and_holds_only_what_xml_may_hold(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, hostile_names,
          (struct build_value[]){{1, 36, "<\0>\0&\0\"\0'\0\r\0\n\0\t\0\x01\0\xff\xff\x00\xd8\x3d\xd8\x00\xde" "abcdefghij"}}, 1);
    expect_one(f,
               "1><x.a='='<&>\"\r\n\t\n"
               "1><x=<>&\"'\r\n\t\x01\xef\xbf\xbf\xef\xbf\xbd\xf0\x9f\x98\x80\xe6\x89\xa1\xe6\x91\xa3\xe6\x99\xa5\xe6\xa1\xa7\xe6\xa9\xa9\n",
               "<Event><UserData><_1__x a__='&apos;&lt;&amp;&gt;&quot;&#13;&#10;&#9;'>"
               "&lt;&gt;&amp;&quot;&apos;&#13;\n\t\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80\xe6\x89\xa1\xe6\x91\xa3"
               "\xe6\x99\xa5\xe6\xa1\xa7\xe6\xa9\xa9</_1__x></UserData></Event>");
    end(f);
}

/* ---- values ---- */

static const struct {
    const char *what;
    struct build_value v;
    const char *want;
} values[] = {
    {"null", {0, 0, ""}, ""},
    {"a string", {1, 6, "a\0\xe0\x1e\x27\x01"}, "a\xe1\xbb\xa0\xc4\xa7"},
    {"a string with closing zeros", {1, 6, "a\0\0\0\0\0"}, "a"},
    {"a string with an odd byte", {1, 3, "a\0b"}, "a"},
    {"a pair of surrogates", {1, 4, "\x3d\xd8\x00\xde"}, "\xf0\x9f\x98\x80"},
    {"unpaired surrogates", {1, 8, "\x00\xdc" "a\0\x00\xd8" "b\0"}, "\xef\xbf\xbd" "a\xef\xbf\xbd" "b"},
    {"a high surrogate at the end", {1, 2, "\xff\xdb"}, "\xef\xbf\xbd"},
    {"bytes in UTF-8", {2, 4, "\xc4\x91" "a\0"}, "\xc4\x91" "a"},
    {"bytes in Windows-1252", {2, 3, "\x80\xe9z"}, "\xe2\x82\xac\xc3\xa9z"},
    {"the smallest Int8", {3, 1, "\x80"}, "-128"},
    {"the largest UInt8", {4, 1, "\xff"}, "255"},
    {"the smallest Int16", {5, 2, "\x00\x80"}, "-32768"},
    {"the largest UInt16", {6, 2, "\xff\xff"}, "65535"},
    {"the smallest Int32", {7, 4, "\0\0\0\x80"}, "-2147483648"},
    {"the largest UInt32", {8, 4, "\xff\xff\xff\xff"}, "4294967295"},
    {"the smallest Int64", {9, 8, "\0\0\0\0\0\0\0\x80"}, "-9223372036854775808"},
    {"the largest UInt64", {10, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"}, "18446744073709551615"},
    {"one and a half, single", {11, 4, "\0\0\xc0\x3f"}, "1.5"},
    {"a tenth, double", {12, 8, "\x9a\x99\x99\x99\x99\x99\xb9\x3f"}, "0.1"},
    {"true", {13, 4, "\x01\0\0\0"}, "true"},
    {"false", {13, 4, "\0\0\0\0"}, "false"},
    {"true in one byte", {13, 1, "\x01"}, "true"},
    {"binary", {14, 3, "\x00\xab\xff"}, "00ABFF"},
    {"no binary", {14, 0, ""}, ""},
    /* [MS-DTYP] 2.3.4.3: the curly braced string of this GUID */
    {"a GUID", {15, 16, "\xe4\x7b\xe8\x4e\x04\x0d\x90\x4b\xa4\xf5\x26\xfd\xf5\xb0\xc4\xe2"},
     "{4EE87BE4-0D04-4B90-A4F5-26FDF5B0C4E2}"},
    {"a pointer of 4 bytes", {16, 4, "\x00\x10\0\0"}, "0x1000"},
    {"a pointer of 8 bytes", {16, 8, "\0\0\0\0\0\0\0\x80"}, "0x8000000000000000"},
    {"the first FILETIME", {17, 8, "\0\0\0\0\0\0\0\0"}, "1601-01-01T00:00:00.0000000Z"},
    /* 116444736000000000 = 0x019db1ded53e8000 is 1970-01-01; and one tick */
    {"1970 and a tick", {17, 8, "\x01\x80\x3e\xd5\xde\xb1\x9d\x01"}, "1970-01-01T00:00:00.0000001Z"},
    /* 2650467743999999999 = 0x24c85a5ed1c03fff is the last tick of 9999 */
    {"the last tick of 9999", {17, 8, "\xff\x3f\xc0\xd1\x5e\x5a\xc8\x24"}, "9999-12-31T23:59:59.9999999Z"},
    {"a FILETIME behind 9999", {17, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"}, "18446744073709551615"},
    {"a SYSTEMTIME", {18, 16, "\xe8\x07\x02\0\x04\0\x1d\0\x17\0\x3b\0\x3b\0\x7b\0"}, "2024-02-29T23:59:59.1230000Z"},
    {"a SYSTEMTIME that is none", {18, 16, "\xe7\x07\x02\0\x04\0\x1d\0\x17\0\x3b\0\x3b\0\x7b\0"},
     "E707020004001D0017003B003B007B00"},
    /* [MS-DTYP] 2.4.2.4, LocalSystem and Builtin Administrators */
    {"LocalSystem", {19, 12, "\x01\x01\0\0\0\0\0\x05\x12\0\0\0"}, "S-1-5-18"},
    {"the administrators", {19, 16, "\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0"}, "S-1-5-32-544"},
    {"a large authority", {19, 12, "\x01\x01\x01\0\0\0\0\x05\x12\0\0\0"}, "S-1-0x010000000005-18"},
    {"a SID without an account", {19, 8, "\x01\0\0\0\0\0\0\x01"}, "S-1-1"},
    {"a SID that is too short", {19, 8, "\x01\x01\0\0\0\0\0\x05"}, "0101000000000005"},
    {"HexInt32", {20, 4, "\xe7\x03\0\0"}, "0x3e7"},
    {"HexInt32, zero", {20, 4, "\0\0\0\0"}, "0x0"},
    {"HexInt64", {21, 8, "\xef\xcd\xab\x89\x67\x45\x23\x01"}, "0x123456789abcdef"},
    {"an unknown type", {0x1f, 2, "\x01\x02"}, "0102"},
    {"an Int32 of three bytes", {7, 3, "\x01\x02\x03"}, "010203"},
    {"a GUID of eight bytes", {15, 8, "\x01\x02\x03\x04\x05\x06\x07\x08"}, "0102030405060708"},
    {"an empty FILETIME", {17, 0, ""}, ""},
};

static void values_read_as_windows_writes_them(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char want[256], want_xml[256];
        snprintf(want, sizeof(want), "v=%s\n", values[i].want);
        snprintf(want_xml, sizeof(want_xml), "<Event><EventData><Data Name='v'>%s</Data></EventData></Event>", values[i].want);
        event(f, one_slot, &values[i].v, 1);
        print_message("%s\n", values[i].what);
        expect_one(f, want, want_xml);
    }
    end(f);
}

static const struct {
    const char *what;
    struct build_value v;
    const char *want;
} arrays[] = {
    {"strings, the last not closed", {0x81, 8, "a\0\0\0\0\0b\0"}, "v=a\nv=\nv=b\n"},
    {"byte strings", {0x82, 4, "a\0bc"}, "v=a\nv=bc\n"},
    {"Int8", {0x83, 2, "\x01\xff"}, "v=1\nv=-1\n"},
    {"UInt8", {0x84, 2, "\x01\xff"}, "v=1\nv=255\n"},
    {"Int16", {0x85, 4, "\x01\0\xff\xff"}, "v=1\nv=-1\n"},
    {"UInt16", {0x86, 4, "\x01\0\xff\xff"}, "v=1\nv=65535\n"},
    {"Int32", {0x87, 8, "\x01\0\0\0\xff\xff\xff\xff"}, "v=1\nv=-1\n"},
    {"UInt32 and a rest", {0x88, 6, "\x01\0\0\0\x02\x03"}, "v=1\nv=770\n"},
    {"Int64", {0x89, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"}, "v=-1\n"},
    {"UInt64", {0x8a, 16, "\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"}, "v=1\nv=2\n"},
    {"Real32", {0x8b, 8, "\0\0\x80\x3f\0\0\0\xc0"}, "v=1\nv=-2\n"},
    {"Real64", {0x8c, 8, "\0\0\0\0\0\0\xf0\x3f"}, "v=1\n"},
    {"Bool", {0x8d, 8, "\x01\0\0\0\0\0\0\0"}, "v=true\nv=false\n"},
    {"GUID", {0x8f, 32, "0123456789abcdef0123456789abcdef"},
     "v={33323130-3534-3736-3839-616263646566}\nv={33323130-3534-3736-3839-616263646566}\n"},
    {"pointers", {0x90, 8, "\x01\0\0\0\0\0\0\0"}, "v=0x1\n"},
    {"FILETIME", {0x91, 8, "\0\0\0\0\0\0\0\0"}, "v=1601-01-01T00:00:00.0000000Z\n"},
    {"SYSTEMTIME", {0x92, 16, "\xe8\x07\x02\0\x04\0\x1d\0\x17\0\x3b\0\x3b\0\x7b\0"}, "v=2024-02-29T23:59:59.1230000Z\n"},
    {"SID", {0x93, 20, "\x01\x01\0\0\0\0\0\x05\x12\0\0\0\x01\0\0\0\0\0\0\x01"}, "v=S-1-5-18\nv=S-1-1\n"},
    {"HexInt32", {0x94, 8, "\x10\0\0\0\0\0\0\0"}, "v=0x10\nv=0x0\n"},
    {"HexInt64", {0x95, 8, "\x10\0\0\0\0\0\0\0"}, "v=0x10\n"},
    {"nothing", {0x81, 0, ""}, "v=\n"},
};

static void arrays_of_every_type_come_apart_in_order(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        print_message("%s\n", arrays[i].what);
        event(f, one_slot, &arrays[i].v, 1);
        expect_one(f, arrays[i].want, NULL);
    }
    end(f);
}

/* naive_utf8 - the definition of UTF-16 and UTF-8, one unit at a time */
static size_t naive_utf8(const uint8_t *p, size_t n_units, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_units; i++) {
        uint32_t c = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8);
        uint32_t low = i + 1 < n_units ? (uint32_t)(p[2 * i + 2] | p[2 * i + 3] << 8) : 0;
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + (c - 0xd800) * 1024 + (low - 0xdc00);
            i++;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd;
        }
        n += text_put(c, out + n);
    }
    return n;
}

static void strings_of_any_length_and_mixture_are_the_same_text(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    uint64_t random = seed(), first = random;
    for (unsigned round = 0; round < rounds(300); round++) {
        uint8_t units[256];
        char want[512];
        uint16_t n = (uint16_t)(next_random(&random) % 120);
        unsigned kind = (unsigned)(next_random(&random) % 3);
        for (uint16_t i = 0; i < n; i++) {
            uint64_t u = next_random(&random);
            uint16_t c = (uint16_t)(kind == 0 || u % 8 ? 0x20 + u / 8 % 95 : kind == 1 ? u >> 16 : 0xd700 + (u >> 16) % 0xa00);
            memcpy(units + 2 * i, &c, 2);
        }
        while (n && !units[2 * n - 2] && !units[2 * n - 1])
            n--;
        size_t n_want = naive_utf8(units, n, want);
        event(f, one_slot, &(struct build_value){1, (uint16_t)(2 * n), units}, 1);
        uint8_t *copy = reopen(f);
        const struct evtx_record *r;
        assert_int_equal(evtx_next(f->e, &r), 0);
        struct text t = r->fields[0].text;
        if (t.n != n_want || (t.n && memcmp(t.p, want, t.n)))
            fail_msg("seed %llu, round %u", (unsigned long long)first, round);
        assert_true(text_is_utf8(t.p, t.n));
        free(copy);
    }
    end(f);
}

static void numbers_and_moments_are_read_from_text_too(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_number;
        uint64_t want;
    } cases[] = {{"0", true, 0}, {"4624", true, 4624}, {"0x3E7", true, 999}, {"0xffffffffffffffff", true, UINT64_MAX},
                 {"18446744073709551616", false, 0}, {"0x10000000000000000", false, 0}, {"", false, 0}, {"-1", false, 0},
                 {"1 ", false, 0}, {"0x", false, 0}, {"0xg", false, 0}, {"12a", false, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct evtx_field field = {.type = EVTX_STRING, .text = {cases[i].text, strlen(cases[i].text)}};
        uint64_t number = 0;
        print_message("%s\n", cases[i].text);
        assert_int_equal(evtx_number(&field, &number), cases[i].is_number);
        assert_int_equal(number, cases[i].want);
    }
    uint64_t number;
    int64_t us;
    assert_false(evtx_number(&(struct evtx_field){.type = EVTX_INT32, .i64 = -1}, &number));
    assert_true(evtx_number(&(struct evtx_field){.type = EVTX_INT32, .i64 = 7}, &number));
    assert_false(evtx_number(&(struct evtx_field){.type = EVTX_FILETIME, .u64 = 7}, &number));
    assert_true(evtx_moment(&(struct evtx_field){.type = EVTX_FILETIME, .u64 = UINT64_C(116444736000000010)}, &us));
    assert_int_equal(us, 1);
    assert_true(evtx_moment(&(struct evtx_field){.type = EVTX_STRING, .text = TEXT("1970-01-01T00:00:01.000002300Z")}, &us));
    assert_int_equal(us, 1000002);
    assert_false(evtx_moment(&(struct evtx_field){.type = EVTX_UINT32, .u64 = 1}, &us));
    assert_int_equal(evtx_time_us(0), INT64_C(-11644473600000000));
    assert_int_equal(evtx_time_us(UINT64_MAX), INT64_C(1844674407370955161) - INT64_C(11644473600000000));
}

/* ---- what breaks ---- */

static enum evtx_reason only_refusal(struct fixture *f)
{
    const struct evtx_record *r;
    uint8_t *copy = reopen(f);
    int s = evtx_next(f->e, &r);
    assert_true(s == 0 || s == EVTX_REFUSED);
    enum evtx_reason reason = s ? (enum evtx_reason)evtx_refusal(f->e)->reason : (enum evtx_reason)r->damage;
    free(copy);
    return reason;
}

static void a_broken_record_is_refused_by_reason_and_the_next_is_read(void **state)
{
    (void)state;
    /* offsets in the chunk: record 512, fragment 536, instance 540, definition 550, its element 578 */
    static const struct {
        const char *what;
        size_t at, n;
        uint32_t value;
        enum evtx_reason want;
    } cases[] = {
        {"a token that is none", 536, 1, 0x3f, EVTX_BAD_TOKEN},
        {"nothing at all", 536, 1, 0, EVTX_RECORD_EMPTY},
        {"another template", 542, 4, 7, EVTX_BAD_TEMPLATE},
        {"a definition outside the chunk", 546, 4, 0xffffffff, EVTX_BAD_TEMPLATE},
        {"a definition at the chunk's end", 546, 4, 65530, EVTX_BAD_TEMPLATE},
        {"a definition longer than the chunk", 570, 4, 0xffffffff, EVTX_BAD_TEMPLATE},
        {"a definition that ends early", 570, 4, 20, EVTX_RECORD_SHORT},
        {"no element in the definition", 578, 1, 0x05, EVTX_BAD_TEMPLATE},
        {"a name outside the chunk", 585, 4, 0xffffff00, EVTX_BAD_NAME},
        {"a name without letters", 595, 2, 0, EVTX_BAD_NAME},
        {"a name longer than the chunk", 595, 2, 0xffff, EVTX_BAD_NAME},
        {"neither > nor />", 609, 1, 0x04, EVTX_BAD_TOKEN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture *f = begin(false);
        struct evtx_build *b = &f->b;
        build_chunk(b);
        for (uint64_t id = 1; id < 3; id++) {
            build_record(b, id, 0);
            build_template(b, TEMPLATE_ID);
            build_open(b, "Event", false);
            build_gt(b);
            two_data(b);
            build_close(b);
            build_template_end(b);
            build_values(b, (struct build_value[]){{6, 2, "\x01\0"}, {1, 0, ""}, {1, 0, ""}}, 3);
            build_record_end(b);
        }
        build_chunk_end(b);
        build_put(b, cases[i].at, cases[i].value, cases[i].n);
        print_message("%s\n", cases[i].what);
        uint8_t *copy = reopen(f);
        const struct evtx_record *r;
        assert_int_equal(evtx_next(f->e, &r), EVTX_REFUSED);
        assert_int_equal(evtx_refusal(f->e)->reason, cases[i].want);
        assert_int_equal(evtx_refusal(f->e)->offset, 512);
        assert_int_equal(evtx_refusal(f->e)->record_id, 1);
        assert_int_equal(evtx_next(f->e, &r), 0);
        assert_int_equal(r->record_id, 2);
        assert_int_equal(evtx_next(f->e, &r), EVTX_END);
        assert_int_equal(evtx_counters(f->e)->n_refused[cases[i].want], 1);
        assert_int_equal(evtx_counters(f->e)->n_candidates, 2);
        free(copy);
        end(f);
    }
}

static void values_that_leave_the_record_are_refused(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, one_slot, &(struct build_value){1, 4, "a\0b\0"}, 1);
    size_t end_of_definition = f->b.definition + 24 + (size_t)f->b.p[f->b.definition + 20] +
                               (size_t)f->b.p[f->b.definition + 21] * 256;
    build_put(&f->b, end_of_definition, 0xffffffff, 4); /* how many */
    assert_int_equal(only_refusal(f), EVTX_RECORD_SHORT);
    build_put(&f->b, end_of_definition, 1, 4);
    build_put(&f->b, end_of_definition + 4, 0xffff, 2); /* how long */
    assert_int_equal(only_refusal(f), EVTX_RECORD_SHORT);
    end(f);
}

static void broken_data(struct evtx_build *b)
{
    build_open(b, "EventData", false);
    build_gt(b);
    build_le(b, 0x3f, 1);
}

static void a_record_whose_data_breaks_is_delivered_up_to_there(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    nested_event(f, system_with_slot_zero, broken_data, NULL, 0);
    const struct evtx_record *r;
    uint8_t *copy = reopen(f);
    assert_int_equal(evtx_next(f->e, &r), 0);
    assert_int_equal(r->damage, EVTX_BAD_TOKEN);
    assert_string_equal(fields(f, r), "EventID=7\n");
    assert_int_equal(evtx_xml(f->e, &f->xml), EVTX_REFUSED);
    assert_int_equal(f->xml.n, 0);
    assert_int_equal(evtx_counters(f->e)->n_damaged, 1);
    free(copy);
    end(f);
}

static void deep(struct evtx_build *b)
{
    for (unsigned i = 0; i < EVTX_DEPTH_MAX; i++) {
        build_open(b, "x", false);
        build_gt(b);
    }
    for (unsigned i = 0; i < EVTX_DEPTH_MAX; i++)
        build_close(b);
}

static void elements_and_fragments_nested_too_deeply_are_refused(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct evtx_build *b = &f->b;
    event(f, deep, NULL, 0);
    assert_int_equal(only_refusal(f), EVTX_TOO_DEEP);

    /* one template that holds its own substitution, in values that hold each other */
    memset(b, 0, sizeof(*b));
    build_chunk(b);
    build_record(b, 1, 0);
    uint32_t definition = build_template(b, TEMPLATE_ID);
    build_open(b, "x", false);
    build_gt(b);
    build_slot(b, 0, false);
    build_close(b);
    build_template_end(b);
    size_t sizes[2 * EVTX_DEPTH_MAX];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        build_le(b, 1, 4);
        sizes[i] = b->n;
        build_le(b, 0x210000, 4);
        build_template_again(b, TEMPLATE_ID, definition);
    }
    build_le(b, 0, 4);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        build_put(b, sizes[i], b->n - sizes[i] - 4, 2);
    build_record_end(b);
    build_chunk_end(b);
    assert_int_equal(only_refusal(f), EVTX_TOO_DEEP);
    end(f);
}

static void a_record_that_multiplies_itself_hits_the_limit(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct evtx_build *b = &f->b;
    /* each level writes the next one fifty times: 50^5 elements */
    build_chunk(b);
    build_record(b, 1, 0);
    uint32_t definition = build_template(b, TEMPLATE_ID);
    build_open(b, "x", false);
    build_gt(b);
    for (int i = 0; i < 50; i++) {
        build_leaf(b, "y", NULL, 0);
    }
    build_close(b);
    build_template_end(b);
    size_t sizes[5];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        build_le(b, 1, 4);
        sizes[i] = b->n;
        build_le(b, 0x210000, 4);
        build_template_again(b, TEMPLATE_ID, definition);
    }
    build_values(b, &(struct build_value){1, 2, "z\0"}, 1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        build_put(b, sizes[i], b->n - sizes[i] - 4, 2);
    build_record_end(b);
    build_chunk_end(b);
    assert_int_equal(only_refusal(f), EVTX_LIMIT);

    /* the same long string twenty times is more text than a record may give */
    memset(b, 0, sizeof(*b));
    static uint8_t units[60000];
    memset(units, 'a', sizeof(units));
    build_chunk(b);
    build_record(b, 1, 0);
    build_template(b, TEMPLATE_ID);
    build_open(b, "x", false);
    build_gt(b);
    for (int i = 0; i < 20; i++)
        build_leaf(b, "y", NULL, 0);
    build_close(b);
    build_template_end(b);
    build_values(b, &(struct build_value){1, sizeof(units), units}, 1);
    build_record_end(b);
    build_chunk_end(b);
    assert_int_equal(only_refusal(f), EVTX_LIMIT);
    end(f);
}

static void a_chunk_of_records_that_multiply_is_given_up(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    struct evtx_build *b = &f->b;
    const struct evtx_record *r;
    build_chunk(b);
    build_record(b, 1, 0);
    uint32_t definition = build_template(b, TEMPLATE_ID);
    build_open(b, "x", false);
    build_gt(b);
    for (int i = 0; i < 40; i++)
        build_leaf(b, "y", NULL, 0);
    build_close(b);
    build_template_end(b);
    build_values(b, &(struct build_value){1, 2, "z\0"}, 1);
    build_record_end(b);
    for (uint64_t id = 2; b->n - b->chunk < BUILD_CHUNK - 200; id++) {
        size_t sizes[4];
        build_record(b, id, 0);
        build_template_again(b, TEMPLATE_ID, definition);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            build_le(b, 1, 4);
            sizes[i] = b->n;
            build_le(b, 0x210000, 4);
            build_template_again(b, TEMPLATE_ID, definition);
        }
        build_values(b, &(struct build_value){1, 2, "z\0"}, 1);
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            build_put(b, sizes[i], b->n - sizes[i] - 4, 2);
        build_record_end(b);
    }
    build_chunk_end(b);
    three_records(b, 5000); /* another chunk is another account */
    uint8_t *copy = reopen(f);
    uint32_t n_fields = 0, n_refused = 0;
    uint64_t last = 0;
    for (int s; (s = evtx_next(f->e, &r)) != EVTX_END;) {
        n_refused += s == EVTX_REFUSED;
        n_fields += s ? 0 : r->n_fields;
        last = s ? last : r->record_id;
        assert_true(!s || evtx_refusal(f->e)->reason == EVTX_LIMIT);
    }
    assert_int_equal(last, 5002);
    assert_true(n_refused > 300);
    assert_true(n_fields < 100);
    free(copy);
    end(f);
}

static void xml_that_does_not_fit_is_refused_and_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    event(f, one_slot, &(struct build_value){1, 4, "a\0b\0"}, 1);
    uint8_t *copy = reopen(f);
    const struct evtx_record *r;
    assert_int_equal(evtx_next(f->e, &r), 0);
    buf_add_text(&f->xml, "before");
    f->xml.max = 40;
    assert_int_equal(evtx_xml(f->e, &f->xml), EVTX_REFUSED);
    assert_int_equal(f->xml.n, 6);
    f->xml.max = 1000;
    assert_int_equal(evtx_xml(f->e, &f->xml), 0);
    assert_int_equal(f->xml.n, 6 + strlen("<Event><EventData><Data Name='v'>ab</Data></EventData></Event>"));
    free(copy);
    end(f);
}

/* ---- memory ---- */

static void array_of_many(struct fixture *f)
{
    static uint8_t items[1000];
    event(f, one_slot, &(struct build_value){0x84, sizeof(items), items}, 1);
}

static int read_with_failures(void *context)
{
    struct fixture *f = context;
    struct evtx *e;
    const struct evtx_record *r;
    struct buf out = {.max = 1 << 20};
    int s = evtx_new(&e, &(struct evtx_options){.has_xml = true});
    if (s)
        return s;
    assert_int_equal(evtx_open(e, f->b.p, f->b.n), 0);
    s = evtx_next(e, &r);
    if (!s) {
        assert_int_equal(r->n_fields, 1000);
        s = evtx_xml(e, &out);
        assert_true(!s || out.n == 0);
    }
    assert_true(s <= 0);
    buf_fini(&out);
    evtx_free(e);
    return s;
}

/* without the copy of a chunk less may be carved later: that is not an error */
static int carve_with_failures(void *context)
{
    struct fixture *f = context;
    struct evtx *e;
    const struct evtx_record *r;
    int s = evtx_new(&e, &(struct evtx_options){.may_recover = true});
    if (s)
        return s;
    for (int i = 0; i < 2; i++) {
        evtx_chunk(e, f->b.p, f->b.n, 0, 0);
        while ((s = evtx_next(e, &r)) != EVTX_END)
            assert_int_equal(s, 0);
    }
    assert_int_equal(evtx_counters(e)->n_records, 6);
    evtx_free(e);
    return 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct fixture *f = begin(false);
    array_of_many(f);
    unsigned n = failing_alloc_each("reading a log", read_with_failures, f, false);
    assert_in_range(n, 11, 30);
    memset(&f->b, 0, sizeof(f->b));
    three_records(&f->b, 1);
    n = failing_alloc_each("carving a stream", carve_with_failures, f, true);
    assert_in_range(n, 8, 12);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_is_compiled_once_and_serves_every_record),
        cmocka_unit_test(user_data_gives_dotted_names_through_nested_fragments),
        cmocka_unit_test(a_processing_error_is_a_section_of_its_own),
        cmocka_unit_test(unnamed_data_is_numbered_and_a_string_array_repeats_its_element),
        cmocka_unit_test(null_substitutions_leave_attributes_and_depending_elements_out),
        cmocka_unit_test(text_entities_and_substitutions_join_and_names_may_be_substituted),
        cmocka_unit_test(attributes_empty_elements_and_other_sections_have_names_of_their_own),
        cmocka_unit_test(an_element_without_a_template_stands_for_itself),
        cmocka_unit_test(xml_is_escaped_and_holds_only_what_xml_may_hold),
        cmocka_unit_test(values_read_as_windows_writes_them),
        cmocka_unit_test(arrays_of_every_type_come_apart_in_order),
        cmocka_unit_test(strings_of_any_length_and_mixture_are_the_same_text),
        cmocka_unit_test(numbers_and_moments_are_read_from_text_too),
        cmocka_unit_test(a_broken_record_is_refused_by_reason_and_the_next_is_read),
        cmocka_unit_test(values_that_leave_the_record_are_refused),
        cmocka_unit_test(a_record_whose_data_breaks_is_delivered_up_to_there),
        cmocka_unit_test(elements_and_fragments_nested_too_deeply_are_refused),
        cmocka_unit_test(a_record_that_multiplies_itself_hits_the_limit),
        cmocka_unit_test(a_chunk_of_records_that_multiply_is_given_up),
        cmocka_unit_test(xml_that_does_not_fit_is_refused_and_leaves_the_buffer_as_it_was),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
