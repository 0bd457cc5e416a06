/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate/elastic - what senders written for Elasticsearch ask before they send, answered so that they go on.
 *
 * Filebeat, Winlogbeat (7 and 8), Logstash, Vector, Fluent Bit and rsyslog's omelasticsearch want to know what answers,
 * whether it is well and licensed, and see to templates, lifecycles, data streams, aliases and pipelines. There is none of
 * that here: what is asked for is said to be there, what is put is acknowledged and thrown away. Events go to /_bulk.
 *
 * In:     method and path of a request, untrusted. Out: static JSON. No I/O, no allocation.
 */
#pragma once

#include "base/text.h"

/* elastic_answer - Return: the body of an answer with 200, NULL: it is none of these. */
const char *elastic_answer(const char *method, const char *path);
/* elastic_is_bulk - /_bulk or /INDEX/_bulk */
bool elastic_is_bulk(const char *path);
/*
 * elastic_token - the token in an Authorization header: "Bearer TOKEN", "Basic" with it as password, "ApiKey" with it behind
 * the colon (api_key: "NAME:TOKEN" of the Beats). @room: for what had to be decoded. Empty: none.
 */
#define ELASTIC_TOKEN_BYTES 512u
struct text elastic_token(const char *header, char room[ELASTIC_TOKEN_BYTES]);
