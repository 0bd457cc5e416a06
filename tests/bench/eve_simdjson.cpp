/* SPDX-License-Identifier: Apache-2.0 */
/* The peer: simdjson's on-demand reader over a stream of documents, the fields in the order Suricata writes them. */
#include "eve_bench.h"

#include <simdjson.h>
#include <string_view>

using namespace simdjson;

static bool text(struct eve_sums *s, ondemand::object &o, const char *key)
{
    std::string_view v;
    if (o.find_field_unordered(key).get_string().get(v))
        return false;
    eve_text(s, v.data(), v.size());
    return true;
}

static void address(struct eve_sums *s, ondemand::object &o, const char *key)
{
    std::string_view v;
    if (!o.find_field_unordered(key).get_string().get(v))
        eve_address(s, v.data(), v.size());
}

static void number(struct eve_sums *s, ondemand::object &o, const char *key)
{
    uint64_t v;
    if (!o.find_field_unordered(key).get_uint64().get(v))
        eve_number(s, v);
}

static void below(struct eve_sums *s, ondemand::object &o, const char *object, const char *key, bool is_number)
{
    ondemand::object inner;
    if (o.find_field_unordered(object).get_object().get(inner))
        return;
    if (is_number)
        number(s, inner, key);
    else
        text(s, inner, key);
}

extern "C" void eve_by_simdjson(const char *p, size_t n, struct eve_sums *s)
{
    ondemand::parser parser;
    ondemand::document_stream stream;
    if (parser.iterate_many(p, n, 1 << 20).get(stream)) /* the batch size its documentation recommends */
        return;
    for (auto doc : stream) {
        ondemand::object o;
        if (doc.get_object().get(o)) {
            s->n_refused++;
            continue;
        }
        std::string_view type;
        text(s, o, "timestamp");
        number(s, o, "flow_id");
        if (!o.find_field_unordered("event_type").get_string().get(type))
            eve_text(s, type.data(), type.size());
        address(s, o, "src_ip");
        number(s, o, "src_port");
        address(s, o, "dest_ip");
        number(s, o, "dest_port");
        text(s, o, "proto");
        if (type == "dns")
            below(s, o, "dns", "rrname", false);
        else if (type == "http")
            below(s, o, "http", "hostname", false);
        else if (type == "tls")
            below(s, o, "tls", "sni", false);
        else if (type == "alert")
            below(s, o, "alert", "signature_id", true);
        else if (type == "flow")
            below(s, o, "flow", "bytes_toserver", true);
        s->n++;
    }
}
